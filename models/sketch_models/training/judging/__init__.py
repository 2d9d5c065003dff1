"""How good a network is: figures, calibration, pictures."""
