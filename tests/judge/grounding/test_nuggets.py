"""Nuggets: one interface for short and long answers, exact recall, nothing padded, paraphrases to a judge."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from coreact.judge.grounding.nuggets import Nugget, arecall, nugget_rubric, recall, short_answer
from coreact.judge.model import ModelJudge
from coreact.judge.records import Judgement, Status
from coreact.testing import ScriptedJudge, ScriptedModel

QUESTION = "When was the dam finished?"
YEAR = short_answer(QUESTION, "1936", "in 1936", "The Year 1936")
FIVE = tuple(
    Nugget(id=f"n{n}", text=text, source=f"p{n}")
    for n, text in enumerate(
        (
            "The dam was finished in 1936.",
            "The dam is 50 m high.",
            "Ito designed the dam.",
            "It spans the Elbe.",
            "It was costly.",
        )
    )
)
REPORT = "The dam was finished in 1936. It was planned by Ito, and it rises 50 metres over the Elbe."

Recall = Callable[..., Judgement]


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Recall:
    if request.param == "sync":
        return recall
    return lambda *given, **options: asyncio.run(arecall(*given, **options))


def by_number(**statuses: Status) -> ScriptedJudge:
    return ScriptedJudge(lambda criterion, action: statuses[criterion.id])


# --- short answers -------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["1936", " 1936.", "IN 1936", "year 1936", "the year 1936!"])
def test_an_accepted_answer_needs_no_judge(run: Recall, answer: str) -> None:
    found = run([YEAR], answer, QUESTION, ScriptedJudge(AssertionError("asked")))
    assert (found.score, found.passed, found.judged, found.total) == (1.0, True, 1, 1)
    assert found.verdicts[0].decided_by == "check"
    assert found.verdicts[0].evidence[0].quote == answer


@pytest.mark.parametrize("answer", ["1937", "nineteen thirty-six", "not 1936", "1936 or 1938"])
def test_any_other_answer_is_for_the_judge(run: Recall, answer: str) -> None:
    judge = by_number(answer="met")
    found = run([YEAR], answer, QUESTION, judge)
    assert (found.score, judge.asked) == (1.0, [("answer",)])
    assert run([YEAR], answer, QUESTION).score is None
    assert run([YEAR], answer, QUESTION).verdicts[0].status == "unknown"


@pytest.mark.parametrize("answer", ["", " \n", "?!"])
def test_an_empty_answer_states_nothing(run: Recall, answer: str) -> None:
    found = run([YEAR, *FIVE], answer, QUESTION, ScriptedJudge(AssertionError("asked")))
    assert (found.score, found.judged) == (0.0, 6)


@pytest.mark.parametrize(
    ("form", "answer", "same"),
    [
        ("The Beatles", "beatles", True),
        ("Müller", "muller", True),
        ("The The", "the the", True),
        ("-5", "5", False),
        ("−5", "-5", True),  # noqa: RUF001
        ("3.5", "35", False),
        ("北京", "北京。", True),
    ],
)
def test_how_short_answers_are_compared(form: str, answer: str, same: bool) -> None:
    assert (recall([short_answer("q", form)], answer, "q").score == 1.0) is same


def test_a_short_answer_needs_a_form() -> None:
    with pytest.raises(ValueError, match="at least one"):
        short_answer(QUESTION)


# --- long answers --------------------------------------------------------------------------------


def test_a_report_with_five_nuggets_has_an_exact_recall(run: Recall) -> None:
    judge = by_number(n1="met", n2="met", n3="partial", n4="unmet")
    found = run(FIVE, REPORT, QUESTION, judge)
    assert found.score == 0.7  # 1 by code, 2 by the judge, a half
    assert (found.judged, found.total) == (5, 5)
    assert judge.asked == [("n1", "n2", "n3", "n4")]
    first = found.verdicts[0]
    assert (first.decided_by, first.status) == ("check", "met")
    assert REPORT[first.evidence[0].start : first.evidence[0].end] == "The dam was finished in 1936"


def test_what_nobody_judged_is_counted_and_not_scored(run: Recall) -> None:
    found = run(FIVE, REPORT, QUESTION, by_number(n1="met", n2="unknown", n3="unknown", n4="unmet"))
    assert found.score == round(2 / 3, 12)
    assert (found.judged, found.total) == (3, 5)


def test_weights_and_threshold(run: Recall) -> None:
    heavy = [FIVE[0].model_copy(update={"weight": 3.0}), FIVE[4]]
    assert run(heavy, REPORT, QUESTION, by_number(n4="unmet")).score == 0.75
    assert run(heavy, REPORT, QUESTION, by_number(n4="unmet")).passed is True
    assert run(heavy, REPORT, QUESTION, by_number(n4="unmet"), threshold=0.8).passed is False


@pytest.mark.parametrize(
    "answer",
    [
        "It is false that the dam was finished in 1936.",
        "The dam was finished in 1936, say those who are wrong.",
    ],
)
def test_words_inside_another_sentence_prove_nothing(answer: str) -> None:
    assert recall(FIVE[:1], answer, QUESTION).score is None


def test_many_nuggets_go_in_batches_of_ten(run: Recall) -> None:
    nuggets = [Nugget(id=f"n{n}", text=f"Fact number {n}.") for n in range(23)]
    judge = ScriptedJudge(lambda criterion, action: "met")
    found = run(nuggets, "a", QUESTION, judge)
    assert [len(asked) for asked in judge.asked] == [10, 10, 3]
    assert found.cost.calls == 3
    assert found.score == 1.0


def test_a_failed_batch_leaves_the_others(run: Recall) -> None:
    nuggets = [Nugget(id=f"n{n}", text=f"Fact number {n}.") for n in range(20)]

    def decide(criterion: Any, action: Any) -> Status:
        if criterion.id == "n13":
            raise TimeoutError("late")
        return "met"

    found = run(nuggets, "a", QUESTION, ScriptedJudge(decide))
    assert (found.judged, found.total, found.score) == (10, 20, 1.0)
    assert {v.cause for v in found.verdicts[10:]} == {"transport"}


# --- the verifier ----------------------------------------------------------------------------------


def reply(**found: tuple[str, list[str]]) -> str:
    return json.dumps({k: {"reason": "r", "quotes": quotes, "status": s} for k, (s, quotes) in found.items()})


def test_a_model_judge_finds_a_paraphrase_and_quotes_it(run: Recall) -> None:
    model = ScriptedModel(script=[reply(k1=("met", ["rises 50 metres"]), k2=("partial", ["planned by Ito"]))])
    found = run(FIVE[1:3], REPORT, QUESTION, ModelJudge(model))
    assert found.score == 0.75
    for verdict in found.verdicts:
        (evidence,) = verdict.evidence
        assert REPORT[evidence.start : evidence.end] == evidence.quote


def test_a_quote_that_is_not_in_the_answer_is_not_believed(run: Recall) -> None:
    model = ScriptedModel(
        script=[reply(k1=("met", ["When was the dam finished"]), k2=("met", ["was drawn by Ito"]))]
    )
    found = run(FIVE[1:3], REPORT, QUESTION, ModelJudge(model))
    assert [(v.status, v.cause, v.claimed) for v in found.verdicts] == [("unknown", "unsupported", "met")] * 2
    assert found.score is None


def test_the_judge_sees_question_and_answer_and_no_more() -> None:
    model = ScriptedModel(script=[reply(k1=("unmet", []))])
    recall(FIVE[1:2], REPORT, QUESTION, ModelJudge(model))
    sent = str(model.requests[0][1].content)
    assert REPORT in sent
    assert QUESTION in sent
    assert "50 m high" in sent


def test_a_list_of_the_wrong_length_is_refused(run: Recall) -> None:
    short = reply(k1=("met", ["rises 50 metres"]))
    model = ScriptedModel(script=[short, short])
    found = run(FIVE[1:3], REPORT, QUESTION, ModelJudge(model))
    assert [(v.status, v.cause) for v in found.verdicts] == [("unknown", "parse")] * 2
    assert found.score is None


# --- the rubric ------------------------------------------------------------------------------------


def test_nuggets_are_criteria_with_the_passage_they_come_from() -> None:
    rubric = nugget_rubric(FIVE, threshold=0.5)
    assert (rubric.scope, rubric.threshold, len(rubric)) == ("answer", 0.5, 5)
    first = rubric.criterion("n0")
    assert (first.kind, first.visibility) == ("fact", "judge_only")
    assert first.provenance is not None
    assert first.provenance.evidence == ("p0",)
    assert nugget_rubric([YEAR]).criterion("answer").provenance is None
    assert recall(FIVE, REPORT, QUESTION, threshold=0.5).rubric == rubric.lock


def test_a_rubric_needs_nuggets_with_ids_of_their_own() -> None:
    with pytest.raises(ValidationError):
        nugget_rubric([])
    with pytest.raises(ValidationError, match="unique"):
        nugget_rubric([YEAR, YEAR])


@given(
    st.text(max_size=60), st.lists(st.text(min_size=1, max_size=40).filter(str.strip), min_size=1, max_size=3)
)
def test_any_answer_and_any_nuggets(answer: str, texts: list[str]) -> None:
    nuggets = [Nugget(id=str(n), text=text, forms=(text,)) for n, text in enumerate(texts)]
    found = recall(nuggets, answer, "q", ScriptedJudge(lambda criterion, action: "unmet"))
    assert (found.judged, found.total) == (len(texts), len(texts))
