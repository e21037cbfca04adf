"""The code that the user names: the only door for foreign code."""
