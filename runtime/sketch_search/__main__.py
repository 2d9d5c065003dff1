"""The process of `sketch-search`, and of `python -m sketch_search` for where the scripts folder is not on the path."""

from sketch_search.cli import main

if __name__ == "__main__":
    main(prog_name="sketch-search")
