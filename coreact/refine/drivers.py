"""The two drivers of the loop: one blocks, one awaits. They serve requests and decide nothing.

Whatever a party raises becomes one typed reply that the loop can act on, except LangGraph's control
flow (`GraphBubbleUp`), which passes through. All parties run quietly: tokens of chat models they
call are not the agent's and must not reach its streams.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from langchain_core.runnables import Runnable, RunnableLambda
from langgraph.errors import GraphBubbleUp

from coreact.errors import CoReActError, GenerationError, JudgingError, ModelCallError
from coreact.generate import RubricGenerator, Written
from coreact.host.streams import aquietly, quietly
from coreact.judge.consult import aconsult, consult
from coreact.judge.failure import classify
from coreact.judge.records import Cost
from coreact.judge.runner import Judge
from coreact.refine.diagnosis import Diagnosed, Diagnostician
from coreact.refine.follow_up import Finding, Inquiry, read
from coreact.refine.requests import (
    Diagnose,
    Failed,
    JudgeCriteria,
    LookedInto,
    LookInto,
    Loop,
    Revised,
    Revision,
    RubricWritten,
    WriteRubric,
)
from coreact.rubric import Rubric

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Parties:
    """Who serves the loop's requests. A party that is None is never asked."""

    generator: RubricGenerator | None = None
    judge: Judge | None = None
    diagnostician: Diagnostician | None = None
    investigator: Runnable[Inquiry, Any] | None = None
    reviser: Runnable[Revision, Any] | None = None


def runnable(given: Any) -> Runnable[Any, Any]:
    """A runnable as it is; a function, sync or async, as a runnable."""
    return given if isinstance(given, Runnable) else RunnableLambda(given)


def drive(loop: Loop[T], parties: Parties) -> T:
    """Serve a loop, blocking, until it returns."""
    reply: Any = None
    while True:
        try:
            request = loop.send(reply)
        except StopIteration as done:
            result: T = done.value
            return result
        served = _Served(request, parties)
        if isinstance(request, LookInto):
            reply = served.looked(
                [served.safely(served.look, one) for one in request.inquiries], request.inquiries
            )
        else:
            reply = served.safely(served.call)


async def adrive(loop: Loop[T], parties: Parties) -> T:
    """Serve a loop without blocking the event loop; follow-ups of one round run at once."""
    reply: Any = None
    while True:
        try:
            request = loop.send(reply)
        except StopIteration as done:
            result: T = done.value
            return result
        served = _Served(request, parties)
        if isinstance(request, LookInto):
            found = await asyncio.gather(*(served.asafely(served.alook, one) for one in request.inquiries))
            reply = served.looked(found, request.inquiries)
        else:
            reply = await served.asafely(served.acall)


