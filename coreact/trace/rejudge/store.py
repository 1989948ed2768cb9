"""Runs of a store judged again, several steps at a time, each judgement appended as soon as it is made.

Interrupted, it leaves every judgement that was made in the store, and the same call goes on where it
stopped. Where a judge cannot be reached at all it stops by itself instead of filling the store with rows
that say so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from itertools import chain

from coreact.errors import ConfigError, JudgingError
from coreact.judge import Cause
from coreact.judge.asking import aserve
from coreact.trace.rejudge.judging import Rejudged, RejudgeTask
from coreact.trace.store import EVERY_RUN, RunFilter, TraceStore

_HOPELESS: frozenset[Cause | None] = frozenset({"transport", "rate_limit", "bug"})
_GIVE_UP = 5  # judgements in a row of which nothing came


async def arejudge_store(
    store: TraceStore,
    task: RejudgeTask,
    *,
    where: RunFilter = EVERY_RUN,
    concurrency: int = 4,
) -> AsyncGenerator[Rejudged, None]:
    """Judge stored runs anew and append the judgements.

    Args:
        store: where the runs are, and where the judgements go.
        task: how.
        where: which runs.
        concurrency: how many steps are judged at the same time, at least 1.

    Yields:
        What came of each step (of each run, for a rubric on answers), as it is done.

    Raises:
        ConfigError: a setting is out of range.
        StoreError: the store cannot be read.
        JudgingError: several judgements in a row failed for want of a connection or a valid setup.
    """
    if concurrency < 1:
        raise ConfigError(f"{concurrency} steps at a time are none.", remedy="Give at least 1.")
    runs = store.trajectories(where)
    parts = chain.from_iterable(task.parts(trajectory, keep=store.judgement) for trajectory in runs)
    running: set[asyncio.Task[Rejudged]] = set()
    failed = 0
    try:
        while True:
            while len(running) < concurrency and (part := next(parts, None)) is not None:
                running.add(asyncio.create_task(aserve(part)))
            if not running:
                return
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                result = one.result()
                yield result
                failed = _in_a_row(failed, result)
                if failed >= _GIVE_UP:
                    raise _given_up(result)
    finally:
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _in_a_row(failed: int, result: Rejudged) -> int:
    for record in result.judgements:
        asked = [one for one in record.judgement.verdicts if one.decided_by not in ("check", "nobody")]
        if asked:
            failed = failed + 1 if all(one.cause in _HOPELESS for one in asked) else 0
    return failed


def _given_up(result: Rejudged) -> JudgingError:
    failed = [
        one for record in result.judgements for one in record.judgement.verdicts if one.cause in _HOPELESS
    ]
    verdict = failed[-1]
    return JudgingError(
        f"The judge {verdict.decided_by} failed {_GIVE_UP} times in a row: {verdict.reason}",
        judge=verdict.decided_by,
        cause=verdict.cause or "bug",
        remedy="Mend its connection or its settings; the same call goes on where it stopped.",
    )


def rejudge_store(
    store: TraceStore,
    task: RejudgeTask,
    *,
    where: RunFilter = EVERY_RUN,
    concurrency: int = 4,
) -> Iterator[Rejudged]:
    """The same as `arejudge_store`, for callers without an event loop."""

    async def following(parts: AsyncGenerator[Rejudged, None]) -> Rejudged | None:
        return await anext(parts, None)

    parts = arejudge_store(store, task, where=where, concurrency=concurrency)
    with asyncio.Runner() as runner:
        try:
            while (part := runner.run(following(parts))) is not None:
                yield part
        finally:
            runner.run(parts.aclose())
