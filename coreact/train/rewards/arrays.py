"""Numbers with gaps as numpy arrays: what could not be scored is NaN, and never becomes a number by accident.

numpy comes with the extra `train`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
"""Floats, NaN where nothing is known."""


def numbers(values: Any, *, what: str, dimensions: int | None = None, least: int = 1) -> Array:
    """Nested numbers and None, or an array, as an array of floats of its own; None becomes NaN.

    Args:
        values: what to convert.
        what: its name, for the error.
        dimensions: how many axes it must have; None: at least `least`.
        least: the fewest axes, where their number is open.

    Raises:
        ValueError: the rows differ in length, a value is infinite or no number, or the axes do not fit.
    """
    try:
        array: Array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what}: rows of equal length, of numbers or None, are needed ({error})") from error
    if np.isinf(array).any():
        raise ValueError(f"{what}: a value is infinite")
    wanted = array.ndim == dimensions if dimensions is not None else array.ndim >= least
    if not wanted:
        raise ValueError(f"{what}: {array.ndim} axes where {dimensions or f'at least {least}'} are needed")
    return array
