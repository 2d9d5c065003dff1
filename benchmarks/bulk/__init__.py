"""`make bulk`: reading beside inference, and the memory of a million sketches."""
