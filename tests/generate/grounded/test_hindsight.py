"""Hindsight: the writer reads the future, the agent sees nothing of it, the grader may."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from coreact.generate.generator import NoRubricError, Written
from coreact.generate.grounded import HindsightWriter, leaks, retry_guidance
from coreact.guide.wording import feedback, guidance
from coreact.judge import Verdict, judgement
from coreact.judge.ordering import judged
from coreact.rubric import Action, Criterion, Observation, Rubric, State, Step, ToolCall, ToolContract
from coreact.testing import ScriptedJudge, ScriptedModel
from coreact.worlds import gazetteer

SEARCH = ToolContract(
    name="search",
    role="search",
    parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
)
QUESTION = "How does ISO abbreviate the country governed from Port-au-Prince?"
STATE = State.start(QUESTION, tools=(SEARCH,))


def took(query: str, text: str) -> Step:
    call = ToolCall(name="search", arguments={"query": query})
    return Step(call=call, observation=Observation(text=text))


FUTURE = (
    took("mud", "Nothing was found."),
    took("country governed from Port-au-Prince", "Haiti is governed from Port-au-Prince."),
    took("Haiti ISO code", "The code of Haiti is HTI."),
)


def said(*texts: str) -> str:
    return json.dumps({"criteria": [{"text": text, "weight": 0.5} for text in texts]})


@pytest.fixture(params=["sync", "async"])
def write(request: pytest.FixtureRequest) -> Any:
    def written(writer: HindsightWriter, state: State = STATE, **options: Any) -> Written:
        if request.param == "sync":
            return writer.write(state, **options)
        return asyncio.run(writer.awrite(state, **options))

    return written


def test_the_writer_reads_what_came_later_and_what_was_wrong(write: Any) -> None:
    rubric = Rubric(criteria=(Criterion(id="c", text="Name it."),))
    wrong = judgement(rubric, [Verdict(criterion="c", reason="it names the river", status="unmet")])
    model = ScriptedModel(script=[said("Search for the country.")])
    write(HindsightWriter(model), future=FUTURE, answer="ZZZ", gold=["HTI"], judgements=[wrong])
    asked = str(model.requests[0][-1].content)
    for part in ("The code of Haiti is HTI.", "ZZZ", "it names the river", QUESTION):
        assert part in asked


def test_what_gives_something_away_is_hidden_from_the_agent_and_kept_for_graders(write: Any) -> None:
    texts = (
        "The `query` contains Port-au-Prince.",
        "The `query` contains Haiti.",
        "The answer is HTI.",
        "Search for the Haitian government.",
        "Do not answer ZZZ.",
    )
    written = write(
        HindsightWriter(ScriptedModel(script=[said(*texts)])), future=FUTURE, answer="ZZZ", gold=["HTI"]
    )
    visible = [c.text for c in written.rubric if c.visibility == "policy"]
    assert visible == [texts[0]]
    assert [c.text for c in written.rubric] == list(texts)
    assert [remark.problem for remark in written.remarks if remark.problem] == ["leaking"] * 4
    assert "holds the answer" in written.remarks[1].reason
    for shown in (guidance(written.rubric), _feedback(written.rubric)):
        assert not leaks(shown, answers=["HTI", "ZZZ"], visible=STATE, future=[step_text(s) for s in FUTURE])


def step_text(step: Step) -> str:
    return " ".join((*step.call.texts, step.observation.text if step.observation else ""))


def _feedback(rubric: Rubric) -> str:
    action = Action(answer="mud")
    judge = ScriptedJudge(lambda criterion, action: "unmet")
    return feedback(rubric, [action], judged(rubric, [action], STATE, judge=judge))


def test_a_grader_uses_the_hidden_criteria() -> None:
    written = HindsightWriter(
        ScriptedModel(script=[said("Search for the country.", "The answer is HTI.")])
    ).write(STATE, future=FUTURE, gold=["HTI"])
    knows = ScriptedJudge(lambda c, action: "met" if c.id == "c1" or action.answer == "HTI" else "unmet")
    right, wrong = judged(written.rubric, [Action(answer="HTI"), Action(answer="JAM")], STATE, judge=knows)
    assert (right.score, wrong.score) == (1.0, 0.5)


def test_a_name_that_was_known_by_then_may_be_named() -> None:
    state = STATE.after(FUTURE[1])
    reply = said("The `query` contains Haiti.", "The answer is HTI.")
    written = HindsightWriter(ScriptedModel(script=[reply])).write(state, future=FUTURE[2:], gold=["HTI"])
    assert [c.visibility for c in written.rubric] == ["policy", "judge_only"]


def test_without_a_model_the_step_that_led_on_is_the_measure(write: Any) -> None:
    written = write(HindsightWriter(), future=FUTURE, gold=["HTI"])
    assert [c.visibility for c in written.rubric] == ["policy", "policy", "judge_only"]
    good, off, stop = (
        Action(call=FUTURE[1].call),
        Action(call=FUTURE[0].call),
        Action(answer="HTI"),
    )
    scores = [one.score for one in judged(written.rubric, [good, off, stop], STATE)]
    assert scores[0] == 1.0
    assert scores[1] is not None
    assert scores[1] < 1.0
    assert scores[2] is not None
    assert scores[2] < 1.0


def test_without_a_model_a_run_that_went_on_to_answer_asks_for_the_answer(write: Any) -> None:
    written = write(HindsightWriter(), answer="HTI")
    assert [c.text for c in written.rubric] == ["Answer now."]


def test_no_step_of_a_world_gets_a_rubric_that_gives_its_answer_away() -> None:
    world = gazetteer(questions=15)
    texts = {passage.id: passage.text for passage in world.passages}
    hidden = 0
    for question in world.questions:
        steps = [took(hop.query, texts[hop.passage_id]) for hop in question.chain]
        gold = (question.answer, *question.answer_aliases)
        # A writer that repeats everything it read.
        drafts = [f"Search for {hop.entity} and {hop.answer}." for hop in question.chain]
        state = State.start(question.question, tools=(SEARCH,))
        for turn in range(len(steps)):
            writer = HindsightWriter(ScriptedModel(script=[said("Use `search`.", *drafts)]))
            written = writer.write(state, future=steps[turn:], answer=question.answer, gold=gold)
            later = [step_text(step) for step in steps[turn:]]
            assert not leaks(guidance(written.rubric), answers=gold, visible=state, future=later)
            hidden += sum(c.visibility == "judge_only" for c in written.rubric)
            state = state.after(steps[turn])
    assert hidden > 15


def test_a_writer_that_fails_is_a_typed_error(write: Any) -> None:
    with pytest.raises(NoRubricError) as caught:
        write(HindsightWriter(ScriptedModel(script=["mud", "mud"]), attempts=1))
    assert (caught.value.cause, caught.value.cost.calls) == ("parse", 2)
    with pytest.raises(NoRubricError, match="nothing came afterwards"):
        write(HindsightWriter())


# --- what a failed attempt is told -----------------------------------------------------------


def test_retry_guidance_lists_exactly_the_unmet_criteria_that_may_be_seen() -> None:
    rubric = Rubric(
        criteria=(
            Criterion(id="a", text="Use `search`."),
            Criterion(id="b", text="Name the country."),
            Criterion(id="c", text="Name the river.", polarity="forbid"),
            Criterion(id="d", text="The answer is HTI.", visibility="judge_only"),
            Criterion(id="e", text="Name the town."),
            Criterion(id="f", text="Name the code."),
        )
    )
    statuses = {"a": "met", "b": "unmet", "c": "unmet", "d": "unmet", "e": "partial", "f": "unknown"}
    verdicts = [Verdict(criterion=key, reason="HTI is right", status=one) for key, one in statuses.items()]
    told = retry_guidance(rubric, judgement(rubric, verdicts))
    assert told.criteria == ("b", "c", "e")
    assert told.text == "- Name the country.\n- Avoid: Name the river.\n- Name the town."
    assert "HTI" not in told.text

    verdicts = [Verdict(criterion=key, reason="fine", status="met") for key in statuses]
    assert retry_guidance(rubric, judgement(rubric, verdicts)) == ("", ())
