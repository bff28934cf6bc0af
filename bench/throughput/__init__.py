"""How fast the engine is, beside what a user would write instead, measured on this device in one run."""
