"""Training a SketchRNN: data, augmentation, the fast training path, and the command `sketch-train`."""
