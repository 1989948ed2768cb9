"""The two drivers of the loop: one blocks, one awaits. They serve requests and decide nothing.

A boundary sits here: whatever a generator raises becomes one typed error that the loop can act on,
except LangGraph's control flow (`GraphBubbleUp`: interrupts, commands to a parent), which passes
through untouched, and anything that is no `Exception` (Ctrl-C). That of judges is `consult`. Generators
and judges run quietly: tokens of chat models they call are not the agent's and must not reach its streams.
With a tape, generators and judges are noted on it, or answered from it; those that are code alone are not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from langgraph.errors import GraphBubbleUp

from coreact.errors import CoReActError, GenerationError
from coreact.generate import HeuristicGenerator, RubricGenerator, Written
from coreact.generate.contracts import ContractGenerator
from coreact.generate.generator import NoRubricError
from coreact.guide.loop import Decision, Loop
from coreact.guide.requests import (
    Announce,
    CallModel,
    Failed,
    JudgeCriteria,
    Judged,
    Proposal,
    RubricWritten,
    Together,
    WriteRubric,
)
from coreact.guide.tape import Tape
from coreact.host.streams import aquietly, quietly
from coreact.judge import Bench, Cost, Judge
from coreact.judge.consult import aconsult, consult
from coreact.judge.failure import classify
from coreact.rubric import Action, Rubric

CallSync = Callable[[CallModel], tuple[Proposal | Failed, ...]]
CallAsync = Callable[[CallModel], Awaitable[tuple[Proposal | Failed, ...]]]
Watch = Callable[[Announce], None]
Ahead = Callable[[Action], None]
"""Told of an action that a judge is about to be asked about, before it is asked."""

HEURISTIC = HeuristicGenerator()
"""The generator that is used where none is given, and as a fallback."""

_CODE = (HeuristicGenerator, ContractGenerator)
"""Generators that write the same rubric in the same state for ever: they are run again, not recorded."""


def drive(
    loop: Loop,
    *,
    generator: RubricGenerator,
    judge: Judge | None,
    call_model: CallSync,
    watch: Watch,
    tape: Tape | None = None,
    ahead: Ahead | None = None,
) -> Decision:
    """Serve a loop, blocking, until it returns its decision.

    Args:
        loop: from `decide`.
        generator: writes rubrics.
        judge: decides what no check decides, or None.
        call_model: makes the agent's own model calls; what it raises passes through.
        watch: is told what happens.
        tape: notes what is called, or answers it from a record; None: neither.
        ahead: told of each action that a judge is about to be asked about.

    Raises:
        ReplayDivergenceError: the tape answers from a record, and the record does not say.
    """
    reply: Any = None
    while True:
        try:
            request = loop.send(reply)
        except StopIteration as done:
            decision: Decision = done.value
            return decision
        if isinstance(request, WriteRubric):
            reply = _write(request, generator, tape)
        elif isinstance(request, Together):
            reply = _both(request, generator, tape, call_model)
        elif isinstance(request, JudgeCriteria):
            reply = tape.judged(request) if tape is not None else None
            asked = _seated(judge, request)
            if reply is None:
                if ahead is not None:
                    ahead(request.action)
                ruling = quietly(consult, asked, request.criteria, request.action, request.state)
                reply = Judged(verdicts=ruling.verdicts, cost=ruling.cost)
            if tape is not None:
                tape.note_judged(request, asked, reply)
        elif isinstance(request, CallModel):
            reply = call_model(request)
        elif isinstance(request, Announce):
            watch(request)
            reply = None


async def adrive(
    loop: Loop,
    *,
    generator: RubricGenerator,
    judge: Judge | None,
    call_model: CallAsync,
    watch: Watch,
    tape: Tape | None = None,
    ahead: Ahead | None = None,
) -> Decision:
    """Serve a loop without blocking the event loop; otherwise as `drive`."""
    reply: Any = None
    while True:
        try:
            request = loop.send(reply)
        except StopIteration as done:
            decision: Decision = done.value
            return decision
        if isinstance(request, WriteRubric):
            reply = await _awrite(request, generator, tape)
        elif isinstance(request, Together):
            reply = await _aboth(request, generator, tape, call_model)
        elif isinstance(request, JudgeCriteria):
            reply = tape.judged(request) if tape is not None else None
            asked = _seated(judge, request)
            if reply is None:
                if ahead is not None:
                    ahead(request.action)
                ruling = await aquietly(aconsult, asked, request.criteria, request.action, request.state)
                reply = Judged(verdicts=ruling.verdicts, cost=ruling.cost)
            if tape is not None:
                tape.note_judged(request, asked, reply)
        elif isinstance(request, CallModel):
            reply = await call_model(request)
        elif isinstance(request, Announce):
            watch(request)
            reply = None


def _writer(
    request: WriteRubric, generator: RubricGenerator, tape: Tape | None
) -> tuple[RubricGenerator, Tape | None]:
    writer = generator if request.writer == "generator" else HEURISTIC
    return writer, None if isinstance(writer, _CODE) else tape


def _write(request: WriteRubric, generator: RubricGenerator, tape: Tape | None) -> RubricWritten | Failed:
    writer, taped = _writer(request, generator, tape)
    reply = taped.written(request.state) if taped is not None else None
    if reply is None:
        started = time.perf_counter()
        try:
            if writer is HEURISTIC:  # it calls no model
                reply = _written(writer.write(request.state), writer, started)
            else:
                reply = _written(quietly(writer.write, request.state), writer, started)
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: see the module's docstring
            reply = _generation_failed(error, writer, started)
    if taped is not None:
        taped.note_written(request.state, writer, reply)
    return reply


async def _awrite(
    request: WriteRubric, generator: RubricGenerator, tape: Tape | None
) -> RubricWritten | Failed:
    writer, taped = _writer(request, generator, tape)
    reply = taped.written(request.state) if taped is not None else None
    if reply is None:
        started = time.perf_counter()
        try:
            if writer is HEURISTIC:  # it calls no model
                reply = _written(await writer.awrite(request.state), writer, started)
            else:
                reply = _written(await aquietly(writer.awrite, request.state), writer, started)
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: see the module's docstring
            reply = _generation_failed(error, writer, started)
    if taped is not None:
        taped.note_written(request.state, writer, reply)
    return reply


def _waits(generator: RubricGenerator, tape: Tape | None) -> bool:
    """Whether something can be done while it writes: code is done at once, and a replay keeps its order."""
    return not isinstance(generator, _CODE) and (tape is None or tape.answers is None)


def _both(
    request: Together, generator: RubricGenerator, tape: Tape | None, call_model: CallSync
) -> tuple[RubricWritten | Failed, tuple[Proposal | Failed, ...]]:
    if not _waits(generator, tape):
        return _write(request.write, generator, tape), call_model(request.call)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(copy_context().run, _write, request.write, generator, tape)
        proposals = call_model(request.call)
        return writing.result(), proposals


async def _aboth(
    request: Together, generator: RubricGenerator, tape: Tape | None, call_model: CallAsync
) -> tuple[RubricWritten | Failed, tuple[Proposal | Failed, ...]]:
    if not _waits(generator, tape):
        return await _awrite(request.write, generator, tape), await call_model(request.call)
    writing = asyncio.ensure_future(_awrite(request.write, generator, tape))
    try:
        proposals = await call_model(request.call)
        return await writing, proposals
    finally:
        writing.cancel()


def _written(written: Written, writer: RubricGenerator, started: float) -> RubricWritten:
    if not isinstance(written, Written) or not isinstance(written.rubric, Rubric):
        raise GenerationError(
            f"Generator {writer.id!r} returned {type(written).__name__}, not a rubric.",
            generator=writer.id,
            remedy="Return coreact.generate.Written(rubric, cost).",
        )
    return RubricWritten(
        rubric=written.rubric,
        generator=writer.id,
        cost=_timed(written.cost, started),
        remarks=written.remarks,
    )


def _generation_failed(error: Exception, writer: RubricGenerator, started: float) -> Failed:
    if isinstance(error, NoRubricError):
        return Failed(error=error, cost=_timed(error.cost, started), remarks=error.remarks)
    typed = error if isinstance(error, CoReActError) else None
    return Failed(
        error=typed
        or GenerationError(
            f"Generator {writer.id!r} raised {type(error).__name__}: {error}.",
            generator=writer.id,
            cause=classify(error),
        ),
        cost=_timed(Cost(), started),
    )


def _seated(judge: Judge | None, request: JudgeCriteria) -> Judge:
    """The judge to ask: below the top rung of the ladder the first member of a panel, alone."""
    if judge is None:
        raise ValueError("the loop asks a judge, and there is none")
    if request.rung == "judge" and isinstance(judge, Bench):
        return judge.judges[0]
    return judge


def _timed(cost: Cost, started: float) -> Cost:
    return cost if cost.seconds else cost.model_copy(update={"seconds": time.perf_counter() - started})
