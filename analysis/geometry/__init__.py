"""Networks up to symmetry, and the shape of regions."""
