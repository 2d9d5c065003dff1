"""The contract of the model file, which exporter and runtime agree on: tensors, metadata and probes."""
