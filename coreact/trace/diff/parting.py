"""Where two runs first part: step by step from the beginning, causes before what comes of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from coreact.rubric.canonical import digest
from coreact.trace.calls import message_key
from coreact.trace.diff.result import Difference, Divergence
from coreact.trace.diff.sides import Done, Seen
from coreact.trace.records import Trajectory


def shared_steps(first: Trajectory, other: Trajectory) -> int:
    """Leading steps that the two have in common by descent."""
    one, two = first.run, other.run
    if one.id == two.id:
        return len(first.steps)
    if two.parent == one.id:
        return two.forked_at or 0
    if one.parent == two.id:
        return one.forked_at or 0
    siblings = one.parent is not None and one.parent == two.parent
    return min(one.forked_at or 0, two.forked_at or 0) if siblings else 0


def divergence(first: Seen, other: Seen) -> Divergence | None:
    """The first step at which two runs differ; steps that only one of two relatives holds are skipped."""
    shared = shared_steps(first.trajectory, other.trajectory)
    held = [{step.index for step in one.trajectory.steps} for one in (first, other)]
    skipped = {index for index in held[0] ^ held[1] if index < shared}
    walks = [_walk(one, skipped) for one in (first, other)]
    while True:
        here = [next(walk, None) for walk in walks]
        if here[0] is None or here[1] is None:
            if here[0] is here[1]:
                break
            at = [None if one is None else one.step for one in here]
            return Divergence(first=at[0], other=at[1], differs=("action",))
        if differs := here[0].differs(here[1]):
            return Divergence(first=here[0].step, other=here[1].step, differs=differs)
    answers = [one.trajectory.end.answer if one.trajectory.end else None for one in (first, other)]
    same = answers[0] == answers[1]
    return None if same else Divergence(first=None, other=None, differs=("answer",))


class Here(NamedTuple):
    """All that is compared of a step, as digests and plain values."""

    step: int
    messages: tuple[str, ...]
    tools: str
    rubric: str | None
    actions: tuple[str, ...]
    answers: tuple[str | None, ...]
    observed: tuple[tuple[str, bool], ...]
    verdicts: tuple[tuple[str, str], ...]

    def differs(self, other: Here) -> tuple[Difference, ...]:
        """In what the two differ."""
        found: dict[Difference, bool] = {
            "messages": self.messages != other.messages,
            "tools": self.tools != other.tools,
            "rubric": self.rubric != other.rubric,
            "action": self.actions != other.actions,
            "observation": self.observed != other.observed,
            # Under another rubric other verdicts are no news.
            "verdicts": self.rubric == other.rubric and self.verdicts != other.verdicts,
            "answer": self.answers != other.answers,
        }
        return tuple(name for name, is_so in found.items() if is_so)


def _walk(seen: Seen, skipped: set[int]) -> Iterator[Here]:
    done: dict[int, list[Done]] = defaultdict(list)
    for one in seen.done:
        done[one.move.step].append(one)
    prompt: list[str] = []
    tools = ""
    for step in seen.trajectory.steps:
        prompt[step.prompt_kept :] = [_key(message) for message in step.prompt_added]
        if step.tools is not None:
            tools = digest([tool.model_dump() for tool in step.tools])
        if step.index in skipped:
            continue
        own = done[step.index]
        judged = [one.judged for one in own if one.judged is not None]
        rubric = judged[0].rubric if judged else step.rubric  # where it was judged anew, by that rubric
        yield Here(
            step=step.index,
            messages=tuple(prompt),
            tools=tools,
            rubric=rubric.lock if rubric is not None else None,
            actions=tuple(one.key for one in own),
            answers=tuple(one.move.text for one in own if one.move.tool is None),
            observed=tuple((one.text, one.failed) for one in seen.observed[step.index]),
            verdicts=tuple((v.criterion, v.status) for one in judged for v in one.judgement.verdicts),
        )


def _key(message: Mapping[str, Any]) -> str:
    """Identity of a message: who says what and calls what. Ids, counts and times are left out."""
    data = message.get("data")
    if not isinstance(data, Mapping):
        return digest(message)
    return message_key({**message, "data": {**data, "content": _content(data.get("content"))}})


def _content(content: Any) -> Any:
    if not isinstance(content, list | tuple):
        return content
    volatile = ("id", "index")  # of a block: made up by the server, another one at each call
    return [
        {name: value for name, value in block.items() if name not in volatile}
        if isinstance(block, Mapping)
        else block
        for block in content
    ]
