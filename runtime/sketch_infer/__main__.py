"""The process of `sketch-infer`, and of `python -m sketch_infer` for where the scripts folder is not on the path."""

import os
import sys
from typing import NoReturn


def run() -> NoReturn:
    """Run the command and end the process at once.

    To take numpy and ONNX Runtime down in order, as Python does at its end, takes as long as to classify ten
    sketches, and there is nothing left that they could lose: results are written and flushed.
    """
    from sketch_infer.cli.main import main

    code = 0
    try:
        main(prog_name="sketch-infer")
    except SystemExit as stop:
        code = int(stop.code or 0)  # click exits with numbers
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream:
                stream.flush()
        except OSError:  # a closed pipe: what failed has been reported by now
            code = code or 1
    os._exit(code)


if __name__ == "__main__":
    run()
