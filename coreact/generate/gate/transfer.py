"""Whether a rubric carries its meaning by itself: Proxy-GRM's transfer reward (arXiv 2603.16600).

A rubric that only its writer's judge can use is worth nothing to anyone else. So an independent, light
reader is given the rubric and two candidates and nothing of the state, and has to say which is better. What
differs from the paper: the reader's accuracy without the rubric is subtracted, since a reader strong enough
to tell by itself would make any rubric look good; each pair is shown in both orders; a reader that fails
abstains. A rubric that smuggles the verdict would transfer best of all: text from a justification on is cut,
and a rubric that speaks of a candidate or of the label is refused unread.

The plainest reader only runs the rubric's checks. Training a reader is not done here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from random import Random
from statistics import fmean
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel, ConfigDict

from coreact.generate.gate.labelled import better_first
from coreact.generate.gate.results import ROUNDING, Examined, GateResult, Thresholds, untested
from coreact.generate.prompt import template
from coreact.judge.asking import Asking, Request, aserve, serve
from coreact.judge.ordering import judging, standing
from coreact.judge.records import Cost
from coreact.judge.structured import Asked, StructuredModel
from coreact.judge.transcript import UNTRUSTED, Section, fenced
from coreact.rubric import Action, Rubric, render_rubric
from coreact.rubric.branching import BranchingPoint

MOST_PAIRS = 12
"""Most pairs of one branching point that are read: each is read four times by each reader."""

Choice = Literal["first", "second", "tie"]

_JUSTIFICATION = re.compile(
    r"<\s?/?\s?(?:justif|rationale|explanation|reason|think|analysis|eval|answer|verdict)"
    r"|\b(?:justification|rationale|explanation|reasoning|verdict)\s?:",
    re.IGNORECASE,
)
_NAMES_ONE = (
    re.compile(
        r"\b(?i:candidate|response|option|action|assistant|attempt|output)s?\s(?:#\s?)?(?:[A-DW-Z]|\d)\b"
    ),
    re.compile(
        r"\b(?:first|second|third|former|latter|better|worse|best|worst|preferred|rejected|chosen|winning|losing)\s"
        r"(?:candidate|response|option|action|attempt)s?\b",
        re.IGNORECASE,
    ),
    re.compile(r"\b(?:ground truth|gold(?:en)? label|true label|correct label)\b", re.IGNORECASE),
)


class Material(NamedTuple):
    """All that a reader gets to see."""

    rubric: Rubric | None
    """None in the control arm."""
    first: Action
    second: Action
    checked: tuple[float | None, float | None] = (None, None)
    """Where the rubric's checks alone put the two, higher is better; None where no check decides."""


class Reading(NamedTuple):
    """Which of two candidates a reader takes for the better one."""

    choice: Choice
    cost: Cost = Cost()


@runtime_checkable
class Reader(Protocol):
    """Whoever can say which of two candidates is better by a rubric. What it raises is an abstention."""

    id: str
    """Name and version."""

    def read(self, material: Material) -> Reading:
        """Choose; `tie` where nothing speaks for one of them."""

    async def aread(self, material: Material) -> Reading:
        """The same, without blocking the event loop."""


class CheckReader:
    """A reader that only runs the rubric's checks: it asks nobody and knows nothing of its own."""

    id = "checks.1"

    def read(self, material: Material) -> Reading:
        """The candidate that the checks put higher."""
        first, second = material.checked
        if first is None or second is None or abs(first - second) <= ROUNDING:
            return Reading("tie")
        return Reading("first" if first > second else "second")

    async def aread(self, material: Material) -> Reading:
        """The same; there is nothing to wait for."""
        return self.read(material)


class ModelReader:
    """A chat model as a reader: a small one will do, and should not be the one that wrote the rubric."""

    def __init__(self, model: BaseChatModel) -> None:
        self._model = StructuredModel(model)
        self._instructions = f"{template('gate_reader').text}\n\n{UNTRUSTED}"
        self.id = f"reader.{template('gate_reader').version}:{self._model.name}"

    def read(self, material: Material) -> Reading:
        """Ask the model.

        Raises:
            ReplyError: it gave no usable reply.
        """
        return _read(self._model.ask(self._instructions, shown(material), _Reply))

    async def aread(self, material: Material) -> Reading:
        """The same, without blocking the event loop."""
        return _read(await self._model.aask(self._instructions, shown(material), _Reply))


class _Reply(BaseModel):
    """Which candidate is better."""

    model_config = ConfigDict(extra="forbid")

    reason: str
    choice: Literal["A", "B", "tie"]


_CHOICES: dict[str, Choice] = {"A": "first", "B": "second", "tie": "tie"}


def _read(asked: Asked[_Reply]) -> Reading:
    return Reading(_CHOICES[asked.value.choice], asked.cost)


def shown(material: Material) -> str:
    """What a reading model is shown: the rubric, where there is one, and both candidates, each in a fence."""
    rubric = material.rubric
    sections = [] if rubric is None else [Section("r", "the rubric", render_rubric(rubric), "rubric")]
    sections += [
        Section("a", "candidate A", str(material.first), "first"),
        Section("b", "candidate B", str(material.second), "second"),
    ]
    return fenced(sections)


