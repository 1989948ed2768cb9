"""What reaches whoever streams: nothing of judges or investigators, a retraction for each rejected draft."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent

from coreact.judge.records import Verdict
from coreact.judge.runner import Ruling
from coreact.refine import Found, VerifyAnswerMiddleware, reviser, verify_graph
from coreact.testing.scripted import ScriptedModel


class ModelJudge:
    """A judge that asks a chat model, and does not like drafts."""

    id = "model-judge"

    def __init__(self) -> None:
        self.model = ScriptedModel(script=lambda _: "secret judging tokens")

    def _ruling(self, criteria: Any, action: Any, state: Any) -> Ruling:
        status = "unmet" if "draft" in (action.answer or "") else "met"
        if "unsure" in action.answer and not state.steps:
            status = "unknown"
        return Ruling(
            tuple(Verdict(criterion=c.id, reason="r", status=status, decided_by=self.id) for c in criteria)
        )

    def judge(self, criteria: Any, action: Any, state: Any) -> Any:
        self.model.invoke("judge")
        return self._ruling(criteria, action, state)

    async def ajudge(self, criteria: Any, action: Any, state: Any) -> Any:
        await self.model.ainvoke("judge")
        return self._ruling(criteria, action, state)


def looker() -> Any:
    model = ScriptedModel(script=lambda _: "yes, secret looking tokens")

    def look(inquiry: Any) -> Found:
        return Found(model.invoke("look").text)

    return look


def drafting(tools: Any, naming: Any, *script: str, **options: Any) -> Any:
    middleware = VerifyAnswerMiddleware(naming("gold"), ModelJudge(), investigator=looker(), **options)
    return create_agent(ScriptedModel(script=list(script)), tools.all, middleware=[middleware])


def texts(parts: list[Any]) -> dict[str, str]:
    """The text of each streamed message by its id, tokens put together."""
    found: dict[str, str] = {}
    for message, _ in parts:
        found[message.id or ""] = found.get(message.id or "", "") + message.text
    return found


def shown(parts: list[Any]) -> list[str]:
    """What a reader has before its eyes in the end: streamed messages without retracted ones."""
    streamed = texts([part for mode, part in parts if mode == "messages"])
    gone = {
        part["message_id"] for mode, part in parts if mode == "custom" and part["type"] == "coreact.retract"
    }
    assert gone <= set(streamed)
    return [text for key, text in streamed.items() if key not in gone]


def test_a_rejected_draft_is_retracted(run: Any, tools: Any, naming: Any) -> None:
    agent = drafting(tools, naming, "a draft of mine", "an unsure answer")
    parts = run.stream(agent, stream_mode=["messages", "custom"])
    assert "secret" not in str([part for mode, part in parts if mode == "messages"])
    answers = [text for text in shown(parts) if "not accepted yet" not in text]
    assert answers == ["an unsure answer"]
    rounds = [part for mode, part in parts if mode == "custom" and part["type"] == "coreact.round"]
    assert [one["round"]["answer"] for one in rounds] == ["a draft of mine", "an unsure answer"]


def test_the_best_answer_reaches_the_stream_where_it_takes_the_last_ones_place(
    run: Any, tools: Any, naming: Any
) -> None:
    agent = drafting(tools, naming, "first draft", "second draft", "third draft")
    parts = run.stream(agent, stream_mode=["messages", "custom", "values"])
    answers = [text for text in shown(parts) if "not accepted yet" not in text]
    assert answers == ["first draft"]
    *_, (_, last) = [part for part in parts if part[0] == "values"]
    assert last["messages"][-1].text == "first draft"
    assert last["messages"][-1].id in texts([part for mode, part in parts if mode == "messages"])


def test_nothing_but_the_result_leaves_the_graph(run: Any, naming: Any) -> None:
    model = ScriptedModel(script=["second draft", "secret-free answer"])
    graph = verify_graph(naming("gold"), ModelJudge(), revise=reviser(model))
    given = {"question": "Where is gold?", "answer": "first draft"}
    parts = run.stream(graph, given, stream_mode="messages")
    assert parts == []
    out = run(graph, given | {"answer": "an answer"})
    assert out["answer"] == "an answer"
