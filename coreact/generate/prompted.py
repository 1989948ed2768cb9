"""A chat model writes the criteria of the next action.

The model is asked with the prompt of `prompt`, its reply is read strictly, and what it wrote comes in
through `admission`. A prose criterion whose sentence code can read becomes a check (`compiling`), so that
as little as possible is left to a judge. A reply that holds no criterion is asked for once more with the
complaint; then a typed error ends it, and the loop's fallback guides the step.

What is written here is advice of an untrained writer. Published figures have such rubrics make agents
worse than none (Co-ReAct, arXiv 2605.23590: 72.44 against 72.76), so put `GatedGenerator` around it
unless you measured it. From the paper: three to five weighted criteria for one next action, a phase hint,
the line form. Different here: the first step has a rubric as well, any tool set, checks, no deletion of
what follows a tag, and a failure is an error instead of an empty text.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel

from coreact.errors import RubricParseError
from coreact.generate.admission import Admitted, Proposed, admitted
from coreact.generate.compiling import compiled
from coreact.generate.generator import NoRubricError, Written
from coreact.generate.prompt import EXAMPLE_NAMES, Exemplar, Form, Prompt, step_prompt, step_version
from coreact.generate.reply import proposals, reply_for
from coreact.judge.failure import Throttle
from coreact.judge.replies import UnreadableError
from coreact.judge.structured import Asked, Output, ReplyError, StructuredModel
from coreact.rubric import Criterion, Rubric, State
from coreact.rubric.canonical import digest
from coreact.rubric.remarks import Problem, Remark
from coreact.rubric.text import NO_CRITERION, TOO_MANY, parse_rubric

_READ_CHARS = 16_000
_READ_LINES = 200
_BAD_LINES = 20  # after so many a reply is no rubric with flaws, and each costs reading it again
_MARK = re.compile(r"\s{0,8}(?:\d{1,3}[.)]|[-*•])\s{1,8}")

READER = 1
"""Version of how replies are read, part of a generator's version."""


class PromptedGenerator:
    """Asks any LangChain chat model for the criteria of the next action.

    Safe to share between runs, threads and event loops.

    Args:
        model: the chat model. It should not be the judge's.
        form: `records`: JSON by schema, each criterion with its check; `lines`: one criterion a line, as
            Co-ReAct's generators write them.
        exemplars: rubrics of similar questions for a state, such as a bank's; None: none.
        secrets: texts for a state that no criterion may hold, such as the gold answer in training.
        observation_chars: most characters of one observation.
        max_chars: characters of the trajectory from which on its oldest observations are shortened.
        output, attempts, timeout, throttle: see `StructuredModel`.
    """

    def __init__(
        self,
        model: BaseChatModel,
        *,
        form: Form = "records",
        exemplars: Callable[[State], Sequence[Exemplar]] | None = None,
        secrets: Callable[[State], Sequence[str]] | None = None,
        observation_chars: int = 1_200,
        max_chars: int = 12_000,
        output: Output = "auto",
        attempts: int = 3,
        timeout: float | None = 120.0,
        throttle: Throttle | None = None,
    ) -> None:
        self._asker = StructuredModel(
            model, output=output, attempts=attempts, timeout=timeout, throttle=throttle
        )
        self._form: Form = form
        self._exemplars = exemplars
        self._secrets = secrets
        self._observation_chars = observation_chars
        self._max_chars = max_chars
        self.version = digest(
            {
                "prompt": step_version(form),
                "reader": READER,
                "model": self._asker.identity,
                "settings": [form, observation_chars, max_chars],
            }
        )
        """Hash of prompt, reader, model, sampling and settings; exemplars are not part of it."""
        self.id = f"prompted:{self._asker.name}@{self.version.rsplit(':', 1)[-1][:8]}"

    @property
    def model_name(self) -> str:
        """The model's name, as its provider knows it."""
        return self._asker.name

    def prompt(self, state: State) -> Prompt:
        """What the model is asked in this state."""
        return step_prompt(
            state,
            form=self._form,
            exemplars=self._exemplars(state) if self._exemplars is not None else (),
            observation_chars=self._observation_chars,
            max_chars=self._max_chars,
        )

    def write(self, state: State) -> Written:
        """Write the rubric, blocking.

        Raises:
            NoRubricError: the model failed, or wrote nothing that may guide; it has cost and remarks.
        """
        prompt, reading = self.prompt(state), _Reading(self, state)
        try:
            if self._form == "lines":
                lines = self._asker.ask_text(prompt.instructions, prompt.material, reading.lines)
                return reading.written(lines)
            reply = reply_for(state)
            asked = self._asker.ask(prompt.instructions, prompt.material, reply, check=reading.record)
            return reading.written(asked)
        except ReplyError as error:
            raise reading.failure(error) from error

    async def awrite(self, state: State) -> Written:
        """The same, without blocking the event loop."""
        # In a thread: exemplars may come from a file or a model.
        prompt, reading = await asyncio.to_thread(self.prompt, state), _Reading(self, state)
        try:
            if self._form == "lines":
                lines = await self._asker.aask_text(prompt.instructions, prompt.material, reading.lines)
                return reading.written(lines)
            reply = reply_for(state)
            asked = await self._asker.aask(prompt.instructions, prompt.material, reply, check=reading.record)
            return reading.written(asked)
        except ReplyError as error:
            raise reading.failure(error) from error

    def admit(self, drafts: Sequence[Proposed], state: State) -> Admitted:
        """What of these proposals may guide in this state."""
        secrets = self._secrets(state) if self._secrets is not None else ()
        copied = [name for name in EXAMPLE_NAMES if not state.knows(name)]
        return admitted(drafts, source=self.id, state=state, secrets=(*secrets, *copied))


