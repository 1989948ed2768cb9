"""Soundness of a path: jumps and where they are, miracle steps, a score that nothing pays back."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.judge.grounding.soundness import Soundness, asoundness, soundness
from coreact.judge.records import Cost, Status, Verdict
from coreact.judge.runner import Ruling
from coreact.rubric import Action, Criterion, Observation, State, Step, ToolCall, ToolContract
from coreact.testing import ScriptedJudge

TOOLS = (
    ToolContract(name="search", role="search"),
    ToolContract(name="read", role="read"),
    ToolContract(name="compute", role="compute"),
)


def step(tool: str, text: str, *, failed: bool = False, **arguments: Any) -> Step:
    return Step(
        call=ToolCall(name=tool, arguments=arguments), observation=Observation(text=text, failed=failed)
    )


def state(*steps: Step, question: str = "How old was the dam of Elbstadt in 2010?") -> State:
    return State.start(question, tools=TOOLS).after(*steps)


SEARCH = step(
    "search", "Elbstadt has a dam, finished in 1936, see the page Grey Water.", query="dam Elbstadt"
)
READ = step("read", "The dam of Elbstadt was built by Anna Berg.", title="Grey Water")
COMPUTE = step("compute", "74", expression="2010 - 1936")

Run = Callable[..., Soundness]


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    if request.param == "sync":
        return soundness
    return lambda *given, **options: asyncio.run(asoundness(*given, **options))


def statuses(found: Soundness) -> list[Status]:
    return [step.verdict.status for step in found.steps]


# --- with and without the derivation ---------------------------------------------------------------


def test_the_same_right_answer_with_and_without_its_derivation(run: Run) -> None:
    derived = run(state(SEARCH, READ, COMPUTE), "74", correct=True)
    assert statuses(derived) == ["not_applicable", "met", "met", "met"]
    assert (derived.sound, derived.first_jump, derived.miracle, derived.score) == (True, None, False, 1.0)

    jumped = run(state(READ), "74", correct=True)
    assert (jumped.sound, jumped.first_jump, jumped.miracle) == (False, 0, True)  # 0: a page from nowhere
    assert jumped.score is not None
    assert jumped.score < 1.0

    guessed = run(state(), "It was 74 years old.", correct=True)
    assert statuses(guessed) == ["unmet"]
    assert (guessed.first_jump, guessed.miracle, guessed.miracles) == (0, True, (0,))
    assert guessed.steps[0].values == ("74",)
    assert guessed.score == pytest.approx(0.1)


def test_the_tag_stands_where_the_value_came_in(run: Run) -> None:
    invented = step("compute", "1964", expression="1900 + 64")
    found = run(state(SEARCH, invented, READ), "1964", correct=True)
    assert statuses(found) == ["not_applicable", "unmet", "met", "unmet"]
    assert (found.jumps, found.first_jump) == ((1, 3), 1)
    assert (found.miracle, found.miracles) == (True, (1,))
    assert found.steps[3].origin == 1


def test_a_jump_to_a_wrong_answer_is_no_miracle(run: Run) -> None:
    found = run(state(), "74", correct=False)
    assert (found.first_jump, found.miracle, found.miracles) == (0, False, ())


def test_whether_a_jump_is_a_miracle_is_open_while_nobody_knows_the_answer(run: Run) -> None:
    found = run(state(), "74")
    assert (found.first_jump, found.miracle) == (0, None)


def test_a_value_that_is_observed_only_after_it_was_used_is_a_miracle_step(run: Run) -> None:
    early = step("read", "The page is long.", title="Anna Berg")
    found = run(state(early, READ), None)
    assert statuses(found) == ["unmet", "unmet"]
    assert [(step.right, step.values) for step in found.steps] == [
        (True, ("Anna Berg",)),
        (False, ("Grey Water",)),
    ]
    assert (found.miracle, found.miracles) == (True, (0,))


# --- what code accuses and what it excuses -----------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("1936", "met"),
        ("It was finished in 1936.", "met"),
        ("The dam was built by Anna Berg in 1936.", "met"),
        ("grey water", "met"),
        ("1937", "unmet"),
        ("It was built by Olaf Stern.", "unmet"),
        ("torpedo boats", "unmet"),
        ("It was built by Anna Schmidt.", "unknown"),  # a part of the name is known
        ("74", "unknown"),  # 2010 - 1936
        ("7", "unknown"),  # could be counted
        ("yes", "unknown"),
        ("Elbstadt", "unknown"),  # only repeats the question
        ("2010", "unknown"),
        ("", "unknown"),
    ],
)
def test_answers(answer: str, status: Status) -> None:
    assert soundness(state(SEARCH, READ), answer).steps[-1].verdict.status == status


@pytest.mark.parametrize(
    ("taken", "status"),
    [
        (step("search", "x", query="Olaf Stern 1888"), "not_applicable"),  # a guess claims nothing
        (step("read", "x", title="Grey Water"), "met"),
        (step("read", "x", title="Olaf Stern"), "unmet"),
        (step("read", "x", title="dam", limit=77), "not_applicable"),  # a setting
        (step("read", "x", url="https://x.org/1888/Olaf_Stern"), "not_applicable"),
        (step("read", "x", titles=["Grey Water", {"also": "Olaf Stern"}]), "unmet"),
        (step("compute", "x", expression="(2010 - 1936) * 12 / 100"), "met"),
        (step("compute", "x", expression="2010 - 1888"), "unmet"),
        (step("compute", "x", a=2010, b=1888.5), "unmet"),
        (step("compute", "x", a=2010, b=1936), "met"),
        (step("compute", "x", a=2 * 10**50, b=True), "not_applicable"),
        (step("compute", "x", expression="74 * 2"), "unknown"),
        (step("unheard_of", "x", name="Olaf Stern"), "unmet"),
    ],
)
def test_calls(taken: Step, status: Status) -> None:
    assert soundness(state(SEARCH, taken), None).steps[-1].verdict.status == status


def test_what_the_agent_wrote_is_looked_at_where_it_is_known(run: Run) -> None:
    path = state(SEARCH, READ)
    thoughts = ["I look for the dam.", "Olaf Stern built it.", "So it is from 1936."]
    assert statuses(run(path, "1936", thoughts=thoughts)) == ["not_applicable", "unmet", "met"]
    assert statuses(run(path, "1936", thoughts=["", "", "Olaf Stern built it."]))[-1] == "unmet"


def test_a_failed_observation_and_an_echo_of_the_call_tell_nothing() -> None:
    failed = step("search", "no page about Olaf Stern", query="x", failed=True)
    assert soundness(state(failed), "Olaf Stern").first_jump == 1
    query = "was the builder Olaf Stern"
    echo = step("search", f"Nothing was found for '{query}'.", query=query)
    assert soundness(state(echo), "Olaf Stern").first_jump == 1


def test_citations_and_headings_of_an_answer_are_no_values() -> None:
    answer = (
        "# Final Answer\n\nIt was finished in 1936 [99](https://x.org/1888).\n\n## References\n[9] Olaf Stern"
    )
    assert statuses(soundness(state(SEARCH), answer))[-1] == "met"


def test_given_text_is_known() -> None:
    path = State.start("q", given=("Olaf Stern was born in 1888.",), tools=TOOLS).after(
        step("read", "He died in 1950.", title="Olaf Stern")
    )
    assert statuses(soundness(path, "1950")) == ["met", "met"]


# --- with a judge ------------------------------------------------------------------------------------


class Seeing:
    """A judge that rules from a list by step and keeps what it was shown."""

    id = "seeing"

    def __init__(self, **ruled: Status) -> None:
        self._ruled = ruled
        self.seen: dict[str, tuple[int, Action]] = {}

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        (criterion,) = criteria
        self.seen[criterion.id] = (len(state.steps), action)
        status = self._ruled[criterion.id.replace("-", "_")]
        verdict = Verdict(criterion=criterion.id, reason="r", status=status, decided_by=self.id)
        return Ruling((verdict,), Cost(calls=1))

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        return self.judge(criteria, action, state)


def test_a_judge_is_asked_about_open_steps_and_the_answer_with_what_was_known_then(run: Run) -> None:
    path = state(SEARCH, step("compute", "148", expression="74 * 2"), READ)
    judge = Seeing(step_1="met", step_3="unmet")
    found = run(path, "148", judge, correct=True)
    assert {name: before for name, (before, _) in judge.seen.items()} == {"step-1": 1, "step-3": 3}
    assert judge.seen["step-1"][1].call == path.steps[1].call
    assert judge.seen["step-3"][1].answer == "148"
    assert statuses(found) == ["not_applicable", "met", "met", "unmet"]
    assert found.cost.calls == 2
    assert found.miracle is True


def test_a_judge_cannot_acquit_what_stands_nowhere(run: Run) -> None:
    judge = Seeing()
    assert statuses(run(state(), "1888", judge)) == ["unmet"]
    assert judge.seen == {}


def test_what_was_computed_from_a_step_that_a_judge_refutes_is_not_known(run: Run) -> None:
    path = state(SEARCH, step("compute", "148", expression="74 * 2"))
    found = run(path, "148", Seeing(step_1="unmet", step_2="met"), correct=True)
    assert statuses(found) == ["not_applicable", "unmet", "unmet"]
    assert (found.first_jump, found.miracles) == (1, (1,))


def test_a_broken_judge_leaves_steps_unknown(run: Run) -> None:
    found = run(state(SEARCH), "yes", ScriptedJudge(TimeoutError("late")), correct=True)
    assert statuses(found) == ["not_applicable", "unknown"]
    assert (found.score, found.sound, found.miracle, found.judged, found.total) == (None, None, None, 0, 1)
    assert found.steps[1].verdict.fault == "instrument"


# --- the score -----------------------------------------------------------------------------------------

STATUSES: st.SearchStrategy[Status] = st.sampled_from(
    ["met", "partial", "unmet", "unknown", "not_applicable"]
)
PATHS = st.lists(STATUSES, max_size=12)


def path(of: list[Status], *, correct: bool | None = None) -> Soundness:
    return Soundness.of(
        [Verdict(criterion=f"step-{n}", reason="r", status=status) for n, status in enumerate(of)],
        correct=correct,
    )


def test_golden_series() -> None:
    found = path(["met", "unmet", "unknown", "partial", "met"], correct=True)
    expected = [0.0, math.log(0.1), math.log(0.1), math.log(0.05), math.log(0.05)]
    assert found.log_scores == pytest.approx(expected)
    assert found.score == pytest.approx(0.05)
    assert (found.judged, found.total) == (4, 5)
    assert (found.first_jump, found.miracles, found.miracle) == (1, (1,), True)


@given(PATHS)
def test_the_series_never_rises(of: list[Status]) -> None:
    series = (0.0, *path(of).log_scores)
    assert all(after <= before for before, after in pairwise(series))


@given(PATHS, PATHS, st.lists(st.just("met"), max_size=20))
def test_a_path_with_one_bad_step_never_overtakes_the_same_path_without_it(
    before: list[Status], after: list[Status], paid_back: list[Status]
) -> None:
    clean = path([*before, *after]).score
    bad = path([*before, "unmet", *after, *paid_back]).score
    assert bad is not None
    assert bad < (1.0 if clean is None else clean)


@given(PATHS)
def test_an_unknown_step_moves_nothing_and_is_counted(of: list[Status]) -> None:
    assert path([*of, "unknown"]).score == path(of).score
    assert path([*of, "unknown"]).judged == path(of).judged
    assert path([*of, "unknown"]).total == path(of).total + 1


@given(PATHS)
def test_sound_is_true_false_or_open(of: list[Status]) -> None:
    found = path(of)
    assert found.sound is (
        False if {"unmet", "partial"} & set(of) else True if of and "unknown" not in of else None
    )
    assert (found.score is None) == (found.judged == 0)
    assert found.score is None or 0 <= found.score <= 1


TEXTS = st.text("Ab 1936.\n", max_size=30)


@given(
    st.lists(st.tuples(st.sampled_from(["search", "read", "compute", "x"]), TEXTS, TEXTS), max_size=5), TEXTS
)
def test_any_trajectory_is_looked_at(parts: list[tuple[str, str, str]], answer: str) -> None:
    steps = [step(tool, text, argument=argument) for tool, argument, text in parts]
    found = soundness(state(*steps), answer, correct=True)
    assert [support.index for support in found.steps] == list(range(len(parts) + 1))
    assert Soundness.model_validate_json(found.model_dump_json()) == found
    assert all(support.origin <= support.index for support in found.steps)
