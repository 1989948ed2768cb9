from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from langgraph.errors import GraphInterrupt

from coreact.errors import ConfigError, GenerationError, JudgingError
from coreact.generate import HeuristicGenerator, RubricGenerator, Written
from coreact.generate.contracts import ContractGenerator
from coreact.generate.gate import (
    RUBRIC_FREE,
    CheckReader,
    Gate,
    GatedGenerator,
    GateReport,
    RubricFreeGenerator,
    Thresholds,
    qualify_generator,
)
from coreact.generate.generator import NoRubricError, RubricRefusedError
from coreact.judge.ordering import judged
from coreact.judge.records import Cost
from coreact.judge.runner import Ruling, Verdict
from coreact.rubric import Action, Criterion, Rubric, State
from coreact.testing import ScriptedGenerator, ScriptedJudge

DOWN = JudgingError("down", judge="j", cause="transport")


def made(report: GateReport) -> dict[str, bool | None]:
    return {one.test: one.passed for one in report.results}


# --- one rubric --------------------------------------------------------------------------------


def test_without_labels_what_needs_them_is_not_made(case: Any) -> None:
    report = Gate().examine(case.informative, case.state)
    assert made(report) == {"lint": True, "executable": True, "contracts": True, "discrimination": True}
    assert report.admitted
    assert report.rubric == case.informative.lock


def test_with_labels_every_test_is_made(case: Any) -> None:
    report = Gate().examine(case.informative, case.state, point=case.point, readers=[CheckReader()])
    assert made(report) == dict.fromkeys(
        ("lint", "executable", "contracts", "discrimination", "effect", "consistency", "transfer"), True
    )


def test_a_misleading_rubric_is_seen_with_labels_only(case: Any) -> None:
    gate = Gate()
    assert gate.examine(
        case.misleading, case.state
    ).admitted  # it tells the candidates apart, the wrong way round
    report = gate.examine(case.misleading, case.state, point=case.point, readers=[CheckReader()])
    assert not report.admitted
    assert [one.test for one in report.failed] == ["effect", "consistency", "transfer"]


def test_a_required_test_that_cannot_be_made_refuses(case: Any) -> None:
    report = Gate(require=("effect",)).examine(case.informative, case.state)
    assert (report.admitted, made(report)["effect"]) == (False, None)
    assert "there is no label" in report.reason
    assert Gate(require=()).examine(case.prose, case.state).admitted
    assert not Gate().examine(case.prose, case.state).admitted  # nobody could decide it


def test_a_test_that_is_not_required_refuses_all_the_same_where_it_fails(case: Any) -> None:
    assert not Gate(require=()).examine(case.misleading, case.state, point=case.point).admitted


def test_what_fails_lint_is_not_judged(case: Any) -> None:
    judge = ScriptedJudge(lambda *_: "met")
    mixed = Rubric(
        criteria=(*case.unknown_tool.criteria, case.prose.criteria[0].model_copy(update={"id": "p"}))
    )
    report = Gate().examine(mixed, case.state, judge=judge)
    assert not report.admitted
    assert judge.asked == []
    assert made(report)["discrimination"] is None


def test_sampled_candidates_take_the_place_of_perturbed_ones(case: Any) -> None:
    alike = [case.search("Jamaica tea"), case.search("Jamaica rum")]
    assert not Gate().examine(case.informative, case.state, candidates=alike).admitted
    # The point's own candidates still serve its labels.
    report = Gate().examine(case.informative, case.state, candidates=alike, point=case.point)
    assert (made(report)["discrimination"], made(report)["effect"]) == (False, True)


def test_a_point_of_another_state_is_refused(case: Any) -> None:
    with pytest.raises(ConfigError, match="another state"):
        Gate().examine(case.informative, case.state, point=case.at(3))


def test_an_unknown_test_is_refused() -> None:
    with pytest.raises(ConfigError, match="no test 'luck'"):
        Gate(require=("luck",))  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        Thresholds.of(discrimination=2)


def test_each_result_leaves_a_remark(case: Any) -> None:
    kept = Gate().examine(case.informative, case.state).remarks
    assert [remark.deed for remark in kept] == ["found"] * 4 + ["kept"]
    refused = Gate().examine(case.unknown_tool, case.state).remarks
    assert [(r.deed, r.problem) for r in refused if r.deed == "refused"] == [
        ("refused", "unknown_tool"),
        ("refused", "conflict"),
        ("refused", None),
    ]


