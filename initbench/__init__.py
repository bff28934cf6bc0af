"""The face of the suite: the command `initbench`. Nothing slow is imported here, so that signals are answered from the first moment on."""
