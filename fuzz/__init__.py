"""Fuzzing of all that reads what others wrote: `python -m fuzz`, or `make fuzz`."""
