"""The command `sketch-infer`."""
