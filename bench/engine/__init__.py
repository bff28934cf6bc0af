"""The engine: what is compiled once (program), and how many lanes run through it (pool)."""
