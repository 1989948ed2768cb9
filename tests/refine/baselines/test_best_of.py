"""Best-of-N: the planted best is chosen, unknown never beats known, and a bad sample costs itself only."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langgraph.errors import GraphInterrupt

from coreact.errors import ConfigError, ModelCallError
from coreact.generate import HeuristicGenerator
from coreact.judge import Ruling, Verdict
from coreact.refine.baselines import BestOfN, RubricScorer
from coreact.refine.baselines.record import best
from coreact.refine.baselines.scored import Scored
from coreact.rubric import Criterion, Rubric
from coreact.testing import ScriptedGenerator, ScriptedJudge

ASK = {"messages": [("user", "Where is gold?")]}


def answering(*answers: Any) -> Any:
    """Builds agents that give these answers, one a sample; exceptions are raised."""

    def build(tool_calls: int, sample: int) -> Any:
        def agent(given: dict[str, Any]) -> dict[str, Any]:
            answer = answers[sample]
            if isinstance(answer, BaseException):
                raise answer
            return {"messages": [*given["messages"], AIMessage(answer)]}

        return RunnableLambda(agent)

    return build


def best_of(answers: Any, scorer: Any) -> BestOfN:
    return BestOfN(answering(*answers), len(answers), scorer=scorer, tool_calls=len(answers))


def test_the_planted_best_is_chosen(run: Any, tenths: Any, numbers: Any) -> None:
    answers = ["3 mud", "5 sand", "9 gold", "4 dust"]
    out = run.ask(best_of(answers, RubricScorer(tenths(), numbers)))
    assert out["messages"][-1].text == "9 gold"
    record = out["baseline"]
    assert [one.score for one in record.tried] == [0.3, 0.5, 0.9, 0.4]
    assert [one.passed for one in record.tried] == [False, False, True, False]
    assert (record.chosen, record.why, record.cost.calls) == (2, "the highest score", 4)
    control = run.ask(best_of(answers, None))
    assert control["messages"][-1].text == "3 mud"
    assert [one.score for one in control["baseline"].tried] == [None] * 4


@pytest.mark.parametrize(
    ("answers", "chosen"),
    [
        (["7 a", "7 b"], 0),  # ties: the earliest
        (["who knows", "0 b"], 1),  # unknown never beats known, however low
        (["0 a", "who knows"], 0),
        (["who", "knows"], 0),  # nothing known: the control's
        ([ValueError("broken"), "who knows"], 1),
        ([ValueError("broken"), "who knows", "0 c"], 2),
    ],
)
def test_ties_unknowns_and_failures(run: Any, tenths: Any, numbers: Any, answers: Any, chosen: int) -> None:
    out = run.ask(best_of(answers, RubricScorer(tenths(), numbers)))
    assert out["baseline"].chosen == chosen
    assert out["messages"][-1].text == answers[chosen]
    assert [one.failed for one in out["baseline"].tried] == [isinstance(one, Exception) for one in answers]
    assert [one.tool_calls is None for one in out["baseline"].tried] == [
        isinstance(one, Exception) for one in answers
    ]
    broken = [(one.where, one.error, one.text) for one in out["baseline"].remarks]
    assert broken == [("sample 0", "ValueError", "broken")] * isinstance(answers[0], ValueError)


def test_where_every_sample_fails_the_first_error_is_raised(run: Any) -> None:
    with pytest.raises(ValueError, match="first"):
        run.ask(best_of([ValueError("first"), TimeoutError("second")], None))


def test_control_flow_is_no_failed_sample(run: Any) -> None:
    with pytest.raises(GraphInterrupt):
        run.ask(best_of(["1 a", GraphInterrupt()], None))


def test_a_judge_that_is_out_leaves_the_control(run: Any, tenths: Any) -> None:
    scorer = RubricScorer(tenths(), ScriptedJudge(TimeoutError("late")))
    out = run.ask(best_of(["1 a", "9 b"], scorer))
    assert (out["baseline"].chosen, out["baseline"].why) == (0, "the first; nothing could be scored")


class Nonsense(ScriptedGenerator):
    """Writes no rubric at all."""

    def write(self, state: Any) -> Any:
        return "be good"


@pytest.mark.parametrize(
    ("generator", "error"),
    [
        (ScriptedGenerator(ValueError("no")), "ValueError"),
        (HeuristicGenerator(), "GenerationError"),  # it writes for steps
        (Nonsense(), "GenerationError"),
    ],
)
def test_a_rubric_that_cannot_be_written_leaves_the_control(
    run: Any, numbers: Any, generator: Any, error: str
) -> None:
    out = run.ask(best_of(["1 a", "9 b"], RubricScorer(generator, numbers)))
    assert out["baseline"].chosen == 0
    assert [(one.where, one.error) for one in out["baseline"].remarks] == [("rubric", error)]


def test_the_rubric_is_written_once_from_the_question(run: Any, tenths: Any, numbers: Any) -> None:
    generator = ScriptedGenerator(tenths())
    out = run.ask(best_of(["1 a", "9 b"], RubricScorer(generator, numbers)))
    (state,) = generator.states
    assert (state.question, state.steps, out["baseline"].chosen) == ("Where is gold?", (), 1)
    assert out["baseline"].cost.calls == 3


def test_a_broken_veto_scores_nothing(run: Any) -> None:
    rubric = Rubric(
        criteria=(
            Criterion(id="good", text="It is good.", weight=9),
            Criterion(id="safe", text="It is safe.", veto=True, weight=1),
        ),
        scope="answer",
    )

    class Judge(ScriptedJudge):
        def judge(self, criteria: Any, action: Any, state: Any) -> Ruling:
            held = {"good": "risky" in action.answer, "safe": "risky" not in action.answer}
            return Ruling(
                tuple(
                    Verdict(criterion=c.id, reason="", status="met" if held[c.id] else "unmet")
                    for c in criteria
                )
            )

    out = run.ask(best_of(["risky", "dull"], RubricScorer(rubric, Judge(lambda *_: "met"))))
    assert [one.score for one in out["baseline"].tried] == [0.0, 0.1]
    assert out["baseline"].chosen == 1


# --- budget --------------------


@pytest.mark.parametrize(("total", "n", "shares"), [(4, 2, [2, 2]), (5, 2, [3, 2]), (7, 4, [2, 2, 2, 1])])
def test_the_budget_is_divided(
    run: Any, tools: Any, searching: Any, react: Any, total: int, n: int, shares: list[int]
) -> None:
    built: dict[int, int] = {}
    model = searching(9)

    def build(tool_calls: int, sample: int) -> Any:
        built[sample] = tool_calls
        return react(model, tools.all, tool_calls=tool_calls)

    out = run.ask(BestOfN(build, n, tool_calls=total))
    assert [built[at] for at in range(n)] == shares
    assert [one.tool_calls for one in out["baseline"].tried] == shares
    assert out["baseline"].tool_calls == out["baseline"].tool_call_limit == len(tools.calls) == total


@pytest.mark.parametrize(
    ("agent", "options", "what"),
    [
        (answering("a"), {"n": 1}, "nobody says"),
        (RunnableLambda(lambda given: given), {"n": 1, "tool_calls": 2}, "built already"),
        (answering("a"), {"n": 3, "tool_calls": 2}, "cannot be shared"),
        (answering("a"), {"n": 0, "tool_calls": 2}, "cannot be shared"),
    ],
)
def test_a_budget_that_cannot_be_kept_is_refused(agent: Any, options: Any, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        BestOfN(agent, **options)


def test_a_rubric_for_steps_is_refused(tenths: Any) -> None:
    with pytest.raises(ConfigError, match="scope 'step'"):
        BestOfN(answering("a"), 1, scorer=RubricScorer(tenths("step")), tool_calls=1)


@pytest.mark.parametrize(
    "out",
    [
        {"messages": []},
        {"messages": [("user", "q")]},
        "text",
        {"messages": [AIMessage("a")], "__interrupt__": ["?"]},
    ],
)
def test_an_agent_without_an_answer_is_a_typed_failure(run: Any, out: Any) -> None:
    with pytest.raises(ModelCallError):
        run.ask(BestOfN(RunnableLambda(lambda given: out), 2))


# --- properties --------------------

scores = st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=8)


@given(scores)
def test_no_candidate_is_better_than_the_chosen_one(given_scores: list[float | None]) -> None:
    at, _ = best([Scored(score, None) for score in given_scores], range(len(given_scores)))
    known = [score for score in given_scores if score is not None]
    if known:
        assert given_scores[at] == max(known)
        assert at == given_scores.index(max(known))
    else:
        assert at == 0


def test_the_expected_best_score_does_not_fall_with_n() -> None:
    """2,000 questions, a correct judge: mean worth of the chosen answer, by N."""
    draw = random.Random(7)
    drawn = [[draw.random() for _ in range(8)] for _ in range(2000)]
    means = []
    for n in range(1, 9):
        chosen = [worths[best([Scored(one, None) for one in worths[:n]], range(n))[0]] for worths in drawn]
        means.append(sum(chosen) / len(chosen))
    assert means == sorted(means)
    assert means[0] == pytest.approx(0.5, abs=0.02)
    assert means[-1] == pytest.approx(8 / 9, abs=0.02), "the expected maximum of eight uniform draws"