def transfer(
    rubric: Rubric,
    point: BranchingPoint,
    readers: Sequence[Reader],
    *,
    seed: int = 0,
    thresholds: Thresholds | None = None,
) -> GateResult:
    """Whether independent readers do better with the rubric than without it.

    Args:
        rubric: the rubric to test.
        point: candidates and what they are worth.
        readers: who reads; each reads every pair in both orders, with the rubric and without.
        seed: draws the pairs where there are many, and the order in which they are read.
        thresholds: by how much the accuracy without the rubric must be exceeded.

    Returns:
        `value` is the readers' accuracy with the rubric, in [0, 1], a tie counting half; `threshold` what
        it had to exceed.
    """
    return serve(transferring(rubric, point, readers, seed, thresholds or Thresholds())).result


async def atransfer(
    rubric: Rubric,
    point: BranchingPoint,
    readers: Sequence[Reader],
    *,
    seed: int = 0,
    thresholds: Thresholds | None = None,
) -> GateResult:
    """The same, without blocking the event loop."""
    return (await aserve(transferring(rubric, point, readers, seed, thresholds or Thresholds()))).result


def transferring(
    rubric: Rubric, point: BranchingPoint, readers: Sequence[Reader], seed: int, thresholds: Thresholds
) -> Asking[Examined]:
    """The logic of both, which also says what reading cost."""
    pairs = better_first(point.gains)
    if not pairs or not readers:
        missing = "there is no reader" if pairs else "all candidates are worth the same"
        return Examined(untested("transfer", missing), Cost())
    told = leak(rubric, point.actions)
    shown = without_justification(rubric)
    if told or shown is None:
        reason = f"the rubric tells the verdict: {told or 'it is all justification'}"
        return Examined(GateResult(test="transfer", passed=False, reason=reason, problem="leaking"), Cost())
    checked = standing((yield from judging(shown, point.actions, point.state, None)))
    draw = Random(seed)
    asked = [pair for one in draw.sample(pairs, min(len(pairs), MOST_PAIRS)) for pair in (one, one[::-1])]
    draw.shuffle(asked)
    guided: list[float] = []
    alone: list[float] = []
    abstained = 0
    cost = Cost()
    for reader in readers:
        for at, other in asked:
            first, second = point.actions[at], point.actions[other]
            arms = (
                Material(shown, first, second, (checked[at], checked[other])),
                Material(None, first, second),
            )
            truth: Choice = "first" if point.gains[at] > point.gains[other] else "second"
            marks: list[float] = []
            for material in arms:
                reading = yield from _reading(reader, material)
                if reading is None:
                    break
                cost += reading.cost
                marks.append(0.5 if reading.choice == "tie" else float(reading.choice == truth))
            if len(marks) < len(arms):
                abstained += 1  # what only one arm could read would bias the difference
                continue
            guided.append(marks[0])
            alone.append(marks[1])
    if not guided:
        return Examined(untested("transfer", "every reader abstained"), cost)
    value, control = fmean(guided), fmean(alone)
    passed = value > control + thresholds.transfer + ROUNDING
    result = GateResult(
        test="transfer",
        passed=passed,
        value=value,
        threshold=control + thresholds.transfer,
        reason=f"readers are right in {value:.2f} with the rubric, {control:.2f} without"
        f" ({len(guided)} readings, {abstained} abstained)",
        problem=None if passed else "inconsistent",
    )
    return Examined(result, cost)


def _reading(reader: Reader, material: Material) -> Asking[Reading | None]:
    try:
        reading = yield Request(partial(reader.read, material), partial(reader.aread, material))
    except Exception:  # noqa: BLE001 - a reader may raise anything: it abstains
        return None
    return reading if isinstance(reading, Reading) else None


def without_justification(rubric: Rubric) -> Rubric | None:
    """The rubric with each text cut where a justification begins; None where nothing is left."""
    kept = []
    for criterion in rubric:
        found = _JUSTIFICATION.search(criterion.text)
        text = criterion.text if found is None else criterion.text[: found.start()].strip()
        if text:
            kept.append(criterion.model_copy(update={"text": text}))
    left = {criterion.id for criterion in kept}
    standing_alone = [
        c.model_copy(update={"depends_on": tuple(d for d in c.depends_on if d in left)}) for c in kept
    ]
    if not standing_alone:
        return None
    return Rubric(criteria=tuple(standing_alone), scope=rubric.scope, threshold=rubric.threshold)


def leak(rubric: Rubric, actions: Sequence[Action]) -> str:
    """How the rubric speaks of a candidate or of the label, in a few words; empty where it does not."""
    verbatim = [str(action) for action in actions]
    for criterion in rubric:
        for pattern in _NAMES_ONE:
            if (found := pattern.search(criterion.text)) is not None:
                return f'criterion {criterion.id!r} says "{found.group()}"'
        if any(action in criterion.text for action in verbatim):
            return f"criterion {criterion.id!r} holds a candidate word for word"
    return ""
