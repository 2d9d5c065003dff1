"""Types of NumPy arrays; shapes stand in the docstrings."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
