"""The command `sketch-export`, a module for each of its commands."""
