"""Prompts of a run are kept as growth; a step that is decided again begins anew."""

from __future__ import annotations

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from coreact.guide.prompts import Prompts
from coreact.host.messages import message_json
from coreact.trace.calls import prompt_keys

FIRST: list[BaseMessage] = [HumanMessage("a")]
SECOND: list[BaseMessage] = [*FIRST, AIMessage("b"), HumanMessage("c")]


def whole(prompt: list[BaseMessage]) -> str:
    return prompt_keys(message_json(message) for message in prompt)[-1]


def test_only_what_is_new_is_written_and_the_key_is_that_of_the_whole() -> None:
    prompts = Prompts()
    for step, (prompt, kept) in enumerate(((FIRST, 0), (SECOND, 1), (SECOND, 3), ([HumanMessage("z")], 0))):
        grown = prompts.grow(prompt, step=step)
        assert grown.kept == kept
        assert grown.added == tuple(message_json(message) for message in prompt[kept:])
        assert grown.key == whole(prompt)
        prompts.keep(grown)


def test_a_look_keeps_nothing() -> None:
    prompts = Prompts()
    prompts.grow(FIRST, step=0)
    assert prompts.grow(SECOND, step=0).kept == 0


def test_a_step_decided_again_is_written_whole() -> None:
    """What is stored of the step before is not what is in memory: that is this very step."""
    prompts = Prompts()
    for step, prompt in enumerate((FIRST, SECOND)):
        prompts.keep(prompts.grow(prompt, step=step))
    again = prompts.grow(SECOND, step=1)
    assert (again.kept, len(again.added), again.key) == (0, 3, whole(SECOND))
