"""Readers of sketches: arrays, Quick, Draw! drawings as text or binary, tables, raw pen points."""
