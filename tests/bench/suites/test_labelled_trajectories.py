from __future__ import annotations

import pytest

from coreact.bench.metrics import FirstError, first_error, first_error_accuracy, step_f1
from coreact.bench.suites import judged_steps, load_agentrx, load_fireact
from coreact.errors import LabelFileError
from coreact.rubric import Criterion, Rubric, ToolIsNot
from coreact.testing import ScriptedJudge


def turn(role: str, content: str = "", name: str = "", arguments: str = "{}") -> dict:
    calls = (
        [{"id": "c", "type": "function", "function": {"name": name, "arguments": arguments}}]
        if name
        else None
    )
    return {"role": role, "content": content, "tool_calls": calls}


HISTORY = [
    turn("system", "Ask who it is first."),
    turn("user", "Cancel my order."),
    turn("assistant", "Who are you?"),
    turn("user", "Ada."),
    turn("assistant", name="find_order", arguments='{"of": "Ada"}'),
    turn("tool", "order 7"),
    turn("assistant", name="cancel", arguments='{"order": 8}'),
    turn("tool", "cancelled"),
    turn("assistant", "Done."),
]
FAILURE = {"step_index": 6, "failure_category": "Invention", "failed_agent": "Assistant"}
AGENTRX = {"id": "r1", "history": HISTORY, "failures": [FAILURE]}
FIREACT = {
    "hotpot_dev_index": 5,
    "question": "Who made it?",
    "gold": "ada",
    "pred": "ada",
    "em": True,
    "f1": 1.0,
    "n_steps": 3,
    "steps": [
        {"thought": "Hm.", "action": "search[who made it [really]]", "observation": "Ada made it."},
        {"thought": "I see."},
        {"thought": "So.", "action": "finish[Ada]", "observation": "Episode finished"},
        {"thought": "More?", "action": "search[more]"},
    ],
}


def test_steps_that_people_labelled(write):
    (run,) = load_agentrx(write("trajectories.jsonl", AGENTRX).parent)
    assert run.question == "Cancel my order."
    assert run.given == ("Ask who it is first.",)
    assert [str(step.action) for step in run.steps] == [
        "respond(text='Who are you?')",
        "find_order(of='Ada')",
        "cancel(order=8)",
        "respond(text='Done.')",
    ]
    assert run.labels == (True, True, False, None)
    assert first_error(run.labels) == FirstError(known=True, at=2)
    assert run.steps[2].category == "Invention"
    assert [step.observation and step.observation.text for step in run.steps] == [
        "Ada.",
        "order 7",
        "cancelled",
        None,
    ]
    assert run.right is False


def test_a_decision_is_made_in_the_state_before_it(write):
    (run,) = load_agentrx(write("trajectories.jsonl", AGENTRX))
    decisions = list(run.decisions())
    assert [len(decision.state.steps) for decision in decisions] == [0, 1, 2, 3]
    assert decisions[2].state.last_observation.text == "order 7"
    assert [decision.right for decision in decisions] == [True, True, False, None]


def test_what_follows_a_users_failure_has_no_label(write):
    theirs = {"step_index": 3, "failure_category": "Wrong name", "failed_agent": "User"}
    (run,) = load_agentrx(write("trajectories.jsonl", {**AGENTRX, "failures": [theirs, FAILURE]}))
    assert run.labels == (True, None, False, None)
    assert not first_error(run.labels).known


@pytest.mark.parametrize(
    "broken",
    [
        {**AGENTRX, "failures": []},
        {**AGENTRX, "failures": [{**FAILURE, "step_index": 99}]},
        {**AGENTRX, "history": HISTORY[:1]},
        {
            **AGENTRX,
            "history": [*HISTORY[:4], turn("assistant", name="find", arguments="{broken"), HISTORY[5]],
        },
        {"id": "r2"},
        "{",
    ],
)
def test_a_broken_run_is_named(write, broken):
    path = write("trajectories.jsonl", {**AGENTRX, "id": "r0"}, broken)
    with pytest.raises(LabelFileError) as failure:
        load_agentrx(path)
    assert (failure.value.path, failure.value.line) == (path, 2)


