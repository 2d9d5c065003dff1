"""Writes the tiny model files: `python -m tests.tiny`, needed again when the format of model files changes."""

from sketch_export import export_onnx
from tests import tiny
from tests.networks import make_model, make_tiny_hash


def main() -> None:
    export_onnx(make_model(), tiny.MODEL, tiny.LABELS)
    export_onnx(make_model(), tiny.WITH_STATE, tiny.LABELS, initial_state=True)
    export_onnx(make_model(), tiny.OF_POINTS, tiny.LABELS, input_form="points")
    export_onnx(make_tiny_hash(), tiny.WITH_CODES, tiny.LABELS)
    export_onnx(make_model(seed=1), tiny.OTHER, tiny.OTHER_LABELS, random_weights=True)


if __name__ == "__main__":
    main()
