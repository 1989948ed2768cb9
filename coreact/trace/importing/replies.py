"""What one model call gave back, where a recording writes it as several messages.

Some instrumentations write the text and the calls of one response as messages of their own; others write a
message for each choice (`n` > 1). Parts of a response are put together; further choices are left out and
said, for a decision has one message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def one_reply(replies: Sequence[Any], remarks: list[str]) -> Any:
    """The message of a response, in the form that `Messages` reads; None where there is none.

    What follows the first message is a part of it unless both have a text, or say that they are choices
    (another `index`).

    Args:
        replies: what came back, in order, as role, content and calls.
        remarks: takes how many further choices there were.
    """
    if not replies:
        return None
    reply, choices = replies[0], 0
    for one in replies[1:]:
        if _goes_on(reply, one):
            reply = {
                **one,
                **reply,
                "content": reply.get("content") or one.get("content"),
                "tool_calls": [*(reply.get("tool_calls") or ()), *(one.get("tool_calls") or ())],
            }
        else:
            choices += 1
    if choices:
        remarks.append(
            f"{choices} further choice{'' if choices == 1 else 's'} of the model: the first is kept"
        )
    return reply


def _goes_on(reply: Any, one: Any) -> bool:
    if not isinstance(reply, Mapping) or not isinstance(one, Mapping):
        return False
    if reply.get("role") != one.get("role") or reply.get("index") != one.get("index"):
        return False
    if any(isinstance(message.get("tool_calls"), str | Mapping) for message in (reply, one)):
        return False
    return not (reply.get("content") and one.get("content"))
