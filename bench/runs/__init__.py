"""Runs on disk: an experiment is planned, trained into a folder, resumed, read back, and trained again one by one."""
