"""Fuzzing of all that reads what others wrote: `python -m fuzz` in the folder `tests`, or `make fuzz`."""
