"""One target under atheris, in a process of its own: FOLDER MODEL TARGET and libFuzzer's options."""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sketch_infer"]):
    from fuzz.targets import targets


def main() -> None:
    """Run until libFuzzer ends the process."""
    folder, model, name, *options = sys.argv[1:]
    atheris.Setup([sys.argv[0], *options], targets(Path(folder), Path(model))[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