def test_runs_that_are_labelled_by_outcome(write):
    path = write(
        "agent.jsonl", FIREACT, {**FIREACT, "hotpot_dev_index": 6, "em": False, "steps": FIREACT["steps"][:2]}
    )
    one, other = load_fireact(path.parent)
    assert [str(step.action) for step in one.steps] == ["search(query='who made it [really]')", "answer: Ada"]
    assert (one.id, one.cluster, one.right, one.f1, one.complete) == ("agent/5", "5", True, 1.0, True)
    assert one.labels == (None, None)
    assert (other.right, other.complete) == (False, False)


def test_runs_without_a_step_or_a_file_are_named(write, tmp_path):
    with pytest.raises(LabelFileError, match=r"no \*\.jsonl"):
        load_fireact(tmp_path)
    path = write("agent.jsonl", FIREACT, {**FIREACT, "steps": [{"thought": "Hm."}]})
    with pytest.raises(LabelFileError, match="steps") as failure:
        load_fireact(path)
    assert failure.value.line == 2


def test_steps_are_judged_and_scored_against_the_labels(write):
    (run,) = load_agentrx(write("trajectories.jsonl", AGENTRX))
    rubric = Rubric(criteria=(Criterion(id="fits", text="It fits what was observed."),))
    sees = ScriptedJudge(lambda criterion, action: "unmet" if "8" in str(action) else "met")
    verdicts = judged_steps(run, rubric, sees)
    assert verdicts == (True, True, False, True)
    assert first_error_accuracy([(run.labels, verdicts)]).overall.value == 1
    assert step_f1([(run.labels, verdicts)]).f1 == 1
    assert step_f1([(run.labels, verdicts)]).total == 3
    nobody = judged_steps(run, rubric)
    assert nobody == (None,) * 4
    assert first_error_accuracy([(run.labels, nobody)]).overall == (None, 0, 1)
    down = judged_steps(run, rubric, ScriptedJudge(RuntimeError("down")))
    assert down == (None,) * 4


def test_checks_decide_without_a_judge(write):
    (run,) = load_agentrx(write("trajectories.jsonl", AGENTRX))
    rubric = Rubric(
        criteria=(Criterion(id="kept", text="Nothing is cancelled.", check=ToolIsNot(tools=("cancel",))),)
    )
    assert judged_steps(run, rubric) == (True, True, False, True)


def test_real_runs(data):
    runs = load_agentrx(data("agentrx_tau_open"))
    assert len(runs) == 29
    assert sum(label is False for run in runs for label in run.labels) == 28
    assert sum(first_error(run.labels).known for run in runs) == 21
    outcomes = load_fireact(data("fireact_hotpot_trajectories"))
    assert len(outcomes) == 499 + 500 + 465
    assert sum(run.right for run in outcomes) == 172 + 131 + 200
    assert len({run.id for run in outcomes}) == len(outcomes)


def test_a_run_stands_once_in_a_file(write):
    with pytest.raises(LabelFileError, match=r"line 2.*'agent/5'"):
        load_fireact(write("agent.jsonl", FIREACT, FIREACT))
    assert len(load_fireact(write("agent.jsonl", FIREACT, {**FIREACT, "hotpot_dev_index": 6}))) == 2


def test_files_without_a_run_are_refused(tmp_path):
    (tmp_path / "agent.jsonl").write_text("\n")
    with pytest.raises(LabelFileError, match="holds no run"):
        load_fireact(tmp_path)


def test_an_action_that_cannot_be_read_is_a_malformed_call_and_not_left_out(write):
    broken = {"action": "search[Ada] and Bob", "observation": "Invalid."}
    (run,) = load_fireact(write("agent.jsonl", {**FIREACT, "steps": [broken, *FIREACT["steps"]]}))
    call = run.steps[0].action.call
    assert call.name == "search"
    assert "search[Ada] and Bob" in call.malformed
    assert run.steps[0].observation.text == "Invalid."
    assert len(run.steps) == 3
