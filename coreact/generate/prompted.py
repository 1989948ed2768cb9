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
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel

from coreact.generate.generator import NoRubricError, Written
from coreact.generate.prompt import Exemplar, Form, Prompt, step_prompt, step_version
from coreact.generate.reading import READER, Read, let_in, read_reply
from coreact.generate.reply import proposals, reply_for
from coreact.judge.failure import Throttle
from coreact.judge.replies import UnreadableError
from coreact.judge.structured import Asked, Output, ReplyError, StructuredModel
from coreact.rubric import Criterion, Rubric, State
from coreact.rubric.canonical import digest
from coreact.rubric.remarks import Remark


class PromptedGenerator:
    """Asks any LangChain chat model for the criteria of the next action.

    Safe to share between runs, threads and event loops.

    Args:
        model: the chat model. It should not be the judge's.
        form: `records`: JSON by schema, each criterion with its check; `lines`: one criterion a line, as
            Co-ReAct's generators write them; `sheet`: lines that point at what stands on one page.
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
        self.form: Form = form
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
            form=self.form,
            exemplars=self._exemplars(state) if self._exemplars is not None else (),
            observation_chars=self._observation_chars,
            max_chars=self._max_chars,
        )

    def write(self, state: State, *, shown: State | None = None) -> Written:
        """Write the rubric, blocking.

        Args:
            state: the state that the rubric is for.
            shown: the state that the model is shown instead, a control: what it then writes cannot come from
                looking. None: the same.

        Raises:
            NoRubricError: the model failed, or wrote nothing that may guide; it has cost and remarks.
        """
        prompt, reading = self.prompt(shown or state), _Reading(self, state)
        try:
            if self.form != "records":
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
            if self.form != "records":
                lines = await self._asker.aask_text(prompt.instructions, prompt.material, reading.lines)
                return reading.written(lines)
            reply = reply_for(state)
            asked = await self._asker.aask(prompt.instructions, prompt.material, reply, check=reading.record)
            return reading.written(asked)
        except ReplyError as error:
            raise reading.failure(error) from error

    def secrets(self, state: State) -> Sequence[str]:
        """Texts that no criterion of this state may hold."""
        return self._secrets(state) if self._secrets is not None else ()


class _Reading:
    """Replies being read: what was let in of the last one, and all that was remarked."""

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
        problem = self._keep(
            read_reply(
                text,
                self._state,
                form=self._generator.form,
                source=self._generator.id,
                secrets=self._generator.secrets(self._state),
            )
        )
        if problem is not None:
            raise UnreadableError(problem)

    def record(self, reply: BaseModel) -> str | None:
        """Read criteria in the record form; says what is wrong with them, or None."""
        drafts = proposals(reply)
        secrets = self._generator.secrets(self._state)
        return self._keep(let_in(drafts, self._state, source=self._generator.id, secrets=secrets))

    def _keep(self, read: Read) -> str | None:
        self._remarks.extend(read.remarks)
        self._criteria = read.criteria
        return read.problem

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
