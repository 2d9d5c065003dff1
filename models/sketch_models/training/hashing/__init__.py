"""The hash layer behind a finished network: its training, and how well its codes find a class."""
