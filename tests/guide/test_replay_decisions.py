"""Decisions made again from the record alone: equal where nothing changed, named where something did."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import AIMessage
from langgraph.graph import START, StateGraph
from pydantic import BaseModel

from coreact.errors import ConfigError, ReplayDivergenceError
from coreact.generate.contracts import ContractGenerator
from coreact.guide import CoReActMiddleware, CoReActState, guide
from coreact.guide.redeciding import redecide
from coreact.judge import Verdict
from coreact.rubric import Criterion, NotRepeat, Rubric
from coreact.testing.scripted import ScriptedGenerator, ScriptedJudge, ScriptedModel, call
from coreact.trace import InMemoryTraceStore, Recorder, SQLiteTraceStore, Trajectory

TASTE = Rubric(criteria=(Criterion(id="taste", text="Tasteful."),))
MIXED = Rubric(
    criteria=(
        Criterion(id="taste", text="Tasteful."),
        Criterion(id="fresh", text="New.", check=NotRepeat(), depends_on=()),
    )
)


def judge(criterion: Any, action: Any) -> Any:
    return "unmet" if "mud" in str(action) else "met"


@pytest.fixture
def record(run: Any, tools: Any, tmp_path: Any) -> Any:
    """Run an agent on a script and read the run back from a real store."""

    def made(script: Any, *, agent: dict[str, Any] | None = None, **given: Any) -> Trajectory:
        store = SQLiteTraceStore(tmp_path / "traces.db")
        middleware = CoReActMiddleware(recorder=Recorder(store), **given)
        run.ask(
            create_agent(ScriptedModel(script=script), tools.all, middleware=[middleware], **(agent or {}))
        )
        store.flush()
        trajectory = store.trajectory(store.runs()[0].id)
        store.close()
        return trajectory

    return made


SEARCHES = [call("search", query=query) for query in ("mud", "gold", "ore")]
BOTH = AIMessage(
    "",
    tool_calls=[
        {"name": "search", "args": {"query": "mud"}, "id": "1"},
        {"name": "search", "args": {"query": "gold"}, "id": "2"},
    ],
)
OWN = "<rubric>\n1. [weight 1] Name the metal.\n</rubric>\nGold."


class City(BaseModel):
    """A city."""

    name: str


def cases() -> dict[str, tuple[list[Any], dict[str, Any]]]:
    judged = {"generator": ScriptedGenerator(MIXED), "judge": ScriptedJudge(judge)}
    failing = ScriptedGenerator(TASTE, ValueError("no idea"))
    return {
        "heuristic": ([SEARCHES[1], SEARCHES[1], SEARCHES[2], "In ore."], {"retries": 2, "step_budget": 4}),
        "contracts": ([SEARCHES[1], "In ore."], {"generator": ContractGenerator()}),
        "judged": ([*SEARCHES, "In ore."], judged),
        "candidates": ([*SEARCHES, "Ore.", "In ore.", "In ore."], {**judged, "candidates": 3}),
        "parallel": ([BOTH, "In ore."], judged),
        "blocked": ([SEARCHES[0], SEARCHES[0], "In ore."], {**judged, "on_unmet": "block"}),
        "no judge": ([SEARCHES[0], "In ore."], {"generator": ScriptedGenerator(MIXED)}),
        "broken judge": (["In ore."], {**judged, "judge": ScriptedJudge(TimeoutError("slow"))}),
        "failed retry": ([SEARCHES[0], ConnectionError("reset"), "In ore."], judged),
        "failed generator": ([SEARCHES[1], "In ore.", "In ore."], {"generator": failing}),
        "last good": (
            [SEARCHES[1], "In ore.", "In ore."],
            {"generator": ScriptedGenerator(TASTE, ValueError("no idea")), "fallback": "last_good"},
        ),
        "no fallback": (
            [SEARCHES[1], "In ore."],
            {"generator": ScriptedGenerator(TASTE, ValueError("no idea")), "fallback": "none"},
        ),
        "own rubric": ([OWN, OWN], {"own_rubric": True, "judge": ScriptedJudge(judge)}),
        "calls limited": ([*SEARCHES, "In ore.", "x", "x"], {**judged, "limits": {"calls": 4}}),
        "time limited": ([*SEARCHES, "In ore.", "x", "x"], {**judged, "limits": {"seconds": 1e-9}}),
        "constrained": ([SEARCHES[1], "In ore.", "In ore."], {"constrain": True}),
    }


@pytest.mark.parametrize("name", cases())
@pytest.mark.parametrize("calls", [True, False], ids=["calls", "attempts"])
def test_every_decision_comes_out_as_recorded(record: Any, name: str, calls: bool) -> None:
    script, given = cases()[name]
    trajectory: Trajectory = record(script, **given)
    if not calls:
        trajectory = trajectory.model_copy(update={"calls": ()})
    report = redecide(trajectory)
    assert [step.step for step in report.steps] == [step.index for step in trajectory.steps]
    assert report.answers == ("calls" if calls else "attempts")
    assert sum(step.attempts for step in report.steps) == sum(len(s.attempts) for s in trajectory.steps)


def test_structured_answers_are_decided_again(record: Any) -> None:
    script = [call("search", query="gold"), call("City", name="Oslo")]
    trajectory = record(script, agent={"response_format": ToolStrategy(City)}, retries=0)
    assert redecide(trajectory).steps[1].attempts == 1
    redecide(trajectory.model_copy(update={"calls": ()}))


def test_the_report_says_what_was_done_anew(record: Any) -> None:
    report = redecide(
        record([*SEARCHES, "In ore."], generator=ScriptedGenerator(MIXED), judge=ScriptedJudge(judge))
    )
    assert [step.rubric for step in report.steps] == ["from the record"] * 3
    assert [(step.attempts, step.verdicts, step.checked) for step in report.steps] == [
        (2, 4, 2),
        (1, 2, 1),
        (1, 2, 1),
    ]
    heuristic = redecide(record([SEARCHES[1], "Found gold.", "Found gold."]))
    assert {step.rubric for step in heuristic.steps} == {"written anew"}


def test_a_decision_without_a_state_is_named_and_left_out(record: Any, tools: Any) -> None:
    trajectory = record(["x", "x"])
    bare = trajectory.steps[0].model_copy(update={"state_digest": "", "rubric": None})
    report = redecide(trajectory.model_copy(update={"steps": (bare,)}))
    assert (report.steps, report.unguided) == ((), (0,))


# --- where it comes out otherwise ---------------------------------------------------------------------------


def test_of_several_messages_of_a_node_the_proposal_is_decided_again(run: Any) -> None:
    def node(_: Any) -> Any:
        return {"messages": [AIMessage("Let me think about it."), AIMessage("It is gold.")]}

    store = InMemoryTraceStore()
    builder = StateGraph(CoReActState)
    builder.add_node("model", guide(node, recorder=Recorder(store)))
    builder.add_edge(START, "model")
    run.ask(builder.compile())
    recorded = store.trajectory(store.runs()[0].id)
    assert len(redecide(recorded).steps) == 1


@pytest.fixture
def judged(record: Any) -> Trajectory:
    given = {"generator": ScriptedGenerator(MIXED), "judge": ScriptedJudge(judge)}
    trajectory: Trajectory = record([*SEARCHES, "In ore."], **given)
    return trajectory


def changed(trajectory: Trajectory, at: int, **update: Any) -> Trajectory:
    steps = list(trajectory.steps)
    steps[at] = steps[at].model_copy(update=update)
    return trajectory.model_copy(update={"steps": tuple(steps)})


def diverges(trajectory: Trajectory, step: int) -> str:
    with pytest.raises(ReplayDivergenceError) as raised:
        redecide(trajectory)
    assert (raised.value.run, raised.value.step) == (trajectory.run.id, step)
    return str(raised.value)


def attempt_with(trajectory: Trajectory, step: int, **update: Any) -> Trajectory:
    first, *rest = trajectory.steps[step].attempts
    return changed(trajectory, step, attempts=(first.model_copy(update=update), *rest))


def test_a_verdict_of_a_check_that_comes_out_otherwise_is_named(judged: Trajectory) -> None:
    verdicts = list(judged.steps[1].attempts[0].judgements[0].verdicts)
    at = next(n for n, one in enumerate(verdicts) if one.decided_by == "check")
    verdicts[at] = Verdict(criterion="fresh", reason="it was", status="unmet")
    old = judged.steps[1].attempts[0].judgements[0].model_copy(update={"verdicts": tuple(verdicts)})
    said = diverges(attempt_with(judged, 1, judgements=(old,)), 1)
    assert "attempt 0: action 0: verdict on 'fresh' was 'unmet: it was (check)', is 'met:" in said


@pytest.mark.parametrize(
    ("update", "named"),
    [
        ({"guidance": "Do it."}, "guidance was 'Do it.'"),
        ({"generator": "other"}, "generator was 'other', is 'scripted'"),
        ({"dispositions": ("blocked",)}, "dispositions was"),
        ({"rung": "judge"}, "rung was 'judge', is 'panel'"),
        ({"error": "oops"}, "error was 'oops', is 'None'"),
        ({"rubric": TASTE}, "criterion 1 was 'None', is 'fresh: New.'"),
    ],
)
def test_what_differs_first_is_named(judged: Trajectory, update: dict[str, Any], named: str) -> None:
    assert named in diverges(changed(judged, 1, **update), 1)


def test_a_changed_prompt_no_longer_fits_its_state(judged: Trajectory) -> None:
    from coreact.errors import StoreError

    edited = [dict(one) for one in judged.steps[1].prompt_added]
    edited[-1] = {**edited[-1], "data": {**edited[-1]["data"], "content": "Found silver."}}
    with pytest.raises(StoreError, match="another state"):
        redecide(changed(judged, 1, prompt_added=tuple(edited)))


def test_a_changed_reply_is_another_attempt(judged: Trajectory) -> None:
    message = {**judged.steps[0].attempts[0].message}
    message["data"] = {
        **message["data"],
        "tool_calls": [{"name": "search", "args": {"query": "x"}, "id": "1"}],
    }
    said = diverges(attempt_with(judged, 0, message=message), 0)
    assert "asks of the judge what was not recorded" in said


def test_calls_that_are_gone_are_missed(judged: Trajectory) -> None:
    fewer = tuple(one for one in judged.calls if not (one.step == 1 and one.kind == "model"))
    assert "asks of the model what was not recorded" in diverges(
        judged.model_copy(update={"calls": fewer}), 1
    )


def test_runs_of_others_and_without_content_are_refused(judged: Trajectory) -> None:
    for update, named in (
        ({"capture": "redacted"}, "capture='redacted'"),
        ({"origin": "atif"}, "imported"),
        # whatever else such a run lacks: what it lacks first is that nothing was decided
        ({"origin": "atif", "capture": "redacted", "settings": {"retrys": 3}}, "imported"),
        ({"settings": {"retrys": 3}}, "settings"),
    ):
        with pytest.raises(ConfigError, match=named):
            redecide(judged.model_copy(update={"run": judged.run.model_copy(update=update)}))
