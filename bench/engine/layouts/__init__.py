"""Layouts: the ways in which the lanes of a block stand in memory while they train."""
