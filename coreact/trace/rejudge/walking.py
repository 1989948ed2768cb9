"""The states of a run's steps, each at the cost of what its step adds.

`state_at` reads the run from its beginning for every step, which makes judging a long run quadratic. Here
only what is proved is given: a state counts if it has the digest that was recorded, otherwise `state_at`
decides what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock
from typing import cast

from coreact.errors import CoReActError
from coreact.rubric import State
from coreact.trace.records import Trajectory
from coreact.trace.states import state_at


class RunStates:
    """The states in which the steps of one run were decided, each given once. Safe to use from threads."""

    def __init__(self, trajectory: Trajectory) -> None:
        self._trajectory = trajectory
        self._walk = self._read()
        self._ready: dict[int, State] = {}
        self._lock = Lock()

    def at(self, step: int) -> State:
        """The state of one step; quickest in the order of the steps.

        Raises:
            IndexError, StoreError: see `state_at`.
        """
        with self._lock:
            while step not in self._ready and (read := next(self._walk, None)) is not None:
                index, state = read
                if state is not None:
                    self._ready[index] = state
                if index >= step:
                    break
            found = self._ready.pop(step, None)
        return state_at(self._trajectory, step) if found is None else found

    def _read(self) -> Iterator[tuple[int, State | None]]:
        from langchain_core.messages import AnyMessage, SystemMessage, messages_from_dict

        from coreact.host.messages import StateReader

        reader, limit = StateReader(), self._trajectory.run.settings.get("step_budget")
        whole: list[AnyMessage] = []
        for record in self._trajectory.steps:
            state: State | None = None
            try:
                added = messages_from_dict(list(record.prompt_added))
                whole[record.prompt_kept :] = cast("list[AnyMessage]", added)
                has_system = bool(whole) and isinstance(whole[0], SystemMessage)
                state = reader.read(
                    whole[has_system:],
                    tools=self._trajectory.tools(record.index),
                    system=str(whole[0].text) if has_system else "",
                    limit=limit,
                )
            except (CoReActError, LookupError, TypeError, ValueError):  # records may hold anything
                whole = []  # whatever comes of the rest has another digest
            same = state is not None and state.digest == record.state_digest
            yield record.index, state if same else None
