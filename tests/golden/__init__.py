"""Golden vectors: raw pen points and what `sketch_infer` makes of them, for preparations in other languages."""
