"""The drawings of a training run, and what varies them."""
