"""The files of a folder of drawings: which training reads, which it does not, and the classes that their names give."""

from collections.abc import Collection
from pathlib import Path

from sketch_infer.errors import InputError
from sketch_infer.readers.files import expand_folders
from sketch_infer.readers.listener import CollectingListener
from sketch_models.training.data.report import first_few

SUFFIXES = (".ndjson", ".ndjson.gz")
"""Endings of the files that are read from a folder, in lower case."""


def drawing_files(folder: Path) -> list[Path]:
    """Return the files that training reads, sorted by name, without hidden ones.

    Raises:
        InputError: if the folder is missing or has no drawing files.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder}: expected a folder of CLASS.ndjson files, found {'a file' if folder.exists() else 'nothing'}"
        )
    files = sorted(path for path in folder.iterdir() if _is_drawing_file(path))
    if not files:
        others = files_not_read(folder, files)
        found = f"only {first_few(others)}" if others else "none"
        raise InputError(f"{folder}: expected files named CLASS.ndjson or CLASS.ndjson.gz, found {found}")
    return files


def files_not_read(folder: Path, files: Collection[Path]) -> list[str]:
    """Return what `sketch-infer` would read in a folder and below it, but for `files`: names from the folder on."""
    top, read = folder.absolute(), {file.absolute() for file in files}
    readable = map(Path, expand_folders([str(top)], CollectingListener()))
    return [str(path.relative_to(top)) for path in readable if path not in read]


def classes_of(folder: Path) -> tuple[str, ...]:
    """Return the class names that a folder's file names give, sorted.

    Raises:
        InputError: if the folder is missing or has no drawing files.
    """
    return tuple(sorted({class_of(file) for file in drawing_files(folder)}))


def class_of(file: Path) -> str:
    """Return the class name that a drawing file's name gives."""
    (suffix,) = (suffix for suffix in SUFFIXES if file.name.lower().endswith(suffix))
    return file.name[: -len(suffix)]


def _is_drawing_file(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES) and not path.name.startswith(".") and not path.is_dir()
