"""What a terminal shows of a judged run, and what no trace can make it do."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from coreact.cli.display import (
    clean,
    first_lines,
    show_attempt,
    show_end,
    show_observation,
    show_rubric,
    show_runs,
    show_step,
    show_trajectory,
)
from coreact.judge import Judgement, Verdict
from coreact.rubric import Action, Criterion, Rubric, ToolCall
from coreact.rubric.remarks import Remark
from coreact.testing import sample_trajectory
from coreact.trace import Attempt, ObservationRecord, RunEnd, RunRecord, StepRecord, Trajectory, summarize

HOSTILE = (
    "\x1b[31m[red]boo[/red]\x1b]0;title\x07\x9b2J\x1b]8;;http://x\x1b\\link\x1b(B\x08\r\u202eabc\x00\x7f"
)
ACTED_ON = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def shown(*parts: RenderableType, width: int = 80, terminal: bool = False) -> str:
    file = io.StringIO()
    console = Console(
        file=file, width=width, force_terminal=terminal, color_system="standard" if terminal else None
    )
    for part in parts:
        console.print(part)
    return file.getvalue()


def hostile_trajectory() -> Trajectory:
    rubric = Rubric(criteria=(Criterion(id=HOSTILE, text=HOSTILE),))
    verdict = Verdict(criterion=HOSTILE, reason=HOSTILE, status="unmet", decided_by=HOSTILE)
    attempt = Attempt(
        index=0,
        source="first",
        message={"type": HOSTILE, "data": {"content": HOSTILE}},
        actions=(Action(call=ToolCall(name=HOSTILE, arguments={HOSTILE: HOSTILE})), Action(answer=HOSTILE)),
        judgements=(Judgement(rubric="", verdicts=(verdict,), score=0, passed=False, judged=1, total=1),) * 2,
        rejected_by=HOSTILE,
        reason=HOSTILE,
    )
    step = StepRecord(
        run="r",
        index=0,
        node=HOSTILE,
        rubric=rubric,
        generator=HOSTILE,
        guidance=HOSTILE,
        prompt_added=({"type": HOSTILE, "data": {"content": HOSTILE}}, {"content": [{"a": HOSTILE}]}),
        attempts=(attempt, attempt.model_copy(update={"selected": True})),
        error=HOSTILE,
    )
    seen = ObservationRecord(run="r", step=0, call_id="c", tool=HOSTILE, text=HOSTILE)
    run = RunRecord(id=HOSTILE, question=HOSTILE, agent=HOSTILE, parent=HOSTILE)
    end = RunEnd(run="r", status="failed", answer=HOSTILE, error=HOSTILE)
    return Trajectory(run=run, steps=(step,), observations=(seen,), end=end)


def test_escape_sequences_and_controls_are_taken_out() -> None:
    assert clean(HOSTILE) == "[red]boo[/red]linkabc"
    assert clean("a\tb\r\nc\nd") == "a\tb\nc\nd"
    assert clean("\x1bP1$r\x1b\\x\x1b]52;c;aGk=\x07y\x1b[?1049hz") == "xyz"
    assert clean("überall 来源 👩‍🚀") == "überall 来源 👩‍🚀"


@given(st.text(st.characters() | st.sampled_from("\x1b\x9b[]P\\;07m\x07"), max_size=60))
def test_no_text_gets_a_control_character_through(text: str) -> None:
    assert not ACTED_ON.search(clean(text))
    clean(text).encode()


@pytest.mark.parametrize("terminal", [False, True])
def test_a_hostile_trace_is_printed_as_text(terminal: bool) -> None:
    whole = hostile_trajectory()
    out = shown(*show_trajectory(whole, prompts=True), show_runs([summarize(whole)]), terminal=terminal)
    plain = re.sub("\x1b\\[[0-9;]*m", "", out) if terminal else out  # rich's own colours
    assert not ACTED_ON.search(plain)
    assert plain.count("[red]boo[/red]") > 10  # never read as markup


def test_nothing_but_text_without_a_terminal() -> None:
    assert "\x1b" not in shown(*show_trajectory(sample_trajectory(), prompts=True))


@pytest.mark.parametrize("width", [80, 120])
def test_lines_fit(width: int) -> None:
    whole = sample_trajectory("0190f3a2-1b3c-7777-8888-aaaaaaaaaaaa")
    parts = [*show_trajectory(whole, prompts=True), show_runs([summarize(whole)])]
    assert max(map(len, shown(*parts, width=width).splitlines())) <= width


def test_the_table_says_it_all_in_80_columns() -> None:
    runs = [
        summarize(sample_trajectory(f"0190f3a2-1b3c-7777-8888-{number:012}", steps=12)).model_copy(
            update={"tokens": 123_456, "status": "interrupted"}
        )
        for number in range(2)
    ]
    header, *lines = shown(show_runs(runs[:1])).splitlines()
    names = ["run", "agent", "status", "steps", "retries", "score", "tokens", "when"]
    assert [name for name in header.split() if not name.startswith("questi")] == names
    for value in ("0190f3a2-1b3c ", "Where", "interrupted", " 12 ", "0.88", "123k", "2023-11-14"):
        assert value in lines[0]
    both = shown(show_runs(runs), width=120)  # ids that begin alike are shown as far as they differ
    assert "000000000000 " in both
    assert "000000000001 " in both


def test_a_rubric_shows_shares_and_marks() -> None:
    rubric = Rubric(
        criteria=(
            Criterion(id="a", text="Search first", weight=3, kind="hard"),
            Criterion(id="b", text="Harm", weight=1, polarity="forbid", veto=True),
        )
    )
    out = shown(show_rubric(rubric))
    assert re.search("1. 75% Search first hard", out)
    assert re.search("2. 25% must not: Harm veto", out)
    assert "passes from 0.6" in out


def test_an_attempt_shows_every_verdict_and_what_became_of_it() -> None:
    step = sample_trajectory().steps[0]
    first, second = (
        shown(show_attempt(attempt, step.rubric, dispositions=("run",))) for attempt in step.attempts
    )
    for line in (
        "proposal  rejected by check: it does not search",
        "✓ Search before you answer",
        "½ Name the river · because of partial",
        "✗ 来源 must be checked ½ · because of unmet",
        "– Do no harm",
        "? From a later version · because of unknown (fault of the instrument)",
        "score 0.30  not passed  3 of 4 judged",
    ):
        assert line in first
    assert "retry 1  ● selected" in second
    assert "→ search(query='Elbe source 0', top=3)  run" in second
    assert "c1" in shown(show_attempt(step.attempts[0]))  # without a rubric: ids


def test_an_observation_shows_its_beginning_and_its_marks() -> None:
    seen = ObservationRecord(
        run="r", step=0, call_id="c", tool="search", text="one\n" * 50, failed=True, blocked=True
    )
    out = shown(show_observation(seen, lines=3))
    assert "search  blocked  failed" in out
    assert out.count("one") == 3
    assert "characters)" in out
    assert first_lines("short") == "short"


def test_the_end_says_how_to_see_the_run_again() -> None:
    whole = sample_trajectory()
    out = shown(show_end(whole))
    for text in ("In the Giant Mountains.", "done", "3 steps", "score 0.88", "642 tokens", "2.0 s"):
        assert text in out
    assert "coreact trace show sample-1" in out
    assert "running" in shown(show_end(whole.model_copy(update={"end": None})))


def test_a_step_shows_what_was_made_of_its_draft() -> None:
    step = StepRecord(
        run="r",
        index=0,
        remarks=(
            Remark.about("Use [red]`browse`[/red].", "dropped", "there is no such tool", "unknown_tool"),
            Remark(deed="compiled", reason="decided by code: stops"),
        ),
        constraint={"tool_choice": "search", "tools": {"search": {}}},
    )
    text = shown(show_step(step), width=120)
    assert "dropped (unknown tool): there is no such tool — Use [red]`browse`[/red]." in text
    assert "compiled: decided by code: stops" in text
    assert "tool choice search, arguments of search" in text
