"""The first difference between two runs: none for equal ones, and every change of substance is found."""

from __future__ import annotations

from typing import Any

import pytest

from coreact.testing import sample_trajectory
from coreact.trace import Trajectory
from coreact.trace.comparing import prompt_difference, run_difference


def with_step(run: Trajectory, at: int, **update: Any) -> Trajectory:
    steps = list(run.steps)
    steps[at] = steps[at].model_copy(update=update)
    return run.model_copy(update={"steps": tuple(steps)})


def test_ids_and_times_are_no_difference() -> None:
    one, other = sample_trajectory("a"), sample_trajectory("b")
    steps = tuple(
        step.model_copy(update={"at_ns": 7, "checkpoint_id": "z", "span_id": "f" * 16})
        for step in other.steps
    )
    assert one.run.id != other.run.id
    assert run_difference(one, other.model_copy(update={"steps": steps})) is None


def test_every_change_of_substance_is_named() -> None:
    run = sample_trajectory("a")
    assert run.end is not None
    changed = {
        "question": run.model_copy(update={"run": run.run.model_copy(update={"question": "Else?"})}),
        "guidance": with_step(run, 0, guidance="Something else."),
        "dispositions": with_step(run, 0, dispositions=("blocked",)),
        "attempts": with_step(run, 0, attempts=()),
        "steps": run.model_copy(update={"steps": run.steps[:-1]}),
        "observation": run.model_copy(update={"observations": run.observations[1:]}),
        "end": run.model_copy(update={"end": run.end.model_copy(update={"answer": "Elsewhere."})}),
    }
    for name, other in changed.items():
        found = run_difference(run, other)
        assert found is not None, name
        assert name in found, found


def message(text: str, kind: str = "human", **data: Any) -> dict[str, Any]:
    return {"type": kind, "data": {"content": text, **data}}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ([message("a")], [message("a", id="x")], None),
        ([message("a")], [message("b")], "message 0: (human) content was 'a', is 'b'"),
        ([message("a")], [message("a", "ai")], "message 0: kind was 'human', is 'ai'"),
        ([message("a")], [], "message 0 (human) is missing: 'a'"),
        ([], [message("a")], "message 0 (human) is one more than was recorded: 'a'"),
        (
            [message("", "ai", tool_calls=[{"name": "s", "args": {"q": 1}, "id": "1"}])],
            [message("", "ai", tool_calls=[{"name": "s", "args": {"q": 2}, "id": "2"}])],
            "message 0: (ai) tool_calls was \"[('s', {'q': 1})]\", is \"[('s', {'q': 2})]\"",
        ),
    ],
)
def test_the_first_differing_message_is_named(old: Any, new: Any, said: str | None) -> None:
    assert prompt_difference(old, new) == said


def test_long_texts_are_shown_where_they_differ() -> None:
    same = "word " * 1000
    found = prompt_difference([message(f"{same}gold")], [message(f"{same}silver")])
    assert found is not None
    assert "gold" in found
    assert "silver" in found
    assert len(found) < 300
