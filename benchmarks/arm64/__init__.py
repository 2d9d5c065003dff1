"""`make arm64-proof`: the exported files on ARM64, under user-mode emulation."""
