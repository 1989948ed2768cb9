"""Read the one record out of a model's reply, or say why there is none.

One set of rules, whatever the provider and its parser make of a reply: one JSON object and nothing
beside it, no field too many, none too few, none twice. Nothing is patched, padded or guessed at, and
nothing is asked here; see `structured`.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, TypeVar

from langchain_core.messages import AIMessage
from pydantic import BaseModel, ValidationError

from coreact.judge.records import Cause

T = TypeVar("T", bound=BaseModel)

_REFUSING = frozenset(
    "blocklist content_filter content_filtered guardrail_intervened prohibited_content refusal safety"
    " spii".split()
)
_CUT_SHORT = frozenset({"length", "max_tokens"})
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_FENCED = re.compile(r"\A```[a-z]*\n(.*)\n```\Z", re.DOTALL)
_DECLINES = re.compile(
    r"(?i)\b(sorry|unable to|decline to|(can|could|will|would)(not|n['’]t| not)|won['’]t)\b"
)
SHOWN = 300
"""Most characters of foreign text in an error."""


class UnreadableError(Exception):
    """A reply that holds no usable record; `cause` says what kind of failure that is."""

    def __init__(self, what: str, *, cause: Cause = "parse") -> None:
        super().__init__(what)
        self.cause = cause


@lru_cache(maxsize=128)
def schema_text(reply: type[BaseModel]) -> str:
    """The JSON schema of a record's class, as a prompt says it."""
    return json.dumps(reply.model_json_schema(), ensure_ascii=False)


def read(message: AIMessage, reply: type[T]) -> T:
    """The one record in a message.

    It is the only tool call, or the whole text but for a code fence around it and thoughts before it.
    An object in the middle of prose is not taken: it may be a draft, or what a page told the model to say.

    Raises:
        UnreadableError: there is none, there are several, or it is not one of this class.
    """
    finish = _answered(message)
    if message.invalid_tool_calls:
        raise UnreadableError("its arguments are not JSON", cause=_cut_short(finish))
    if len(message.tool_calls) > 1:
        raise UnreadableError(f"it holds {len(message.tool_calls)} records, not one")
    found = message.tool_calls[0]["args"] if message.tool_calls else _object(str(message.text), finish)
    try:
        return reply.model_validate(found)
    except ValidationError as error:
        raise UnreadableError(_invalid(error)) from error


def said(message: AIMessage) -> str:
    """The text of a message but for thoughts before it. Tags further on are text like any other.

    Raises:
        UnreadableError: it declined, was cut short, is empty, or is a thought without an end.
    """
    finish = _answered(message)
    if finish in _CUT_SHORT:
        raise UnreadableError("it is cut short", cause="budget")
    text = _after_thought(str(message.text)).strip()
    if text.startswith("<think>"):
        raise UnreadableError("it is a thought that does not end")
    if not text:
        raise UnreadableError("it is empty")
    return text


def _after_thought(text: str) -> str:
    """The text behind a thought that it begins with; some servers leave out the tag that opens it."""
    if "</think>" in text and "<think>" not in text and not text.lstrip().startswith("{"):
        return text.rpartition("</think>")[2]
    return _THOUGHT.sub("", text, count=1)


def _answered(message: AIMessage) -> str:
    """How the reply ended, where it is one."""
    finish = _finish(message)
    refused = message.additional_kwargs.get("refusal")
    if refused or finish in _REFUSING:
        raise UnreadableError(f"it declined: {shown(str(refused or finish))}", cause="refusal")
    return finish


def _object(text: str, finish: str) -> Any:
    said = _after_thought(text).strip()
    if not said:
        raise UnreadableError("it is empty", cause=_cut_short(finish))
    fenced = _FENCED.match(said)
    try:
        return json.loads(fenced[1] if fenced is not None else said, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        if not said.startswith(("{", "`")) and _DECLINES.search(said[:SHOWN]):
            raise UnreadableError(f"it declined: {shown(said)}", cause="refusal") from error
        raise UnreadableError("it is not one complete JSON object", cause=_cut_short(finish)) from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _invalid(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    # The name of a field too many is the model's own text; it does not go into the next prompt.
    known = first["loc"][:-1] if first["type"] == "extra_forbidden" else first["loc"]
    return f"{'.'.join(map(str, known)) or 'the object'}: {first['msg']}"


def _finish(message: AIMessage) -> str:
    said = message.response_metadata
    return str(said.get("finish_reason") or said.get("stop_reason") or said.get("stopReason") or "").lower()


def _cut_short(finish: str) -> Cause:
    return "budget" if finish in _CUT_SHORT else "parse"


def shown(text: str) -> str:
    """A text on one line, at most `SHOWN` characters long."""
    folded = " ".join(text.split())
    return folded if len(folded) <= SHOWN else folded[: SHOWN - 1] + "…"
