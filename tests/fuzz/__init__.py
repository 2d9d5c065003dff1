"""`make fuzz`: the readers and what loads a model, under atheris."""