class _Reading:
    """One reply being read: what was let in of the last one, and all that was remarked."""

    def __init__(self, generator: PromptedGenerator, state: State) -> None:
        self._generator = generator
        self._state = state
        self._criteria: tuple[Criterion, ...] = ()
        self._remarks: list[Remark] = []

    def lines(self, text: str) -> None:
        """Read criteria in the line form.

        Raises:
            UnreadableError: it holds none, or none that may guide.
        """
        problem = self._let_in(self._readable(text))
        if problem is not None:
            raise UnreadableError(problem)

    def _readable(self, text: str) -> list[Proposed]:
        """The criteria in a text; a line that is none costs that line, and the remark says why."""
        lines = self._weighted(text[:_READ_CHARS].splitlines()[:_READ_LINES])
        for _ in range(_BAD_LINES):
            try:
                return [Proposed(one.text, one.weight) for one in parse_rubric("\n".join(lines))]
            except RubricParseError as error:
                at = (error.line or 1) - 1
                if error.reason == NO_CRITERION or at >= len(lines):
                    self._remarks.append(Remark(deed="refused", reason=error.reason, problem="unreadable"))
                    raise UnreadableError("it is not a list of lines like `1. [0.4] criterion`") from error
                if error.reason == TOO_MANY:
                    self._remarks.append(Remark(deed="dropped", reason=error.reason, problem="too_many"))
                    lines = lines[:at]
                    continue
                problem: Problem = "weight" if "weight" in error.reason else "unreadable"
                self._remarks.append(Remark.about(lines[at], "dropped", error.reason, problem))
                del lines[at]
        reason = f"more than {_BAD_LINES} lines of it cannot be read"
        self._remarks.append(Remark(deed="refused", reason=reason, problem="unreadable"))
        raise UnreadableError("most of its lines are not like `1. [0.4] criterion`")

    def _weighted(self, lines: list[str]) -> list[str]:
        """The lines as they are; where a list has no weight at all, its items weigh alike."""
        marks = [_MARK.match(line) for line in lines]
        items = [line[mark.end() :] for line, mark in zip(lines, marks, strict=True) if mark]
        if not items or any(item.startswith(("[", "【", "［", "*", "_")) for item in items):
            return lines
        reason = f"{len(items)} criteria without weights: all weigh alike"
        self._remarks.append(Remark(deed="repaired", reason=reason, problem="weight"))
        return [
            f"{line[: mark.end()]}[1] {line[mark.end() :]}" if mark else line
            for line, mark in zip(lines, marks, strict=True)
        ]

    def record(self, reply: BaseModel) -> str | None:
        """Read criteria in the record form; says what is wrong with them, or None."""
        return self._let_in(proposals(reply))

    def _let_in(self, drafts: Sequence[Proposed]) -> str | None:
        found = self._generator.admit(drafts, self._state)
        self._remarks.extend(found.remarks)
        self._criteria = tuple(self._compiled(one) for one in found.criteria)
        if self._criteria:
            return None
        if not drafts:
            return "it holds no criterion"
        # Our words for what is wrong, never the model's own text.
        problems = sorted({one.problem for one in found.remarks if one.problem})
        return f"none of its criteria can be used ({', '.join(problems)})"

    def _compiled(self, criterion: Criterion) -> Criterion:
        if criterion.check is not None:
            return criterion
        read = compiled(criterion, self._state)
        if read.check is not None:
            reason = f"decided by code: {read.check.kind}"
            self._remarks.append(Remark.about(criterion.text, "compiled", reason))
        return read

    def written(self, asked: Asked[Any]) -> Written:
        """The rubric of what was read."""
        return Written(Rubric(criteria=self._criteria), asked.cost, tuple(self._remarks))

    def failure(self, error: ReplyError) -> NoRubricError:
        """The typed error for a reply that held no rubric."""
        return NoRubricError(
            f"No rubric from {self._generator.id}: {error.what}",
            generator=self._generator.id,
            cause=error.cause,
            cost=error.cost,
            remarks=self._remarks,
        )
