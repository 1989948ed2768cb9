"""From what a model wrote about a contrast to a rubric: the steps that all contrastive writers share.

Each criterion is first tested for what only a writer that saw candidates can get wrong (`nuisance`), then
let in like any other (`admission`), then compiled to a check where code can read its sentence. What was done
to each is remarked. A reply of which nothing is left is complained about once, then a typed error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict

from coreact.errors import Cause
from coreact.generate.admission import Proposed, admitted
from coreact.generate.compiling import compiled
from coreact.generate.contrastive.contrast import Contrast, Side
from coreact.generate.contrastive.nuisance import nuisance
from coreact.generate.generator import NoRubricError, Written
from coreact.generate.prompt import BUILDER, template
from coreact.judge.asking import Request
from coreact.judge.records import Cost
from coreact.judge.structured import ReplyError, StructuredModel
from coreact.judge.transcript import UNTRUSTED, Section, fenced, told
from coreact.rubric import Criterion, CriterionKind, Rubric, State
from coreact.rubric.canonical import digest
from coreact.rubric.remarks import Problem, Remark

READER = 1
"""Version of how replies are read, part of a writer's id."""

T = TypeVar("T", bound=BaseModel)


class Reply(BaseModel):
    """Base of the records that models write here: no field too many."""

    model_config = ConfigDict(extra="forbid")


@runtime_checkable
class ContrastiveGenerator(Protocol):
    """Writes criteria from two actions of which one is known to be better.

    Raises `NoRubricError` where none come of it.
    """

    id: str
    """Name and version, stored with every criterion."""

    def write(self, contrast: Contrast) -> Written:
        """Write the criteria that the difference calls for."""

    async def awrite(self, contrast: Contrast) -> Written:
        """The same, without blocking the event loop."""


class Draft(NamedTuple):
    """One criterion as a reply has it, and what is known of it."""

    proposed: Proposed
    unsupported: str = ""
    """Why it rests on nothing; empty: it does."""


class Reading:
    """What comes of one piece of writing: the criteria let in, all remarks, and what was spent."""

    def __init__(self, source: str, state: State, compared: Sequence[Side], *, most: int) -> None:
        self.source = source
        self.remarks: list[Remark] = []
        self.spent = Cost()
        self._state = state
        self._compared = compared
        self._most = most
        self._criteria: tuple[Criterion, ...] = ()
        # A principle outlives the pair, so it names what the task names. A criterion of process is for
        # this one decision and may name what was observed. A hard rule may name anything.
        self._sources: dict[CriterionKind, tuple[str, ...]] = {
            "principle": (state.question, *state.given),
            "process": tuple(section.text for section in told(state)),
        }

    def let_in(self, drafts: Sequence[Draft]) -> str | None:
        """Let in what may be used; says what is wrong where nothing may, or None."""
        fit: list[Proposed] = []
        problems: set[Problem] = set()
        for draft in drafts:
            text, sources = draft.proposed.text, self._sources.get(draft.proposed.kind)
            bad = nuisance(text, compared=self._compared, state=self._state, sources=sources)
            if bad is not None:
                self.drop(text, bad.reason, bad.problem)
                problems.add(bad.problem)
            elif draft.unsupported:
                self.drop(text, draft.unsupported, "unsupported")
                problems.add("unsupported")
            else:
                fit.append(draft.proposed)
        found = admitted(fit, source=self.source, state=self._state, most=self._most)
        self.remarks.extend(found.remarks)
        problems.update(one.problem for one in found.remarks if one.problem is not None)
        self._criteria = tuple(map(self._compiled, found.criteria))
        if self._criteria:
            return None
        # Our words for what is wrong, never the model's own text.
        return f"none of its criteria can be used ({', '.join(sorted(problems)) or 'there are none'})"

    def drop(self, text: str, reason: str, problem: Problem) -> None:
        """Remark that something was left out."""
        self.remarks.append(Remark.about(text, "dropped", reason, problem))

    def _compiled(self, criterion: Criterion) -> Criterion:
        if criterion.check is not None:
            return criterion
        read = compiled(criterion, self._state)
        if read.check is not None:
            self.remarks.append(Remark.about(criterion.text, "compiled", "code decides it"))
        return read

    def written(self) -> Written:
        """The rubric of the criteria that were let in."""
        return Written(Rubric(criteria=self._criteria), self.spent, tuple(self.remarks))

    def failure(self, what: str, cause: Cause) -> NoRubricError:
        """The typed error where no rubric came of it."""
        return NoRubricError(
            f"No rubric from {self.source}: {what}",
            generator=self.source,
            cause=cause,
            cost=self.spent,
            remarks=self.remarks,
        )

    def broken(self, error: ReplyError) -> NoRubricError:
        """The typed error for a reply that could not be used."""
        self.spent += error.cost
        return self.failure(error.what, error.cause)


def question(
    model: StructuredModel,
    name: str,
    sections: Sequence[Section],
    task: str,
    reply: type[T],
    check: Callable[[T], str | None] | None = None,
) -> Request:
    """Ask a model by the template `name`: fenced sections, then the task, which is trusted text."""
    instructions = f"{template(name).text}\n\n{UNTRUSTED}"
    material = f"{fenced(sections)}\n\n{task}"
    return Request(
        lambda: model.ask(instructions, material, reply, check=check),
        lambda: model.aask(instructions, material, reply, check=check),
    )


def identified(name: str, model: StructuredModel, templates: Sequence[str], settings: Any = None) -> str:
    """The id of a writer: its name, its model, and a hash of all that its rubrics depend on."""
    version = digest(
        {
            "templates": [template(one).version for one in templates],
            "builder": BUILDER,
            "reader": READER,
            "fences": UNTRUSTED,
            "model": model.identity,
            "settings": settings,
        }
    )
    return f"{name}:{model.name}@{version.rsplit(':', 1)[-1][:8]}"
