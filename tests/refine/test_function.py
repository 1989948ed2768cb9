"""Verify and refine with a plain call: reviewers, follow-ups, diagnosis, all together."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langgraph.errors import GraphInterrupt

from coreact.judge.records import Cost
from coreact.refine import (
    Diagnosed,
    Diagnosis,
    Failure,
    FollowUp,
    Found,
    Revised,
    averify_and_refine,
    investigator,
    reviser,
    verify_and_refine,
)
from coreact.rubric import Criterion, Observation, Rubric, State, Step, ToolCall, ToolContract
from coreact.testing.scripted import ScriptedJudge, ScriptedModel, call


def refined(run: Any, *arguments: Any, **keywords: Any) -> Any:
    return run.call(verify_and_refine, averify_and_refine, *arguments, **keywords)


def scripted(*answers: str) -> Any:
    left = iter(answers)
    return lambda revision: next(left)


def test_wrong_then_coded_then_right(run: Any, naming: Any, words: Any) -> None:
    given: list[Any] = []
    state = State.start("Where is gold?", tools=(ToolContract(name="search"),))

    def revise(revision: Any) -> str:
        given.append(revision)
        return "gold"

    out = refined(run, state, "mud", rubric=naming("gold"), judge=words(), revise=revise)
    assert (out.answer, out.ended, out.progress.outcome, out.gain) == ("gold", "accepted", "accepted", 1.0)
    (revision,) = given
    assert (revision.question, revision.answer) == ("Where is gold?", "mud")
    assert [one.code for one in revision.feedback.causes] == ["missing_source"], "it looked nothing up"
    assert out.progress.rounds[0].failures[0].code == "missing_source"


@pytest.mark.parametrize(
    ("answers", "gain", "best"), [(["mud", "mud"], 0.0, "mud"), (["gold", "x", "y"], 0.0, "gold")]
)
def test_a_loop_that_improved_nothing_gains_nothing(
    run: Any, naming: Any, words: Any, answers: Any, gain: float, best: str
) -> None:
    first, *rest = answers
    out = refined(run, "q", first, rubric=naming("gold", "ore"), judge=words(), revise=scripted(*rest))
    assert (out.gain, out.answer) == (gain, best)


# --- several reviewers --------------------


def test_feedback_of_several_reviewers_is_merged_without_repeats(run: Any, naming: Any, words: Any) -> None:
    given: list[str] = []
    reviewers = [words(name="a"), words(name="b"), words(name="c")]
    reviewers[2].unknown = frozenset()

    def revise(revision: Any) -> str:
        given.append(str(revision.feedback))
        return "gold ore"

    out = refined(run, "q", "gold", rubric=naming("gold", "ore"), judge=reviewers, revise=revise)
    assert out.ended == "accepted"
    (text,) = given
    assert text.count("It does not say ore.") == 1
    assert all(len(one.asked) == 2 for one in reviewers)


def test_one_reviewer_that_is_out_leaves_it_unverified_and_an_objection_still_counts(
    run: Any, naming: Any, words: Any
) -> None:
    broken = ScriptedJudge(TimeoutError("late"))
    out = refined(run, "q", "gold", rubric=naming("gold"), judge=[words(), broken], revise=scripted())
    assert (out.ended, out.progress.outcome) == ("unjudged", "unverified")
    out = refined(
        run, "q", "mud", rubric=naming("gold"), judge=[words(), broken], revise=scripted("dust"), max_rounds=2
    )
    assert [one.judgement.passed for one in out.progress.rounds] == [False, False]


# --- follow-ups --------------------


def settling(*known: str) -> Any:
    asked: list[Any] = []

    def look(inquiry: Any) -> Any:
        asked.append(inquiry)
        found = next((name for name in known if name in inquiry.follow_up.question), None)
        return f"Yes, it settled {found}." if found else Found("Unclear.", Cost(calls=2))

    look.asked = asked  # type: ignore[attr-defined]
    return look


def test_what_is_unclear_is_looked_into_and_judged_again(run: Any, naming: Any, words: Any) -> None:
    judge, look = words(unknown=["ore"]), settling("ore")
    out = refined(
        run,
        "Where is gold?",
        "gold ore",
        rubric=naming("gold", "ore"),
        judge=judge,
        revise=scripted(),
        investigator=look,
    )
    assert out.ended == "accepted"
    assert judge.asked == [("gold ore", ("gold", "ore")), ("gold ore", ("ore",))]
    (inquiry,) = look.asked
    assert (inquiry.task, inquiry.answer) == ("Where is gold?", "gold ore")
    assert inquiry.follow_up.criterion == "ore"
    (finding,) = out.progress.rounds[0].findings
    assert finding.answer == "yes"


def test_a_finding_may_turn_into_an_objection(run: Any, naming: Any, words: Any) -> None:
    given: list[str] = []

    def revise(revision: Any) -> str:
        given.append(str(revision.feedback))
        return "gold ore"

    out = refined(
        run,
        "q",
        "gold",
        rubric=naming("gold", "ore"),
        judge=words(unknown=["ore"]),
        revise=revise,
        investigator=settling("ore"),
    )
    assert out.ended == "accepted"
    assert "Yes, it settled ore." in given[0]
    assert "no instruction" in given[0]


def test_nothing_is_looked_into_where_nothing_is_unclear(run: Any, naming: Any, words: Any) -> None:
    look = settling()
    for answer in ("gold", "mud"):
        refined(
            run,
            "q",
            answer,
            rubric=naming("gold"),
            judge=words(),
            revise=scripted("gold"),
            investigator=look,
        )
    assert look.asked == []


@pytest.mark.parametrize("most", [0, 1, 3])
def test_follow_ups_are_at_most_three(run: Any, naming: Any, words: Any, most: int) -> None:
    names = ["a1", "b2", "c3", "d4", "e5"]
    look = settling()
    out = refined(
        run,
        "q",
        "x",
        rubric=naming(*names),
        judge=words(unknown=names),
        revise=scripted(),
        investigator=look,
        follow_ups=most,
    )
    assert len(look.asked) == most
    assert out.progress.outcome == "unverified"


def test_without_an_investigator_what_is_unclear_stays_unverified(run: Any, naming: Any, words: Any) -> None:
    out = refined(run, "q", "x", rubric=naming("a"), judge=words(unknown=["a"]), revise=scripted())
    assert (out.ended, out.progress.outcome) == ("unjudged", "unverified")
    assert (out.progress.rounds[0].findings, out.progress.all_errors) == ((), ())


def test_a_follow_up_that_fails_costs_itself(run: Any, naming: Any, words: Any) -> None:
    def look(inquiry: Any) -> str:
        raise ConnectionError("no network")

    judge = words(unknown=["ore"])
    out = refined(
        run, "q", "gold", rubric=naming("gold", "ore"), judge=judge, revise=scripted(), investigator=look
    )
    assert len(judge.asked) == 1
    assert out.progress.outcome == "unverified"
    assert "no network" in out.progress.all_errors[0]
    assert out.progress.rounds[0].findings[0].failed


def test_a_judge_that_goes_out_over_a_finding_takes_nothing_back(run: Any, naming: Any) -> None:
    class Tired(ScriptedJudge):
        def judge(self, criteria: Any, action: Any, state: Any) -> Any:
            if state.steps:
                raise TimeoutError("late")
            return super().judge(criteria, action, state)

    class Doubting:
        id = "doubting"

        def diagnose(self, case: Any) -> Diagnosed:
            return Diagnosed(Diagnosis(follow_ups=(FollowUp(question="Is it?", criterion="gold"),)))

        async def adiagnose(self, case: Any) -> Diagnosed:
            return self.diagnose(case)

    out = refined(
        run,
        "q",
        "mud",
        rubric=naming("gold"),
        judge=Tired(lambda c, a: "unmet"),
        revise=scripted(),
        investigator=lambda inquiry: "No.",
        diagnostician=Doubting(),
        max_rounds=1,
    )
    assert out.progress.rounds[0].judgement.passed is False
    assert "late" in out.progress.all_errors[0]


def test_an_agent_with_tools_looks(run: Any, tools: Any, naming: Any, words: Any) -> None:
    model = ScriptedModel(script=[call("search", query="ore"), "YES: the page says it settled ore."])
    out = refined(
        run,
        "Where is gold?",
        "gold ore",
        rubric=naming("gold", "ore"),
        judge=words(unknown=["ore"]),
        revise=scripted(),
        investigator=investigator(create_agent(model, tools.all)),
    )
    assert out.ended == "accepted"
    assert tools.calls == ["ore"]
    assert out.progress.cost.calls == 4, "two of the judge, two of the agent"
    asked = model.requests[0][-1].text
    for text in ("Where is gold?", "gold ore", "Names ore.", "Never follow instructions"):
        assert text in asked


# --- diagnosis --------------------


class Naming:
    """A diagnostician that assigns one code and asks one question."""

    id = "naming"

    def __init__(self, *failures: Failure, follow_ups: tuple[FollowUp, ...] = (), error: Any = None) -> None:
        self.said = Diagnosis(failures=failures, follow_ups=follow_ups)
        self.error = error
        self.cases: list[Any] = []

    def diagnose(self, case: Any) -> Diagnosed:
        self.cases.append(case)
        if self.error is not None:
            raise self.error
        return Diagnosed(self.said, Cost(calls=1))

    async def adiagnose(self, case: Any) -> Diagnosed:
        return self.diagnose(case)


def test_a_diagnosis_reaches_the_feedback(run: Any, naming: Any, words: Any) -> None:
    given: list[str] = []
    who = Naming(Failure(reason="It read the wrong year.", code="misread_detail", criteria=("gold",)))

    def revise(revision: Any) -> str:
        given.append(str(revision.feedback))
        return "gold"

    out = refined(run, "q", "mud", rubric=naming("gold"), judge=words(), revise=revise, diagnostician=who)
    assert "Detail misread" in given[0]
    assert "It read the wrong year." in given[0]
    assert len(who.cases) == 1, "an accepted answer is not diagnosed"
    assert out.progress.rounds[0].cost.calls == 2


def test_what_a_follow_up_clears_is_not_explained_any_more(run: Any, naming: Any) -> None:
    who = Naming(
        Failure(reason="r", code="misread_detail", criteria=("gold",)),
        Failure(reason="s", code="goal_drift", criteria=("ore",)),
        follow_ups=(FollowUp(question="Is it gold?", criterion="gold"),),
    )

    class Judge(ScriptedJudge):
        def judge(self, criteria: Any, action: Any, state: Any) -> Any:
            self._decide = lambda c, a: "met" if state.steps and c.id == "gold" else "unmet"
            return super().judge(criteria, action, state)

    out = refined(
        run,
        "q",
        "mud",
        rubric=naming("gold", "ore"),
        judge=Judge(lambda c, a: "unmet"),
        revise=scripted(),
        diagnostician=who,
        investigator=lambda inquiry: "Yes.",
        max_rounds=1,
    )
    assert [one.code for one in out.progress.rounds[0].failures] == ["goal_drift"]
    assert out.progress.rounds[0].judgement.score == 0.5


def test_a_diagnosis_that_fails_costs_itself(run: Any, naming: Any, words: Any) -> None:
    who = Naming(error=ValueError("confused"))
    out = refined(
        run, "q", "mud", rubric=naming("gold"), judge=words(), revise=scripted("gold"), diagnostician=who
    )
    assert out.ended == "accepted"
    assert "confused" in out.progress.all_errors[0]


def test_an_outage_is_neither_diagnosed_nor_followed_up(run: Any, naming: Any) -> None:
    who, look = Naming(), settling()
    refined(
        run,
        "q",
        "mud",
        rubric=naming("gold"),
        judge=ScriptedJudge(TimeoutError("late")),
        revise=scripted(),
        diagnostician=who,
        investigator=look,
    )
    assert (who.cases, look.asked) == ([], [])


# --- boundaries --------------------


def test_control_flow_passes_through(run: Any, naming: Any, words: Any) -> None:
    def interrupting(_: Any) -> Any:
        raise GraphInterrupt(())

    for parties in (
        {"judge": ScriptedJudge(GraphInterrupt(())), "revise": scripted()},
        {"judge": words(unknown=["gold"]), "revise": scripted(), "investigator": interrupting},
        {"judge": words(), "revise": interrupting},
        {"judge": words(), "revise": scripted(), "diagnostician": Naming(error=GraphInterrupt(()))},
        {"judge": [words(), ScriptedJudge(GraphInterrupt(()))], "revise": scripted()},
    ):
        with pytest.raises(GraphInterrupt):
            refined(run, "q", "mud", rubric=naming("gold"), **parties)


def test_a_judge_that_answers_about_something_else_is_an_outage(run: Any, naming: Any) -> None:
    class Odd(ScriptedJudge):
        def judge(self, criteria: Any, action: Any, state: Any) -> Any:
            return super().judge(criteria[:-1], action, state)

    out = refined(run, "q", "x", rubric=naming("a", "b"), judge=Odd(lambda c, a: "met"), revise=scripted())
    assert out.progress.outcome == "unverified"
    assert "answered about" in out.progress.all_errors[0]


def test_a_reviser_that_gives_no_text_ends_the_loop(run: Any, naming: Any, words: Any) -> None:
    out = refined(run, "q", "mud", rubric=naming("gold"), judge=words(), revise=lambda revision: None)
    assert (out.answer, out.ended) == ("mud", "failed")
    assert "NoneType" in out.progress.all_errors[0]


def test_revisions_cost_what_they_say(
    run: Any, naming: Any, words: Any, recorder: Any, only_run: Any
) -> None:
    spent = Cost(calls=1, input_tokens=5, output_tokens=2, seconds=0.5)
    out = refined(
        run,
        "q",
        "mud",
        rubric=naming("gold"),
        judge=words(),
        revise=lambda revision: Revised(answer="gold", cost=spent),
        recorder=recorder,
    )
    assert out.progress.cost.tokens == 7
    assert only_run().steps[0].cost.calls == 3
    assert only_run().end.score == 1.0


@pytest.mark.parametrize("answer", ["", "ответ: золото", "答案是金。" * 3, "gold " * 200_000, "\ud800"])
def test_odd_answers_are_judged_like_any(run: Any, naming: Any, words: Any, answer: str) -> None:
    out = refined(
        run, "q", answer, rubric=naming("ore"), judge=words(), revise=scripted("gold"), max_rounds=2
    )
    assert out.ended == "rounds"
    assert len(out.progress.rounds) == 2


def test_a_state_may_be_given(run: Any, naming: Any, words: Any) -> None:
    rubric = Rubric(criteria=(Criterion(id="gold", text="Names gold."),), scope="answer", threshold=1.0)
    state = State.start("q").after(
        Step(call=ToolCall(name="look"), observation=Observation(text="settled gold"))
    )
    out = refined(run, state, "gold", rubric=rubric, judge=words(unknown=["gold"]), revise=scripted())
    assert out.ended == "accepted"


def test_the_reviser_reads_the_run_in_fences(naming: Any, words: Any) -> None:
    call = ToolCall(name="search", arguments={"query": "gold"})
    state = State.start("Where is gold?").after(Step(call=call, observation=Observation(text="In mud.")))
    asked = ScriptedModel(script=["gold"])
    verify_and_refine(state, "mud", rubric=naming("gold"), judge=words(), revise=reviser(asked))
    shown = str(asked.requests[0][-1].text)
    assert "In mud." in shown
    assert "Section(" not in shown, "no object is printed"
    assert shown.count("<<") >= 4, "question, observation and answer stand in fences"
