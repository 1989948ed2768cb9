"""Which trace a run is, and which spans its parts are: derived, so that another process says the same.

Run ids are UUIDv7, 128 bits, and so is a trace id. Span ids are hashes of the run and what the span is
about. So what is judged a day later, or by another process after an interrupt, still points at the right
span. OpenTelemetry's API lets nobody choose ids; its SDK asks an `IdGenerator`, and ours answers with what is
wanted for the span that this thread is about to start, and asks the application's own generator otherwise.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any
from uuid import UUID


def trace_id_of(run: str) -> int:
    """The 128-bit trace id of a run: the id itself where it is a UUID, otherwise a hash of it."""
    try:
        return UUID(run).int or 1
    except ValueError:
        return _hash(run, 16)


def span_id_of(run: str, *about: object) -> int:
    """The 64-bit id of the span about a part of a run; without a part: about the run."""
    return _hash("/".join(map(str, (run, *about))), 8)


def _hash(text: str, size: int) -> int:
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).digest()
    return int.from_bytes(digest, "big") or 1  # 0 is no valid id


class WantedIds:
    """An `IdGenerator` of the SDK that gives the ids which are wanted in this thread."""

    def __init__(self, otherwise: Any) -> None:
        """Ask `otherwise`, an `IdGenerator`, where none is wanted."""
        self.otherwise = otherwise
        self._wanted = threading.local()

    @contextmanager
    def wanting(self, *, trace: int, span: int) -> Iterator[None]:
        """Give these ids to the span that is started inside."""
        self._wanted.ids = (trace, span)
        try:
            yield
        finally:
            self._wanted.ids = None

    def generate_trace_id(self) -> int:
        """The wanted trace id, else another's."""
        ids = getattr(self._wanted, "ids", None)
        return int(ids[0] if ids else self.otherwise.generate_trace_id())

    def generate_span_id(self) -> int:
        """The wanted span id, else another's."""
        ids = getattr(self._wanted, "ids", None)
        return int(ids[1] if ids else self.otherwise.generate_span_id())

    def is_trace_id_random(self) -> bool:
        """Whether the low 56 bits are random; of a UUIDv7 they are, and hashes are as good."""
        ids = getattr(self._wanted, "ids", None)
        return True if ids else bool(self.otherwise.is_trace_id_random())
