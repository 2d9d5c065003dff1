"""Put together the folder of a model for the Hugging Face Hub.

    python models/hub_folder.py NAME OUT

OUT gets the card README.md with its picture, model.safetensors, config.json with the network's sizes and labels, and
the model files of `make export` as onnx/model.onnx and onnx/model_int8.onnx: what `hf upload USER/NAME OUT` takes as
it is.
"""

import json
import re
import shutil
import sys
from pathlib import Path

from sketch_infer import installed_model
from sketch_infer.strokes.preprocess import PREPROCESSING
from sketch_models import load_checkpoint


def main(name: str, target: Path) -> None:
    """Write the folder."""
    source = Path(__file__).parent / name
    (target / "onnx").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source / "model.safetensors", target / "model.safetensors")
    copy_card(source / "README.md", target)
    shutil.copyfile(installed_model(name), target / "onnx" / "model.onnx")
    shutil.copyfile(installed_model(name, "int8"), target / "onnx" / "model_int8.onnx")
    checkpoint = load_checkpoint(source / "model.safetensors")
    labels = dict(enumerate(checkpoint.labels or ()))
    config = {"model_type": "sketch-rnn", **checkpoint.model.config.to_dict(), "preprocessing": PREPROCESSING}
    text = json.dumps({**config, "id2label": labels}, indent=2, ensure_ascii=False)
    (target / "config.json").write_text(text + "\n", encoding="utf-8")


def copy_card(card: Path, target: Path) -> None:
    """Copy a card and its pictures; of links to other files of the repository, which the Hub lacks, the text stays."""
    text = card.read_text(encoding="utf-8")
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text):
        shutil.copyfile(card.parent / picture, target / Path(picture).name)
        text = text.replace(picture, Path(picture).name)
    text = re.sub(r"\[([^]]+)\]\(\.\.[^)]*\)", r"\1", text)
    (target / "README.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]))
