"""Requests that wait are answered together; adapters change between two batches, in the order of arrival.

One worker runs the weights. While it is busy requests gather, and the next batch takes as many as fit that
ask the same adapter. A request to load or unload an adapter waits for its turn, and nothing that came later
is put before it: so what was asked before a swap is answered by the old adapter, what comes after by the new
one, and nothing is dropped.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from coreact.errors import LocalServerError
from coreact.generate.trained.exchange import Asked, Completed


class Weights(Protocol):
    """What runs a batch: a `TransformersModel`."""

    @property
    def adapters(self) -> tuple[str, ...]:
        """Names of the adapters that can be asked for."""

    def complete(self, asked: list[Asked], *, adapter: str | None = None) -> list[Completed]:
        """Reply to chats, all in one batch."""

    def load_adapter(self, name: str, path: Path) -> None:
        """Put an adapter beside the model, in place of one of the same name."""

    def unload_adapter(self, name: str) -> None:
        """Take one away."""


class UnknownModelError(LocalServerError):
    """Nothing of this name is served."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(
            f"There is no model {name!r} here.", status_code=404, remedy=f"There are: {', '.join(known)}."
        )


@dataclass
class _Job:
    """Something for the worker: a reply, or a change of adapters."""

    adapter: str | None
    asked: Asked | None = None
    change: Callable[[], None] | None = None
    done: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Batcher:
    """A queue before one model. Belongs to one event loop; `run` must run there.

    Args:
        weights: what replies.
        most: requests of one batch, at least 1.
    """

    def __init__(self, weights: Weights, *, most: int = 8) -> None:
        self._weights = weights
        self._most = most
        self._jobs: deque[_Job] = deque()
        self._arrived = asyncio.Event()
        self.batches = 0
        """Batches run so far."""

    @property
    def waiting(self) -> int:
        """Requests that no batch has taken yet."""
        return len(self._jobs)

    async def reply(self, asked: Asked, *, adapter: str | None = None) -> Completed:
        """Answer a chat as soon as its batch is through.

        Raises:
            UnknownModelError: there is no such adapter when its turn comes.
            PromptTooLongError: it leaves no room for a reply.
        """
        found: Completed = await self._put(_Job(adapter, asked=asked))
        return found

    async def load(self, name: str, path: Path) -> None:
        """Load an adapter when all that came before is answered.

        Raises:
            ModelFileError: it cannot be used.
        """
        await self._put(_Job(None, change=lambda: self._weights.load_adapter(name, path)))

    async def unload(self, name: str) -> None:
        """Unload an adapter when all that came before is answered.

        Raises:
            UnknownModelError: there is none of this name then.
        """
        await self._put(_Job(name, change=lambda: self._weights.unload_adapter(name)))

    async def run(self) -> None:
        """Work until cancelled."""
        batch: list[_Job] = []
        try:
            while True:
                await self._arrived.wait()
                batch = self._next()
                if batch:
                    await self._work(batch)
        finally:
            for job in (*batch, *self._jobs):  # what is done stays done
                job.done.cancel()
            self._jobs.clear()

    async def _put(self, job: _Job) -> Any:
        self._jobs.append(job)
        self._arrived.set()
        return await job.done

    def _next(self) -> list[_Job]:
        """The first job, and with a reply those that go with it; later changes are not overtaken."""
        while self._jobs and self._jobs[0].done.done():  # whoever asked is gone
            self._jobs.popleft()
        if not self._jobs:
            self._arrived.clear()
            return []
        if self._jobs[0].change is not None:
            return [self._jobs.popleft()]
        batch: list[_Job] = []
        left: deque[_Job] = deque()
        while self._jobs and self._jobs[0].change is None and len(batch) < self._most:
            job = self._jobs.popleft()
            if job.done.done():
                continue
            fits = not batch or job.adapter == batch[0].adapter
            (batch if fits else left).append(job)
        self._jobs.extendleft(reversed(left))
        return batch

    async def _work(self, batch: list[_Job]) -> None:
        first = batch[0]
        try:
            if first.change is not None:
                await asyncio.to_thread(first.change)
                found: list[Any] = [None]
            else:
                self.batches += 1
                asked = [job.asked for job in batch if job.asked is not None]
                found = await asyncio.to_thread(self._weights.complete, asked, adapter=first.adapter)
        except Exception as failure:  # noqa: BLE001 - it belongs to whoever asked; the server goes on
            error: Exception = failure
            if first.adapter is not None and first.adapter not in self._weights.adapters:
                error = UnknownModelError(first.adapter, self._weights.adapters)
            elif len(batch) > 1:  # one of them is to blame, a prompt without room for a reply, say
                for job in batch:
                    if not job.done.done():
                        await self._work([job])
                return
        else:
            for job, one in zip(batch, found, strict=True):
                if not job.done.done():
                    job.done.set_result(one)
            return
        for job in batch:
            if not job.done.done():
                job.done.set_exception(error)
