"""The process of `sketch-search`, and of `python -m sketch_search` for where the scripts folder is not on the path."""

from sketch_search.cli import main


def run() -> None:
    """Run the command, under its name whichever way it was started."""
    main(prog_name="sketch-search")


if __name__ == "__main__":
    run()
