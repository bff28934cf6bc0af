"""How many lanes run at once, and on which devices."""
