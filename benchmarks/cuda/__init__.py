"""`make cuda-proof`: everything that only a GPU can show, in one command."""
