"""Requests that wait go together, adapters change in turn, and nobody's failure is another's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from coreact.errors import ModelFileError
from coreact.generate.trained.exchange import Asked, Completed
from coreact.serving.batching import Batcher, UnknownModelError


class Slow:
    """Weights that note what they are asked and wait until they are let go."""

    def __init__(self) -> None:
        self.log: list[tuple[str, ...]] = []
        self.loaded: dict[str, str] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.fails: Callable[[str], bool] = lambda text: False

    @property
    def adapters(self) -> tuple[str, ...]:
        return tuple(self.loaded)

    def complete(self, asked: list[Asked], *, adapter: str | None = None) -> list[Completed]:
        self.gate.wait(10)
        texts = tuple(str(one.messages[0]["content"]) for one in asked)
        self.log.append((str(adapter), *texts))
        if any(map(self.fails, texts)):
            raise RuntimeError("out of memory")
        version = self.loaded[adapter] if adapter is not None else "base"
        return [Completed(f"{version}:{text}", "stop", 1, 1) for text in texts]

    def load_adapter(self, name: str, path: Path) -> None:
        if path.name == "bad":
            raise ModelFileError("no adapter", path=path)
        self.log.append(("load", name, path.name))
        self.loaded[name] = path.name

    def unload_adapter(self, name: str) -> None:
        del self.loaded[name]
        self.log.append(("unload", name))


def asked(text: str) -> Asked:
    return Asked([{"role": "user", "content": text}])


@asynccontextmanager
async def working(weights: Slow, most: int = 8) -> AsyncIterator[Batcher]:
    batcher = Batcher(weights, most=most)
    worker = asyncio.create_task(batcher.run())
    try:
        yield batcher
    finally:
        weights.gate.set()
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker


async def begun(weights: Slow, batcher: Batcher, *jobs: Any) -> list[asyncio.Task[Any]]:
    """Start a first request that holds the worker, then the others in order behind it."""
    weights.gate.clear()
    before = batcher.batches
    tasks = [asyncio.create_task(batcher.reply(asked("first")))]
    while batcher.batches == before:  # noqa: ASYNC110 - a counter has no event
        await asyncio.sleep(0.001)
    for job in jobs:
        tasks.append(asyncio.create_task(job))
        await asyncio.sleep(0)
    return tasks


async def test_what_waits_goes_together_up_to_the_most() -> None:
    weights = Slow()
    async with working(weights, most=3) as batcher:
        tasks = await begun(weights, batcher, *(batcher.reply(asked(str(at))) for at in range(5)))
        assert batcher.waiting == 5
        weights.gate.set()
        found = await asyncio.gather(*tasks)
    assert [one.text for one in found] == ["base:first", *(f"base:{at}" for at in range(5))]
    assert weights.log == [("None", "first"), ("None", "0", "1", "2"), ("None", "3", "4")]


async def test_a_swap_waits_for_what_came_before_and_goes_before_what_comes_after() -> None:
    weights = Slow()
    weights.loaded["a"] = "old"
    async with working(weights) as batcher:
        tasks = await begun(
            weights,
            batcher,
            batcher.reply(asked("1"), adapter="a"),
            batcher.reply(asked("2")),
            batcher.reply(asked("3"), adapter="a"),
            batcher.load("a", Path("new")),
            batcher.reply(asked("4"), adapter="a"),
            batcher.unload("a"),
            batcher.reply(asked("5"), adapter="a"),
        )
        weights.gate.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
    said = [one.text if isinstance(one, Completed) else type(one) for one in found]
    assert said == [
        "base:first", "old:1", "base:2", "old:3", type(None), "new:4", type(None), UnknownModelError,
    ]  # fmt: skip
    assert weights.log[1:3] == [("a", "1", "3"), ("None", "2")]


async def test_a_failed_batch_is_its_own() -> None:
    weights = Slow()
    weights.fails = lambda text: text == "bad"
    async with working(weights) as batcher:
        with pytest.raises(RuntimeError, match="out of memory"):
            await batcher.reply(asked("bad"))
        tasks = await begun(weights, batcher, *(batcher.reply(asked(one)) for one in ("a", "bad", "b")))
        weights.gate.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [one.text for one in found if isinstance(one, Completed)] == ["base:first", "base:a", "base:b"]
        assert isinstance(found[2], RuntimeError)
        with pytest.raises(ModelFileError):
            await batcher.load("a", Path("bad"))
        assert (await batcher.reply(asked("good"))).text == "base:good"


async def test_who_goes_away_is_not_answered() -> None:
    weights = Slow()
    async with working(weights) as batcher:
        tasks = await begun(weights, batcher, batcher.reply(asked("gone")), batcher.reply(asked("stays")))
        tasks[1].cancel()
        await asyncio.sleep(0)
        weights.gate.set()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert weights.log == [("None", "first"), ("None", "stays")]


async def test_the_end_lets_go_of_who_waits() -> None:
    weights = Slow()
    batcher = Batcher(weights)
    waiting = asyncio.create_task(batcher.reply(asked("x")))
    await asyncio.sleep(0)
    worker = asyncio.create_task(batcher.run())
    weights.gate.clear()
    while batcher.batches == 0:  # noqa: ASYNC110 - a counter has no event
        await asyncio.sleep(0.001)
    later = asyncio.create_task(batcher.reply(asked("y")))
    await asyncio.sleep(0)
    worker.cancel()
    weights.gate.set()
    with suppress(asyncio.CancelledError):
        await worker
    for left in (waiting, later):
        with pytest.raises(asyncio.CancelledError):
            await left
