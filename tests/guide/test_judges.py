"""Judges inside of an agent: families, panels on the ladder, where their failures show."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
from langchain.agents import create_agent

from coreact.errors import ConfigError
from coreact.guide import STATUS_KEY, CoReActMiddleware
from coreact.judge.model import ModelJudge
from coreact.judge.panel import JudgePanel, SharedFamilyWarning
from coreact.rubric import Criterion, Rubric
from coreact.testing import ScriptedGenerator, ScriptedJudge, ScriptedModel

RUBRIC = Rubric(criteria=(Criterion(id="a", text="It is clear."),))
MET = json.dumps({"k1": {"reason": "r", "quotes": ["good day"], "status": "met"}})


class Named(ScriptedModel):
    model_name: str = "claude-sonnet-5"


def agent(judge: Any, *, script: Any = ("good day",), name: str = "claude-opus-5", **settings: Any) -> Any:
    middleware = CoReActMiddleware(generator=ScriptedGenerator(RUBRIC), judge=judge, retries=0, **settings)
    model = Named(script=list(script), model_name=name)
    return create_agent(model, [], middleware=[middleware])


def kin(name: str = "claude-sonnet-5") -> ModelJudge:
    return ModelJudge(Named(script=[MET, MET], model_name=name), attempts=1)


@pytest.mark.parametrize("seat", [lambda judge: judge, lambda judge: JudgePanel([judge])])
def test_a_judge_of_the_agents_family_is_named_once(run: Any, seat: Any) -> None:
    kindred = agent(seat(kin()), script=["good day", "good day"])
    with pytest.warns(SharedFamilyWarning, match="'claude-sonnet-5' and agent 'claude-opus-5'") as seen:
        run.ask(kindred)
    assert len(seen) == 1
    run.ask(kindred)  # warnings are errors here: it does not say so twice


def test_it_can_be_refused_or_allowed(run: Any) -> None:
    with pytest.raises(ConfigError, match="of the family claude"):
        run.ask(agent(kin(), same_family="refuse"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = run.ask(agent(kin(), same_family="allow"))
        run.ask(agent(kin("gpt-5.5")))
    assert out[STATUS_KEY]["status"] == "met"


def test_the_first_member_is_asked_alone_below_the_top_rung() -> None:
    from coreact.guide.drivers import drive
    from coreact.guide.requests import JudgeCriteria
    from coreact.rubric import Action, State

    members = [ScriptedJudge(lambda c, a: "met", name=f"judge-{at}") for at in range(3)]
    panel = JudgePanel(members)

    def loop(rung: Any) -> Any:
        reply = yield JudgeCriteria(
            criteria=RUBRIC.criteria, action=Action(answer="x"), state=State.start("?"), rung=rung
        )
        return reply

    def served(rung: Any) -> str:
        judged = drive(
            loop(rung),
            generator=ScriptedGenerator(RUBRIC),
            judge=panel,
            call_model=lambda _: (),
            watch=lambda _: None,
        )
        return judged.verdicts[0].decided_by

    assert served("panel") == panel.id
    assert served("judge") == "judge-0"


def test_what_broke_a_judge_stands_in_the_public_status(run: Any) -> None:
    broken = ModelJudge(ScriptedModel(script=[TimeoutError("slow")]), attempts=1)
    out = run.ask(agent(broken))
    assert out[STATUS_KEY]["status"] == "unknown"
    assert "TimeoutError: slow" in out[STATUS_KEY]["errors"][0]
    unsupported = ModelJudge(
        ScriptedModel(script=[json.dumps({"k1": {"reason": "r", "quotes": [], "status": "met"}})])
    )
    out = run.ask(agent(unsupported))
    assert (out[STATUS_KEY]["status"], out[STATUS_KEY]["errors"]) == ("unknown", [])
