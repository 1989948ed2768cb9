from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from coreact.errors import ConfigError, JudgingError, StoreError
from coreact.generate import RubricGenerator
from coreact.generate.gate import (
    Ledger,
    MutePolicy,
    MutingGenerator,
    StepOutcome,
    aoutcomes_from,
    family,
    outcomes_from,
    tallied,
    writer,
)
from coreact.generate.gate.intervals import share
from coreact.generate.generator import NoRubricError
from coreact.rubric import Criterion, Provenance, Rubric, Stops
from coreact.testing import ScriptedGenerator, ScriptedJudge

HARMFUL = "check:stops"


def outcome(before: float, after: float, *families: str, generator: str = "g") -> StepOutcome:
    return StepOutcome(generator=generator, families=families or (HARMFUL,), before=before, after=after)


SPOILED, FIXED, SAME = outcome(1, 0), outcome(0, 1), outcome(1, 1)


# --- outcomes ----------------------------------------------------------------------------------


def test_the_family_of_a_criterion_is_stable() -> None:
    assert family(Criterion(id="a", text="Stop.", check=Stops())) == "check:stops"
    prose = Criterion(id="b", text="Be kind.", kind="style", provenance=Provenance(source="prompted.1"))
    assert family(prose) == "prompted.1:style"
    assert family(prose.model_copy(update={"provenance": None})) == "unknown:style"


def test_a_step_is_mended_spoiled_or_left(case: Any) -> None:
    worst_first = case.point.model_copy(update={"candidates": case.point.candidates[::-1]})
    points = [worst_first, case.point, case.point, case.point]
    rubrics = [case.informative, case.misleading, case.informative, case.vacuous]
    found = outcomes_from(points, rubrics, generator="g")
    assert [one.turn for one in found] == ["fixed", "spoiled", "same", "same"]
    assert [(one.before, one.after) for one in found] == [(0, 1), (1, 0), (1, 1), (1, 1)]
    # What argued for the change, not all that stood in the rubric by chance.
    assert found[0].families == ("check:argument_contains", "check:does_not_stop")
    assert found[1].families == ("check:stops",)


def test_only_what_argued_for_the_change_answers_for_it(case: Any) -> None:
    both = Rubric(
        criteria=(
            case.misleading.criteria[0].model_copy(update={"id": "bad", "weight": 5.0}),
            *case.informative.criteria,
        )
    )
    (found,) = outcomes_from([case.point], [both], generator="g")
    assert (found.turn, found.families) == ("spoiled", ("check:stops",))


def test_the_first_choice_can_be_named_and_stays_in_a_tie(case: Any) -> None:
    (found,) = outcomes_from([case.point], [case.vacuous], generator="g", first=lambda _: 2)
    assert (found.before, found.after) == (0.1, 0.1)
    with pytest.raises(ConfigError, match="no candidate 9"):
        outcomes_from([case.point], [case.vacuous], generator="g", first=lambda _: 9)
    with pytest.raises(ConfigError, match="0 rubrics"):
        outcomes_from([case.point], [], generator="g")


def test_a_broken_judge_makes_no_outcome(case: Any) -> None:
    down = ScriptedJudge(JudgingError("down", judge="j", cause="transport"))
    assert outcomes_from([case.point], [case.prose], generator="g", judge=down) == ()


def test_async_is_the_same(case: Any) -> None:
    judge = ScriptedJudge(lambda _, action: "met" if action.stops else "unmet")
    blocking = outcomes_from([case.point], [case.prose], generator="g", judge=judge)
    waiting = asyncio.run(aoutcomes_from([case.point], [case.prose], generator="g", judge=judge))
    assert waiting == blocking
    assert blocking[0].turn == "spoiled"


