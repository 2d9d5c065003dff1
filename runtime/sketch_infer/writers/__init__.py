"""Writers of predictions: text, arrays and tables, the gallery page, and resumable JSON lines."""
