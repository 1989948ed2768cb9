"""Rulings are kept as they come: resumed, never mixed, never reused for another question."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coreact.bench.qualify.cases import CaseSet, JudgeCase
from coreact.bench.qualify.run import Ruled, collect, plan, read_rulings, scored, settings_of
from coreact.errors import ConfigError, JudgingError, LabelFileError
from coreact.judge.records import Cause, Verdict
from coreact.judge.runner import Ruling, undecided
from coreact.rubric import Action, Criterion, State
from coreact.testing import ScriptedJudge

MakeCases = Callable[..., tuple[JudgeCase, ...]]


def fair() -> ScriptedJudge:
    return ScriptedJudge(lambda criterion, action: "met" if criterion.id == "a" else "unmet")


class Runs:
    """Runs of judges on the same cases and into the same file."""

    def __init__(self, cases: tuple[JudgeCase, ...], out: Path) -> None:
        self.cases, self.out = cases, out

    def __call__(self, judge: Any, *, probes: int = 0, n: int | None = None, data: str = "x") -> list[Ruled]:
        settings = settings_of(judge, CaseSet("made", data, self.cases))
        asks = plan(self.cases[:n], probes=probes)
        return list(collect(judge, asks, settings=settings, out=self.out))

    @property
    def lines(self) -> list[str]:
        return self.out.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def runs(make_cases: MakeCases, tmp_path: Path) -> Runs:
    return Runs(make_cases(12), tmp_path / "new" / "rulings.jsonl")


def test_the_file_says_what_it_is_about(runs: Runs) -> None:
    ruled = runs(fair())
    header = json.loads(runs.lines[0])
    assert header["settings"]["judge"] == header["settings"]["version"] == "scripted-judge"
    assert {"dataset", "data", "criteria", "format"} < set(header["settings"])
    assert header["digest"].startswith("coreact.json.1:")
    stored = read_rulings(runs.out)
    assert stored.settings.model_dump() == header["settings"]
    assert list(stored.ruled) == ruled
    assert [one.case for one in ruled] == [case.id for case in runs.cases]
    assert ruled[0].labels == runs.cases[0].labels
    assert ruled[0].cost.calls == 1


def test_an_interrupted_run_goes_on_where_it_stopped(runs: Runs) -> None:
    whole = runs(fair(), probes=3)
    content = runs.out.read_bytes()
    for cut in (len(content) - 1, len(content) - 400, len(content) // 2, 30, 0):
        runs.out.write_bytes(content[:cut])  # killed in the middle of a line
        kept = max(0, content[:cut].count(b"\n") - 1)
        judge = fair()
        assert runs(judge, probes=3) == whole
        assert len(judge.asked) == len(whole) - kept
        assert runs.out.read_bytes() == content


def test_more_cases_or_probes_ask_only_for_what_is_new(runs: Runs) -> None:
    runs(fair(), n=5)
    judge = fair()
    runs(judge)
    assert len(judge.asked) == 7
    judge = fair()
    runs(judge, probes=2)
    assert len(judge.asked) == 5 * 2


def test_another_judge_or_other_data_are_refused_and_named(runs: Runs) -> None:
    runs(fair())
    before = runs.out.read_bytes()
    other = ScriptedJudge(lambda criterion, action: "met", name="other-judge")
    with pytest.raises(ConfigError, match="judge 'scripted-judge' instead of 'other-judge'"):
        runs(other)
    with pytest.raises(ConfigError, match=r"data 'x' instead of 'y'.*--out"):
        runs(fair(), data="y")
    newer = fair()
    newer.version = "2"  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match="version"):
        runs(newer)
    assert runs.out.read_bytes() == before


def test_a_ruling_on_something_else_is_not_reused(runs: Runs) -> None:
    runs(fair())
    changed = JudgeCase.model_validate({**runs.cases[3].model_dump(), "question": "Where?"})
    runs.cases = (*runs.cases[:3], changed, *runs.cases[4:])
    judge = fair()
    assert runs(judge)[3].asked == runs.cases[3].asked
    assert len(judge.asked) == 1
    assert runs(judge)[3].asked == runs.cases[3].asked  # the newer line counts from then on
    assert len(judge.asked) == 1


def test_a_file_broken_in_the_middle_is_an_error_with_its_line(runs: Runs) -> None:
    runs(fair())
    lines = runs.lines
    for line, text, what in (
        (3, "{torn", "not JSON"),
        (3, "{}", "does not fit"),
        (1, lines[1], "'settings' is missing"),
        (1, lines[0].replace("scripted-judge", "better-judge"), "settings were changed"),
    ):
        broken = [text if at == line - 1 else one for at, one in enumerate(lines)]
        runs.out.write_text("\n".join(broken) + "\n", encoding="utf-8")
        for read in (lambda: runs(fair()), lambda: read_rulings(runs.out)):
            with pytest.raises(LabelFileError, match=what) as raised:
                read()
            assert raised.value.line == line
    runs.out.write_text("")
    with pytest.raises(ConfigError, match="no rulings"):
        read_rulings(runs.out)


# --- judges that fail --------------------------------------------------------------------------


class Failing:
    """Fails with a cause on some calls, counted from 0."""

    id = "failing"

    def __init__(self, cause: Cause, failing: range, *, raises: bool = False) -> None:
        self.cause, self.failing, self.raises, self.calls = cause, failing, raises, 0

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        self.calls += 1
        if self.calls - 1 not in self.failing:
            return Ruling(tuple(Verdict(criterion=c.id, reason="", status="met") for c in criteria))
        if self.raises:
            raise JudgingError("It broke.", judge=self.id, cause=self.cause)
        return Ruling(undecided(criteria, reason="It broke.", by=self.id, broken=True, cause=self.cause))

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        return self.judge(criteria, action, state)


@pytest.mark.parametrize("raises", [False, True])
def test_a_failure_is_unknown_by_the_instruments_fault(runs: Runs, raises: bool) -> None:
    ruled = runs(Failing("parse", range(2, 4), raises=raises))
    for at, one in enumerate(ruled):
        statuses = {(v.status, v.fault, v.cause) for v in one.verdicts}
        assert statuses == ({("unknown", "instrument", "parse")} if at in (2, 3) else {("met", "none", None)})


@pytest.mark.parametrize(
    ("cause", "again"),
    [("transport", 2), ("rate_limit", 2), ("budget", 2), ("bug", 2), ("parse", 0), ("refusal", 0)],
)
def test_what_may_pass_is_asked_again_and_what_a_judge_is_like_stays(
    runs: Runs, cause: Cause, again: int
) -> None:
    runs(Failing(cause, range(2, 4)))
    later = Failing(cause, range(0))
    runs(later)
    assert later.calls == again


def test_a_judge_that_cannot_be_reached_ends_the_run(runs: Runs) -> None:
    judge = Failing("transport", range(3, 100))
    with pytest.raises(JudgingError, match=r"5 times in a row: It broke.*goes on where it stopped") as raised:
        runs(judge)
    assert judge.calls == 8
    assert raised.value.cause == "transport"
    assert len(runs(Failing("transport", range(0)))) == 12
    with pytest.raises(JudgingError):
        Runs(runs.cases, runs.out.with_name("raised.jsonl"))(Failing("bug", range(100), raises=True))


def test_a_judge_that_is_only_bad_does_not_end_the_run(runs: Runs) -> None:
    assert len(runs(Failing("parse", range(100)))) == 12


def test_what_a_judge_leaves_out_is_unknown_and_what_it_adds_is_dropped(runs: Runs) -> None:
    class Forgets(Failing):
        def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
            said = ("b", "z")
            return Ruling(tuple(Verdict(criterion=c, reason="", status="met") for c in said))

    for one in runs(Forgets("parse", range(0))):
        assert [(v.criterion, v.status, v.cause) for v in one.verdicts] == [
            ("a", "unknown", "parse"),
            ("b", "met", None),
        ]


def test_a_bug_ends_the_run_and_nothing_is_lost(runs: Runs) -> None:
    class Buggy(Failing):
        def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
            if self.calls == 4:
                raise TypeError("a bug")
            return super().judge(criteria, action, state)

    with pytest.raises(TypeError, match="a bug"):
        runs(Buggy("parse", range(0)))
    assert len(read_rulings(runs.out).ruled) == 4


# --- what calibration takes from it ------------------------------------------------------------


def test_only_decided_verdicts_on_plain_cases_are_calibrated(runs: Runs) -> None:
    class Half(Failing):
        def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
            verdicts = [Verdict(criterion="a", reason="", status="met", confidence=0.5)]
            return Ruling((*verdicts, Verdict(criterion="b", reason="", status="unknown")))

    found = scored(runs(Half("parse", range(0)), probes=4))
    worth = {"met": 1.0, "partial": 0.5, "unmet": 0.0}
    assert found == [(0.75, worth[str(case.labels["a"])], case.id) for case in runs.cases]