def test_counts_by_family_and_by_generator() -> None:
    found = tallied([SPOILED, SPOILED, FIXED, SAME, outcome(0, 1, "a", "b")])
    assert (found[HARMFUL].fixed, found[HARMFUL].spoiled, found[HARMFUL].same) == (1, 2, 1)
    assert (found["a"].net, found["b"].net, found[HARMFUL].net) == (1, 1, -1)
    everything = found[writer("g")]
    assert (everything.events, everything.fixed, everything.same) == (4, 2, 1)
    spoiling = found[HARMFUL].spoiling()
    assert spoiling is not None
    # Wilson's interval of 2 out of 3, by hand: (2/3 + z²/6) / (1 + z²/3) ± …
    assert (spoiling.value, spoiling.n) == (pytest.approx(2 / 3), 3)
    assert (round(spoiling.low, 4), round(spoiling.high, 4)) == (0.2077, 0.9385)
    assert tallied([SAME])[HARMFUL].spoiling() is None


@given(st.integers(1, 500), st.data())
def test_shares_have_the_interval_that_scipy_gives(n: int, data: Any) -> None:
    hits = data.draw(st.integers(0, n))
    found = share(hits, n)
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))


# --- the ledger --------------------------------------------------------------------------------


def test_a_harmful_family_is_muted_and_unmuted_when_the_evidence_turns() -> None:
    ledger = Ledger()
    policy = MutePolicy(events=10, window=20)
    ledger.record([SPOILED] * 9)
    assert ledger.muted(policy) == {}  # nine of nine, and too few
    ledger.record([SPOILED])
    assert HARMFUL in ledger.muted(policy)
    assert "10 of the last 10" in ledger.muted(policy)[HARMFUL].reason
    ledger.record([FIXED] * 5)
    # Ten of fifteen: the interval of the share holds one half.
    assert HARMFUL not in ledger.muted(policy)


def test_old_harm_can_be_outlived() -> None:
    ledger = Ledger()
    ledger.record([SPOILED] * 100)
    ledger.record([FIXED] * 15)
    assert HARMFUL in ledger.muted(MutePolicy(window=200))
    assert HARMFUL not in ledger.muted(MutePolicy(window=20))


def test_what_changes_nothing_is_neither_helpful_nor_harmful() -> None:
    ledger = Ledger()
    ledger.record([SAME] * 1000)
    assert ledger.muted() == {}
    assert ledger.tallies()[HARMFUL].events == 0


def test_what_spoils_as_often_as_it_mends_is_not_muted() -> None:
    ledger = Ledger()
    ledger.record([SPOILED, FIXED] * 100)
    assert ledger.muted() == {}


def test_a_hand_overrules_the_evidence_until_it_lets_go() -> None:
    ledger = Ledger()
    ledger.record([SPOILED] * 20)
    ledger.decide(HARMFUL, "unmute", reason="it was the judge")
    assert HARMFUL not in ledger.muted()
    ledger.decide("check:tool_is", "mute", reason="under review")
    assert ledger.muted()["check:tool_is"].reason == "muted by hand: under review"
    ledger.decide(HARMFUL, "automatic")
    ledger.decide("check:tool_is", "automatic")
    assert set(ledger.muted()) == {HARMFUL, writer("g")}


def test_a_ledger_survives_its_process(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "ledger.jsonl"
    first = Ledger(path)
    first.record([SPOILED] * 12)
    first.decide("a", "mute")
    again = Ledger(path)
    assert again.outcomes == first.outcomes
    assert set(again.muted()) == {HARMFUL, writer("g"), "a"}
    lines = path.read_text().splitlines()
    again.record([FIXED])
    assert path.read_text().splitlines()[:13] == lines  # nothing that was written is changed


def test_a_torn_line_costs_itself_only(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    Ledger(path).record([SPOILED, FIXED])
    whole = path.read_bytes()
    for cut in range(len(whole) - 1, whole.index(b"\n"), -7):
        path.write_bytes(whole[:cut])
        ledger = Ledger(path)
        assert ledger.outcomes[0] == SPOILED
        ledger.record([SAME])
        again = Ledger(path)
        assert (again.outcomes[0], again.outcomes[-1]) == (SPOILED, SAME)
        assert again.unreadable == ledger.unreadable
        again.record([FIXED])
        assert Ledger(path).outcomes == (*again.outcomes,)
        path.write_bytes(path.read_bytes()[:-5])  # torn once more
        assert Ledger(path).outcomes == again.outcomes[:-1]


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize(
    "bad", ['{"outcome"', '{"by_hand":{"family":"f","order":"mute","by":"ann"}}', "\x00\x00", "[]"]
)
def test_a_line_that_was_changed_is_told_with_its_number(tmp_path: Path, at: int, bad: str) -> None:
    path = tmp_path / "ledger.jsonl"
    Ledger(path).record([SPOILED, FIXED])
    lines = path.read_text().splitlines()
    lines.insert(at - 1, bad)
    path.write_text("\n".join(lines) + "\n")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=f"line {at} ") as caught:
        Ledger(path)
    assert caught.value.path == path
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before


def test_what_another_process_finished_meanwhile_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    Ledger(path).record([SPOILED, FIXED])
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])  # opened in the middle of the other's writing
    ledger = Ledger(path)
    path.write_bytes(whole)
    ledger.record([SAME])
    assert Ledger(path).outcomes == (SPOILED, FIXED, SAME)


