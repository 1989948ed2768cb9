"""What was made of an object is made once: for rubrics, which many steps share and which are large."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Remembered(Generic[T, R]):
    """A function whose results for the last objects, by identity, are remembered."""

    def __init__(self, make: Callable[[T], R], *, size: int = 256) -> None:
        self._make = make
        self._size = size
        self._made: OrderedDict[int, tuple[T, R]] = OrderedDict()
        self._lock = Lock()

    def __call__(self, given: T) -> R:
        """What the function makes of the object."""
        with self._lock:
            known = self._made.get(id(given))
            if known is not None:
                return known[1]
        made = self._make(given)
        with self._lock:
            self._made[id(given)] = (given, made)  # holding it keeps its id from being given away
            while len(self._made) > self._size:
                self._made.popitem(last=False)
        return made
