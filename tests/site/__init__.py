"""The site of the project."""
