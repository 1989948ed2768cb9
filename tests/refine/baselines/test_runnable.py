"""Baselines as runnables: config reaches everything inside, streams stay quiet, input is checked."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphInterrupt
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Interrupt

from coreact.errors import ConfigError, ModelCallError
from coreact.judge.asking import Request
from coreact.refine.baselines import BaselineRecord, BestOfN, SelfRefine
from coreact.refine.baselines.runs import all_of


class Watch(BaseCallbackHandler):
    """Remembers what was started, with tags and metadata."""

    def __init__(self) -> None:
        self.models: list[tuple[set[str], dict[str, Any]]] = []
        self.tools: list[str] = []
        self.chains: list[str] = []
        self.ended: list[UUID] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, **about: Any) -> None:
        self.models.append((set(about["tags"]), about["metadata"]))

    def on_tool_start(self, serialized: Any, given: Any, **about: Any) -> None:
        self.tools.append(given)

    def on_chain_start(self, serialized: Any, given: Any, **about: Any) -> None:
        self.chains.append(about.get("name", ""))


def test_callbacks_tags_and_metadata_reach_everything(
    run: Any, tools: Any, searching: Any, react: Any, plain: Any
) -> None:
    watch = Watch()
    model = searching(1)
    refine = SelfRefine(
        lambda calls, _: react(model, tools.all, tool_calls=calls),
        plain("Longer.", "gold", "ACCEPT"),
        tool_calls=1,
    )
    config = {"callbacks": [watch], "tags": ["mine"], "metadata": {"task": "t1"}, "run_name": "arm"}
    run.ask(refine, config=config)
    assert len(watch.models) == 5, "two of the agent, three of the critic"
    for tags, metadata in watch.models:
        assert {"mine", "nostream"} <= tags
        assert metadata["task"] == "t1"
    assert len(watch.tools) == 1
    assert watch.chains[0] == "arm"


def test_the_name_of_a_baseline_is_its_class(run: Any, searching: Any, react: Any, tools: Any) -> None:
    watch = Watch()
    run.ask(BestOfN(react(searching(0), tools.all), 1), config={"callbacks": [watch]})
    assert watch.chains[0] == "BestOfN"


def test_in_a_graph_only_the_chosen_answer_streams(run: Any, searching: Any, react: Any, tools: Any) -> None:
    def build(calls: int, sample: int) -> Any:
        return react(searching(0, answer=f"sample {sample}"), tools.all, tool_calls=calls)

    graph = StateGraph(MessagesState)
    graph.add_node("arm", BestOfN(build, 3, tool_calls=3))
    graph.add_edge(START, "arm")
    graph.add_edge("arm", END)
    compiled = graph.compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "t"}}
    streamed = run.stream(compiled, stream_mode="messages", config=config)
    assert [message.text for message, _ in streamed if isinstance(message, AIMessage)] == ["sample 0"]


def test_samples_do_not_share_a_thread(run: Any, searching: Any, react: Any, tools: Any) -> None:
    model = searching(0)
    agent = react(model, tools.all, checkpointer=InMemorySaver())
    run.ask(BestOfN(agent, 3), config={"configurable": {"thread_id": "t"}})
    assert [len(request) for request in model.requests] == [2, 2, 2], "prompt and question, no other sample"


def test_samples_do_not_share_messages(run: Any) -> None:
    """A graph draws ids into the messages it is given; the next sample must not see them."""
    seen: list[Any] = []

    def agent(given: dict[str, Any]) -> dict[str, Any]:
        seen.append([one.id for one in given["messages"]])
        for one in given["messages"]:
            one.id = "drawn"
        return {"messages": [*given["messages"], AIMessage("a")]}

    mine = HumanMessage("q")
    run(BestOfN(RunnableLambda(agent), 3), {"messages": [mine]})
    assert seen == [[None]] * 3
    assert mine.id is None


@pytest.mark.parametrize("given", [{}, {"messages": []}, [], None])
def test_no_messages_are_a_typed_error(run: Any, given: Any) -> None:
    with pytest.raises(ConfigError, match="needs messages"):
        run(BestOfN(RunnableLambda(lambda x: x), 1), given)


def test_a_text_is_a_message(run: Any, searching: Any, react: Any, tools: Any) -> None:
    out = run(BestOfN(react(searching(0), tools.all), 1), {"messages": "Where is gold?"})
    assert out["messages"][0].text == "Where is gold?"


def test_the_record_is_plain_json(run: Any, searching: Any, react: Any, tools: Any) -> None:
    record = run.ask(BestOfN(react(searching(1), tools.all), 2))["baseline"]
    assert BaselineRecord.model_validate_json(record.model_dump_json()) == record


def test_where_one_request_raises_the_others_are_cancelled() -> None:
    ended: list[str] = []

    async def slow() -> None:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            ended.append("slow")
            raise

    async def stops() -> None:
        await asyncio.sleep(0)
        raise GraphInterrupt

    both = all_of([Request(lambda: None, slow), Request(lambda: None, stops)])
    with pytest.raises(GraphInterrupt):
        asyncio.run(both.acall())  # type: ignore[arg-type]
    assert ended == ["slow"]


def test_samples_run_at_once_where_nothing_blocks() -> None:
    """Each waits for the other: one after the other they would never end."""

    async def main() -> Any:
        met = asyncio.Barrier(3)

        async def agent(given: dict[str, Any]) -> dict[str, Any]:
            await met.wait()
            return {"messages": [*given["messages"], AIMessage("a")]}

        return await BestOfN(RunnableLambda(agent), 3).ainvoke({"messages": [("user", "q")]})

    assert len(asyncio.run(main())["baseline"].tried) == 3


def test_an_interrupt_of_the_agent_is_no_answer(run: Any, react: Any, policy: Any, tools: Any) -> None:
    agent = react(policy(script=lambda *_: GraphInterrupt((Interrupt(value="?"),))), tools.all)
    with pytest.raises(ModelCallError, match="cannot be resumed"):
        run.ask(BestOfN(agent, 1))
