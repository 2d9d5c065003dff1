"""From strokes to predictions: sessions, batches, streams, and the `Classifier` over them."""
