"""How the lanes of a block stand beside each other."""
