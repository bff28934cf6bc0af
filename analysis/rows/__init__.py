"""Rows of a run, and the numbers that claims and figures read off them."""
