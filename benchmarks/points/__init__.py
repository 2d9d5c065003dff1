"""What the preparation inside a points file costs beside numpy's."""
