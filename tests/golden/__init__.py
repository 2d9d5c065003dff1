"""Golden vectors: raw pen points and what `sketch_infer` makes of them, for the preparation in points files."""
