"""A model that is asked elsewhere: its prompts as a file, and its replies read back.

Some models are reached in batches only, or not from this machine. `requests` writes what the untrained
writer would ask at each branching point; whoever can ask, does; `RepliedModel` then answers each of these
prompts with the reply that came back, and the writer reads it as it would any other. A prompt without a
reply is a failure of the model, never an empty reply.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import ConfigDict, ValidationError

from coreact.generate.prompt import Form, step_prompt
from coreact.rubric import Record
from coreact.rubric.branching import BranchingPoint
from coreact.trace.lines import json_lines, read_bytes


class Reply(Record):
    """What a model replied at one branching point."""

    id: str
    """Id of the point."""
    reply: str


class RepliedModel(BaseChatModel):
    """Answers prompts with the replies that are there for them."""

    model_config = ConfigDict(frozen=False)

    model: str
    """Name of the model that replied."""
    by_prompt: dict[str, str]
    """Prompt (the message after the instructions) -> reply."""

    @property
    def _llm_type(self) -> str:
        return "replied"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        reply = self.by_prompt.get(str(messages[-1].text))
        if reply is None:
            raise LookupError("there is no reply to this prompt")
        return ChatResult(generations=[ChatGeneration(message=AIMessage(reply))])


def requests(points: Iterable[BranchingPoint], form: Form) -> Iterable[str]:
    """One JSON line for each point: its `id`, and the `instructions` and `material` to ask with."""
    for point in points:
        prompt = step_prompt(point.state, form=form)
        yield json.dumps(
            {"id": point.id, "instructions": prompt.instructions, "material": prompt.material},
            ensure_ascii=False,
        )


def read_replies(path: Path) -> dict[str, str]:
    """The replies in a JSON lines file of `id` and `reply`, by point.

    Raises:
        LabelFileError: it cannot be read, or a line is no reply.
    """
    found: dict[str, str] = {}
    for line in json_lines(path, read_bytes(path)):
        try:
            read = Reply.model_validate(line.fields)
        except ValidationError as failure:
            raise line.misfit(failure) from failure
        found[read.id] = read.reply
    return found


def replied_model(
    name: str, points: Sequence[BranchingPoint], replies: dict[str, str], form: Form
) -> RepliedModel:
    """The model that gave these replies at these points; points without a reply are left out."""
    return RepliedModel(
        model=name,
        by_prompt={
            step_prompt(point.state, form=form).material: replies[point.id]
            for point in points
            if point.id in replies
        },
    )