def test_async_is_the_same(case: Any) -> None:
    judge = ScriptedJudge(lambda _, action: "unmet" if action.stops else "met")
    options: dict[str, Any] = {"point": case.point, "judge": judge, "readers": [CheckReader()]}
    gate = Gate()
    blocking = gate.examine(case.prose, case.state, **options)
    waiting = asyncio.run(gate.aexamine(case.prose, case.state, **options))
    assert waiting.results == blocking.results
    assert waiting.cost.calls == blocking.cost.calls == 8  # four candidates in two arms


# --- a generator behind it ---------------------------------------------------------------------


@pytest.fixture(params=["sync", "async"])
def write(request: pytest.FixtureRequest) -> Any:
    def written(generator: RubricGenerator, state: State) -> Written:
        return generator.write(state) if request.param == "sync" else asyncio.run(generator.awrite(state))

    return written


def test_what_passes_goes_through_unchanged(case: Any, write: Any) -> None:
    gated = GatedGenerator(ScriptedGenerator(case.informative), Gate())
    assert isinstance(gated, RubricGenerator)
    assert gated.id.startswith("scripted+gate.1:")
    written = write(gated, case.state)
    assert written.rubric == case.informative
    assert written.cost.calls == 1
    assert [remark.deed for remark in written.remarks][-2:] == ["kept", "found"]
    assert "never measured" in written.remarks[-1].reason


def test_what_does_not_pass_is_an_error_that_says_why(case: Any, write: Any) -> None:
    gated = GatedGenerator(ScriptedGenerator(case.unknown_tool), Gate())
    with pytest.raises(RubricRefusedError, match="lint") as caught:
        write(gated, case.state)
    error = caught.value
    assert isinstance(error, GenerationError)
    assert (error.generator, error.cause, error.cost.calls) == ("scripted", "refusal", 1)
    assert {remark.problem for remark in error.remarks} >= {"unknown_tool", "conflict"}


def test_or_the_fallback_writes_and_the_remarks_say_so(case: Any, write: Any) -> None:
    gated = GatedGenerator(ScriptedGenerator(case.unknown_tool), Gate(), fallback=HeuristicGenerator())
    written = write(gated, case.state)
    assert written.rubric == HeuristicGenerator().write(case.state).rubric
    assert written.cost.calls == 1
    deeds = [(remark.deed, remark.problem) for remark in written.remarks]
    assert ("refused", "unknown_tool") in deeds
    assert written.remarks[-1].reason == "gate: heuristic.1 wrote instead of scripted"


def test_the_verdict_on_a_refused_rubric_is_the_rubric_free_one(case: Any, write: Any) -> None:
    judge = ScriptedJudge(
        lambda criterion, action: "met" if criterion.id == "step" and action.stops else "unmet"
    )
    gated = GatedGenerator(ScriptedGenerator(case.unknown_tool), Gate(), fallback=RubricFreeGenerator())
    instead = write(gated, case.state).rubric
    got = judged(instead, case.point.actions, case.state, judge=judge)
    free = judged(RUBRIC_FREE, case.point.actions, case.state, judge=judge)
    refused = judged(case.unknown_tool, case.point.actions, case.state, judge=judge)
    assert [(one.rubric, one.passed, one.verdicts) for one in got] == [
        (one.rubric, one.passed, one.verdicts) for one in free
    ]
    assert [one.passed for one in got] != [one.passed for one in refused]


def test_a_misleading_writer_is_not_asked_once_it_was_measured(case: Any, write: Any) -> None:
    points = [case.at(n) for n in range(12)]
    report = qualify_generator(ScriptedGenerator(case.misleading), points)
    inner = ScriptedGenerator(case.misleading)
    gated = GatedGenerator(inner, Gate(), qualified=report, fallback=RubricFreeGenerator())
    assert write(gated, case.state).rubric == RUBRIC_FREE
    with pytest.raises(RubricRefusedError, match="may not guide"):
        write(GatedGenerator(inner, Gate(), qualified=report), case.state)
    assert inner.states == []


def test_a_report_of_another_generator_is_refused(case: Any) -> None:
    report = qualify_generator(HeuristicGenerator(), [case.at(n) for n in range(3)])
    with pytest.raises(ConfigError, match=r"heuristic\.1"):
        GatedGenerator(ScriptedGenerator(case.informative), Gate(), qualified=report)


def test_the_id_tells_gates_apart() -> None:
    def named(*arguments: Any, **options: Any) -> str:
        return GatedGenerator(HeuristicGenerator(), Gate(*arguments, **options)).id

    class Others(ContractGenerator):
        id = "contracts.others"

    assert named() == named(Thresholds(), require=("discrimination", "lint"))
    gates = {
        named(),
        named(Thresholds(lint=1.0)),
        named(require=("lint",)),
        named(require=()),
        named(contracts=Others()),
    }
    assert len(gates) == 5


