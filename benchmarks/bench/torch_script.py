"""What one would write without sketch-infer: `python torch_script.py CHECKPOINT SKETCH.npy` prints the label."""

import sys

import numpy as np
import torch

from sketch_models import load_checkpoint

checkpoint = load_checkpoint(sys.argv[1])
sketch = np.load(sys.argv[2])
strokes = torch.zeros(1, checkpoint.model.config.sequence_length, 3)
strokes[0, : len(sketch)] = torch.from_numpy(sketch)
with torch.inference_mode():
    log_probs, _ = checkpoint.model(strokes)
column = int(log_probs.argmax())
sys.stdout.write(f"{checkpoint.labels[column] if checkpoint.labels else column}\n")
