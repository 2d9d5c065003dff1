"""How well drawings are found by their codes: `python -m benchmarks.retrieval`."""
