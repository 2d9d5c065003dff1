"""The model file: what it must contain, its labels, and whether it is intact."""
