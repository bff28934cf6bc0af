"""The pages of `docs`: all code that they show runs, and prints what they say."""