def test_a_report_by_another_judge_is_refused(case: Any) -> None:
    points = [case.at(n) for n in range(3)]
    inner, judge = ScriptedGenerator(case.informative), ScriptedJudge(lambda *_: "met", name="one")
    other = ScriptedJudge(lambda *_: "met", name="other")
    alone, judged_by = qualify_generator(inner, points), qualify_generator(inner, points, judge=judge)
    GatedGenerator(inner, Gate(), qualified=alone)
    GatedGenerator(inner, Gate(), qualified=judged_by, judge=judge)
    for report, given in ((alone, judge), (judged_by, None), (judged_by, other)):
        with pytest.raises(ConfigError, match="judge"):
            GatedGenerator(inner, Gate(), qualified=report, judge=given)


def test_a_sampler_that_blocks_does_not_hold_the_event_loop(case: Any) -> None:
    threads: list[int] = []

    def sampler(state: State) -> Any:
        threads.append(threading.get_ident())
        return case.point.actions

    gated = GatedGenerator(ScriptedGenerator(case.informative), Gate(), sampler=sampler)
    assert asyncio.run(gated.awrite(case.state)).rubric == gated.write(case.state).rubric
    assert threads[0] != threading.get_ident() == threads[1]


def test_a_judge_that_is_down_refuses_with_its_cause(case: Any, write: Any) -> None:
    gated = GatedGenerator(ScriptedGenerator(case.prose), Gate(), judge=ScriptedJudge(DOWN))
    with pytest.raises(RubricRefusedError) as caught:
        write(gated, case.state)
    assert caught.value.cause == "transport"


def test_a_gate_that_breaks_refuses(case: Any, write: Any) -> None:
    def sampler(state: State) -> list[Action]:
        raise ConnectionError("no policy to sample from")

    gated = GatedGenerator(ScriptedGenerator(case.informative), Gate(), sampler=sampler)
    with pytest.raises(RubricRefusedError, match="no policy to sample") as caught:
        write(gated, case.state)
    assert caught.value.cause == "transport"
    assert caught.value.cost.calls == 1


def test_control_flow_passes_through(case: Any, write: Any) -> None:
    def sampler(state: State) -> list[Action]:
        raise GraphInterrupt(())

    for gated in (
        GatedGenerator(ScriptedGenerator(case.informative), Gate(), sampler=sampler),
        GatedGenerator(ScriptedGenerator(case.prose), Gate(), judge=ScriptedJudge(GraphInterrupt(()))),
        GatedGenerator(ScriptedGenerator(GraphInterrupt(())), Gate()),
    ):
        with pytest.raises(GraphInterrupt):
            write(gated, case.state)


def test_a_generator_that_fails_fails_as_it_is(case: Any, write: Any) -> None:
    error = NoRubricError("nothing", generator="scripted", cause="parse")
    gated = GatedGenerator(ScriptedGenerator(error), Gate(), fallback=HeuristicGenerator())
    with pytest.raises(NoRubricError) as caught:
        write(gated, case.state)
    assert caught.value is error


class Nosy:
    """A judge that remembers all that it is shown."""

    id = "nosy"

    def __init__(self) -> None:
        self.seen: list[str] = []

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        self.seen.append(repr((criteria, action, state)))
        status = "unmet" if action.stops else "met"
        return Ruling(
            tuple(Verdict(criterion=c.id, reason="r", status=status) for c in criteria)  # type: ignore[arg-type]
        )

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        return self.judge(criteria, action, state)


def test_no_gain_can_reach_the_gate_at_run_time(case: Any, write: Any) -> None:
    # The same state with other gains: nothing that is shown, asked or decided may differ.
    seen = []
    for gains in ((1.0, 0.4, 0.1, 0.0), (0.0, 0.1, 0.4, 1.0)):
        point, judge = case.at(1, gains=gains), Nosy()
        states: list[State] = []

        def sampler(state: State, states: list[State] = states, point: Any = point) -> Any:
            states.append(state)
            return point.actions

        gated = GatedGenerator(ScriptedGenerator(case.prose), Gate(), judge=judge, sampler=sampler)
        written = write(gated, point.state)
        assert states == [point.state]
        seen.append((judge.seen, written.rubric, written.remarks, written.cost.calls))
    assert seen[0] == seen[1]
    assert not {"gain", "point", "label"} & set(State.model_fields)


def test_what_the_gate_costs_is_told(case: Any, write: Any) -> None:
    judge = ScriptedJudge(lambda _, action: "unmet" if action.stops else "met")
    gated = GatedGenerator(ScriptedGenerator(case.prose), Gate(), judge=judge)
    assert write(gated, case.state).cost.calls == 1 + 6  # one for writing, one for each candidate
    assert Cost().calls == 0
