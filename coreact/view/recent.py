"""The runs looked at last, kept while the store's files stay as they are.

Reading a long run takes a second; its pages, steps and prompts are asked for one after the other. Whoever
writes to the store, this program or another, changes the files, and then a run is read anew.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from coreact.trace import SQLiteTraceStore
from coreact.view.timeline import Timeline

_KEPT = 4

Stamp = tuple[tuple[int, int], ...]


class RecentRuns:
    """Timelines by the id that was asked for. Safe to use from several threads."""

    def __init__(self, store: SQLiteTraceStore) -> None:
        self._store = store
        self._lock = Lock()
        self._kept: OrderedDict[str, tuple[Stamp, Timeline]] = OrderedDict()

    def timeline(self, run_id: str) -> Timeline:
        """The run that an id or the beginning of one means.

        Raises:
            RunNotFoundError: no run, or more than one, is meant by it.
            StoreError: the store cannot be read.
        """
        stamp = self._stamp()
        with self._lock:
            known = self._kept.get(run_id)
            if known is not None and known[0] == stamp:
                self._kept.move_to_end(run_id)
                return known[1]
        timeline = Timeline(self._store.trajectory(run_id))
        with self._lock:
            self._kept[run_id] = (stamp, timeline)  # read after the stamp: at worst it is read once more
            self._kept.move_to_end(run_id)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return timeline

    def _stamp(self) -> Stamp:
        """Size and time of the file and its log: a write changes one of them."""
        path = self._store.path
        found = []
        for one in (path, path.with_name(path.name + "-wal")):
            try:
                state = one.stat()
            except OSError:  # no log, or the file is gone: reading will say so
                found.append((0, 0))
            else:
                found.append((state.st_size, state.st_mtime_ns))
        return tuple(found)
