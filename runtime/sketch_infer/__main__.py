"""`python -m sketch_infer`, for where the scripts folder is not on the path."""

from .cli import main

main(prog_name="sketch-infer")