class _Served:
    """One request and those who can serve it."""

    def __init__(self, request: Any, parties: Parties) -> None:
        self._request = request
        self._parties = parties
        self._started = time.perf_counter()

    # --- the boundary ------------------------------------------------------------------------

    def safely(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return quietly(call, *arguments)
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: see the module's docstring
            return self._failed(error)

    async def asafely(self, call: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        try:
            return await aquietly(call, *arguments)
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: see the module's docstring
            return self._failed(error)

    def _failed(self, error: Exception) -> Failed:
        cost = getattr(error, "cost", None)
        return Failed(
            error=error if isinstance(error, CoReActError) else self._typed(error),
            cost=cost if isinstance(cost, Cost) else Cost(seconds=time.perf_counter() - self._started),
        )

    def _typed(self, error: Exception) -> CoReActError:
        said = f"{type(error).__name__}: {error}."
        if isinstance(self._request, WriteRubric):
            writer = self._of(self._parties.generator).id
            return GenerationError(f"Generator {writer!r} raised {said}", generator=writer)
        if isinstance(self._request, Diagnose):
            judge = self._of(self._parties.diagnostician).id
            return JudgingError(
                f"The diagnosis by {judge!r} raised {said}", judge=judge, cause=classify(error)
            )
        what = "revision" if isinstance(self._request, Revision) else "follow-up"
        return ModelCallError(f"The {what} failed: {said}")

    # --- one colour and the other -------------------------------------------------------------

    def call(self) -> Any:
        request, parties = self._request, self._parties
        if isinstance(request, JudgeCriteria):
            return consult(self._of(parties.judge), request.criteria, request.action, request.state)
        if isinstance(request, WriteRubric):
            return self._written(self._of(parties.generator).write(request.state))
        if isinstance(request, Diagnose):
            return self._diagnosed(self._of(parties.diagnostician).diagnose(request.case))
        return self._revised(self._of(parties.reviser).invoke(request))

    async def acall(self) -> Any:
        request, parties = self._request, self._parties
        if isinstance(request, JudgeCriteria):
            return await aconsult(self._of(parties.judge), request.criteria, request.action, request.state)
        if isinstance(request, WriteRubric):
            return self._written(await self._of(parties.generator).awrite(request.state))
        if isinstance(request, Diagnose):
            return self._diagnosed(await self._of(parties.diagnostician).adiagnose(request.case))
        return self._revised(await self._of(parties.reviser).ainvoke(request))

    def look(self, inquiry: Inquiry) -> Any:
        return self._of(self._parties.investigator).invoke(inquiry)

    async def alook(self, inquiry: Inquiry) -> Any:
        return await self._of(self._parties.investigator).ainvoke(inquiry)

    # --- what came back -----------------------------------------------------------------------

    def looked(self, found: list[Any], inquiries: tuple[Inquiry, ...]) -> LookedInto:
        findings: list[Finding] = []
        cost = Cost()
        for inquiry, one in zip(inquiries, found, strict=True):
            if isinstance(one, Failed):
                finding = Finding(
                    follow_up=inquiry.follow_up, text=str(one.error), answer="unclear", failed=True
                )
                spent = Cost(calls=one.cost.calls)
            else:
                finding, spent = read(inquiry.follow_up, one)
            findings.append(finding)
            cost += spent
        seconds = time.perf_counter() - self._started
        return LookedInto(findings=tuple(findings), cost=cost.model_copy(update={"seconds": seconds}))

    def _written(self, written: Written) -> RubricWritten:
        writer = self._of(self._parties.generator).id
        if not isinstance(written, Written) or not isinstance(written.rubric, Rubric):
            raise GenerationError(
                f"Generator {writer!r} returned {type(written).__name__}, not a rubric.",
                generator=writer,
                remedy="Return coreact.generate.Written(rubric, cost).",
            )
        if written.rubric.scope != "answer":
            raise GenerationError(
                f"Generator {writer!r} wrote a rubric for a {written.rubric.scope}, not for an answer.",
                generator=writer,
                remedy="Give rubrics for answers scope='answer'.",
            )
        return RubricWritten(rubric=written.rubric, writer=writer, cost=self._timed(written.cost))

    def _diagnosed(self, diagnosed: Diagnosed) -> Diagnosed:
        if not isinstance(diagnosed, Diagnosed):
            raise TypeError(f"it returned {type(diagnosed).__name__}, not Diagnosed(diagnosis, cost)")
        return Diagnosed(diagnosed.diagnosis, self._timed(diagnosed.cost))

    def _revised(self, said: Any) -> Revised:
        if isinstance(said, Revised):
            return Revised(answer=said.answer, cost=self._timed(said.cost))
        if not isinstance(said, str):
            raise TypeError(f"it returned {type(said).__name__}, not the text of an answer")
        return Revised(answer=said, cost=self._timed(Cost(calls=1)))

    def _timed(self, cost: Cost) -> Cost:
        if cost.seconds:
            return cost
        return cost.model_copy(update={"seconds": time.perf_counter() - self._started})

    @staticmethod
    def _of(party: T | None) -> T:
        if party is None:
            raise RuntimeError("the loop asked a party that is not there")
        return party
