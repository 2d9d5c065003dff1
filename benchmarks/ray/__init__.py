"""`make bench-ray`."""