def test_another_file_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello\n")
    with pytest.raises(StoreError, match="no ledger"):
        Ledger(path)
    assert path.read_text() == "hello\n"
    with pytest.raises(StoreError, match="cannot be read"):
        Ledger(tmp_path)


def test_what_cannot_be_written_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ledger = Ledger(tmp_path / "file" / "ledger.jsonl")
    with pytest.raises(StoreError, match="cannot be written"):
        ledger.record([SPOILED])
    assert ledger.outcomes == ()


def test_threads_share_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(ledger.record, [SPOILED, FIXED]) for _ in range(100)]:
            done.result()
    assert len(ledger.outcomes) == 200
    assert tallied(Ledger(path).outcomes) == ledger.tallies()


# --- muting ------------------------------------------------------------------------------------


def both(case: Any) -> Rubric:
    harmful = case.misleading.criteria[0].model_copy(update={"id": "bad", "veto": True})
    hanging = case.prose.criteria[0].model_copy(update={"id": "hangs", "depends_on": ("bad",)})
    return Rubric(criteria=(harmful, *case.informative.criteria, hanging), threshold=0.7)


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_the_criteria_of_a_harmful_family_are_left_out(case: Any, colour: str) -> None:
    ledger = Ledger()
    inner = ScriptedGenerator(both(case))
    muting = MutingGenerator(inner, ledger)
    assert isinstance(muting, RubricGenerator)
    assert muting.id == "scripted+mutes.1"

    def write() -> Any:
        return muting.write(case.state) if colour == "sync" else asyncio.run(muting.awrite(case.state))

    assert write().rubric == both(case)
    ledger.record(outcomes_from([case.point] * 12, [case.misleading] * 12, generator="another"))
    written = write()
    assert [criterion.id for criterion in written.rubric] == ["c1", "c2", "c3"]
    assert written.rubric.threshold == 0.7
    assert [(remark.deed, remark.problem) for remark in written.remarks] == [("muted", "harmful")] * 2
    assert "spoiled 12 of the last 12" in written.remarks[0].reason
    assert "depends" in written.remarks[1].reason
    ledger.decide(HARMFUL, "unmute")
    assert write().rubric == both(case)


def test_a_rubric_with_nothing_left_is_no_rubric(case: Any) -> None:
    ledger = Ledger()
    ledger.record([SPOILED] * 12)
    with pytest.raises(NoRubricError, match="is muted") as caught:
        MutingGenerator(ScriptedGenerator(case.misleading), ledger).write(case.state)
    assert (caught.value.cost.calls, caught.value.remarks[0].deed) == (1, "muted")


def test_a_whole_writer_can_be_muted(case: Any) -> None:
    ledger = Ledger()
    ledger.decide(writer("scripted"), "mute")
    with pytest.raises(NoRubricError):
        MutingGenerator(ScriptedGenerator(case.informative), ledger).write(case.state)


def test_other_families_are_left_alone(case: Any) -> None:
    ledger = Ledger()
    ledger.record([SPOILED] * 50)
    written = MutingGenerator(ScriptedGenerator(case.informative), ledger).write(case.state)
    assert (written.rubric, written.remarks) == (case.informative, ())
