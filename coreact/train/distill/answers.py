"""A teacher's answers, asked for once, before training, and read from a file from then on.

A teacher may be slow, dear or behind a quota, and a training run that stops with it is lost. So its answers
are collected prompt by prompt into a journal, which a later call goes on with; training gets an `AnswerBook`,
which holds texts and no model, and so cannot ask anybody.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.messages.utils import convert_to_messages
from langgraph.errors import GraphBubbleUp
from pydantic import Field

from coreact.errors import ConfigError
from coreact.judge.failure import Throttle, aretrying, classify
from coreact.judge.structured import identity
from coreact.rubric import Record
from coreact.rubric.canonical import digest
from coreact.trace.journal import Journal

Messages = Sequence[Mapping[str, Any]]


class TeacherAnswers(Record):
    """What a teacher answered to one prompt."""

    prompt: str
    """Digest of the prompt's messages."""
    teacher: str
    """Name of the model and hash of its settings."""
    answers: tuple[str, ...] = Field(min_length=1)


class Collected(NamedTuple):
    """What came of asking a teacher."""

    asked: int
    """Prompts that were asked now."""
    known: int
    """Prompts that were answered before, and not asked again."""
    left_out: Counter[str]
    """Prompts without answers, by cause (`transport`, `refusal`, …), `empty` where nothing was said."""


def prompt_key(prompt: Messages) -> str:
    """Digest of a prompt's messages, by which its answers are found."""
    return digest([dict(message) for message in prompt])


class AnswerBook:
    """A teacher's answers by prompt. It holds no model.

    Args:
        answers: the answers.

    Raises:
        ConfigError: there are none, or they are of several teachers.
    """

    def __init__(self, answers: Iterable[TeacherAnswers]) -> None:
        found = list(answers)
        teachers = sorted({one.teacher for one in found})
        if not teachers:
            raise ConfigError(
                "There are no answers of a teacher.", remedy="Collect them first: `collect_answers`."
            )
        if len(teachers) > 1:
            raise ConfigError(
                f"Answers of {len(teachers)} teachers cannot be distilled together: {', '.join(teachers)}.",
                remedy="Collect the answers of one teacher into a file of their own.",
            )
        self.teacher = teachers[0]
        self._answers = {one.prompt: one.answers for one in found}

    @classmethod
    def read(cls, path: Path) -> AnswerBook:
        """The answers in a file that `collect_answers` wrote.

        Raises:
            ConfigError: there are none, or they are of several teachers.
            LabelFileError: the file cannot be used.
        """
        return cls(Journal(path, TeacherAnswers).records)

    def __contains__(self, prompt: Messages) -> bool:
        return prompt_key(prompt) in self._answers

    def of(self, prompt: Messages) -> tuple[str, ...]:
        """The answers to a prompt.

        Raises:
            ConfigError: the teacher was not asked. It is not asked now.
        """
        found = self._answers.get(prompt_key(prompt))
        if found is None:
            raise ConfigError(
                f"{self.teacher} has no answer to one of the prompts.",
                remedy="Collect its answers before training, or leave out rows that it did not answer.",
            )
        return found


async def collect_answers(
    prompts: Iterable[Messages],
    teacher: BaseChatModel,
    path: Path,
    *,
    n: int = 4,
    attempts: int = 3,
    seconds: float | None = 120.0,
    throttle: Throttle | None = None,
) -> Collected:
    """Ask a teacher each prompt `n` times and write each prompt's answers as they come.

    A prompt of which not all answers came is left out and asked again by the next call; a prompt that stands
    in the file is not asked. What is in the file is complete at any time.

    Args:
        prompts: chat messages each.
        teacher: the model; its temperature should be above 0 where n is above 1.
        path: a file of JSON lines, made where there is none.
        n: answers to each prompt (ROPD has 4).
        attempts: tries of one call where the connection or a rate limit fails.
        seconds: how long one try may take; None waits for ever.
        throttle: how many calls run at once; None: eight.

    Raises:
        ConfigError: n is below 1, or the file holds the answers of another teacher.
        LabelFileError: the file cannot be used.
    """
    if n < 1:
        raise ConfigError(f"n={n} answers teach nothing.", remedy="Ask for 1 or more.")
    named = identity(teacher)
    name = f"{named.get('model') or type(teacher).__name__}@{digest(named).rsplit(':', 1)[-1][:8]}"
    journal = Journal(path, TeacherAnswers)
    others = {one.teacher for one in journal.records} - {name}
    if others:
        raise ConfigError(
            f"{path} holds answers of {', '.join(sorted(others))}, not of {name}.",
            remedy="Give another file, or the teacher and settings it was begun with.",
        )
    limit = throttle or Throttle()
    waiting: dict[str, list[BaseMessage]] = {}
    done = {one.prompt for one in journal.records}
    known = 0
    for prompt in prompts:
        key = prompt_key(prompt)
        known += key in done
        if key not in done:
            waiting.setdefault(key, convert_to_messages([dict(message) for message in prompt]))
    left_out: Counter[str] = Counter()

    async def ask(messages: list[BaseMessage]) -> str:
        async for attempt in aretrying(attempts):
            with attempt:
                async with limit.aslot(), asyncio.timeout(seconds):
                    reply = await teacher.ainvoke(messages)
        return str(reply.text).strip()

    async def answer(key: str, messages: list[BaseMessage]) -> None:
        found = await asyncio.gather(*(ask(messages) for _ in range(n)), return_exceptions=True)
        failed = [one for one in found if isinstance(one, BaseException)]
        for error in failed:
            if isinstance(error, GraphBubbleUp) or not isinstance(error, Exception):
                raise error
        texts = [one for one in found if isinstance(one, str) and one]
        if failed:
            left_out[classify(failed[0])] += 1
        elif len(texts) < n:
            left_out["empty"] += 1
        else:
            journal.add(TeacherAnswers(prompt=key, teacher=name, answers=tuple(texts)))

    pairs = list(waiting.items())
    block = 4 * limit.concurrency  # so that a long list does not become as many tasks at once
    for at in range(0, len(pairs), block):
        await asyncio.gather(*(answer(key, messages) for key, messages in pairs[at : at + block]))
    return Collected(len(pairs), known, left_out)
