"""What a run leaves on disk, and what puts it there."""
