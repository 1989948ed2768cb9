"""Contracts before execution, in an agent: no call runs before it passes, and the best one runs."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool

from coreact.generate.contracts import ContractGenerator
from coreact.guide import STATUS_KEY, CoReActMiddleware
from coreact.testing.scripted import ScriptedModel, call
from coreact.trace import InMemoryTraceStore, Recorder

QUESTION = "Cancel the last order of ada@example.org."


class Shop:
    """A spy: remembers every call that really ran, in order."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def find_orders(self, email: str) -> str:
        self.ran.append(f"find {email}")
        return "Orders of ada@example.org: #W-77, #W-81."

    def cancel_order(self, order_id: str) -> str:
        self.ran.append(f"cancel {order_id}")
        return f"{order_id} is cancelled."

    @property
    def tools(self) -> list[BaseTool]:
        return [
            StructuredTool.from_function(
                self.find_orders, description="Find orders.", metadata={"read_only": True}
            ),
            StructuredTool.from_function(self.cancel_order, description="Cancel an order."),
        ]


FIND = call("find_orders", email="ada@example.org")
RIGHT = call("cancel_order", order_id="#W-81")
INVENTED = call("cancel_order", order_id="#W-99")
NO_TOOL = call("cancel_orders", ids=["#W-99"])
"""Breaks the signature, so fewer contracts hold than in `INVENTED`."""


@pytest.fixture
def shop() -> Shop:
    return Shop()


def contracted(model: ScriptedModel, tools: list[BaseTool], **settings: Any) -> Any:
    given = {"generator": ContractGenerator(), "retries": 3, "on_unmet": "block", **settings}
    return create_agent(model, tools, middleware=[CoReActMiddleware(**given)])


def refusals(out: dict[str, Any]) -> list[str]:
    return [str(m.text) for m in out["messages"] if isinstance(m, ToolMessage) and m.status == "error"]


def test_an_argument_from_nowhere_is_named_and_nothing_runs_before_it_passes(
    run: Any, shop: Shop, ours: Any
) -> None:
    ran_at: list[int] = []
    replies = [NO_TOOL, INVENTED, FIND, call("cancel_order", order_id="#W-82"), RIGHT, "Cancelled."]

    def script(messages: Any) -> Any:
        ran_at.append(len(shop.ran))
        return replies[len(ran_at) - 1]

    model = ScriptedModel(script=script)
    out = run.ask(contracted(model, shop.tools), QUESTION)
    assert shop.ran == ["find ada@example.org", "cancel #W-81"]
    assert ran_at == [0, 0, 0, 1, 1, 2], "how many calls had run when each proposal was made"
    told = [ours(request)[-1] for request in model.requests]
    assert "there is no tool `cancel_orders`; there is `find_orders` or `cancel_order`" in told[1]
    assert '`order_id` holds "#W-99", which stands in no source' in told[2]
    assert '"#W-82"' in told[4]
    assert "#W-99" not in str(out["messages"]), "rejected proposals stay out of the history"
    assert out["messages"][-1].text == "Cancelled."


def test_a_value_may_come_from_an_observation_of_this_run(run: Any, shop: Shop) -> None:
    model = ScriptedModel(script=[FIND, RIGHT, "Done."])
    run.ask(contracted(model, shop.tools), QUESTION)
    assert len(model.requests) == 3, "nothing was tried again"
    assert shop.ran == ["find ada@example.org", "cancel #W-81"]


@pytest.mark.parametrize(
    ("proposals", "made"),
    [
        ([INVENTED] * 4, 2),  # deaf: the same again
        ([INVENTED, NO_TOOL, INVENTED, NO_TOOL], 3),  # back to what was rejected before
        ([call("cancel_order", order_id=f"#X-{n}00") for n in range(9)], 4),  # the cap
    ],
    ids=["deaf", "going round", "inventive"],
)
def test_a_model_that_does_not_listen_ends_the_retries_early(
    run: Any, shop: Shop, proposals: list[AIMessage], made: int
) -> None:
    script = [*proposals[:made], "I cannot."]
    model = ScriptedModel(script=script)
    out = run.ask(contracted(model, shop.tools), QUESTION)
    assert len(model.requests) == made + 1
    assert shop.ran == []
    assert len(refusals(out)) == 1
    assert "was not run" in refusals(out)[0]


@pytest.mark.parametrize("on_unmet", ["block", "allow"])
def test_the_best_attempt_is_taken_not_the_last(run: Any, shop: Shop, on_unmet: str) -> None:
    store = InMemoryTraceStore()
    other = call("cancel_orders", ids=["#W-88"])
    model = ScriptedModel(script=[NO_TOOL, INVENTED, other, call("cancel", ids=[]), "I cannot."])
    agent = contracted(model, shop.tools, on_unmet=on_unmet, recorder=Recorder(store))
    out = run.ask(agent, QUESTION)
    (summary,) = store.runs()
    first = store.trajectory(summary.id).steps[0]
    assert [attempt.selected for attempt in first.attempts] == [False, True, False, False]
    scores = [attempt.judgements[0].score for attempt in first.attempts]
    assert scores[1] == max(scores)
    assert scores[3] is not None
    assert scores[3] < scores[1]
    assert shop.ran == ([] if on_unmet == "block" else ["cancel #W-99"])
    if on_unmet == "block":
        assert "#W-99" in refusals(out)[0]


def test_the_best_of_several_candidates_runs_whichever_comes_last(run: Any, shop: Shop) -> None:
    model = ScriptedModel(script=[FIND, FIND, FIND, RIGHT, INVENTED, NO_TOOL, "Done.", "Done.", "Done."])
    run.ask(contracted(model, shop.tools, candidates=3, retries=0), QUESTION)
    assert shop.ran == ["find ada@example.org", "cancel #W-81"]


def test_a_good_call_runs_beside_a_bad_one_of_the_same_message(run: Any, shop: Shop) -> None:
    both = AIMessage("", tool_calls=[*FIND.tool_calls, *INVENTED.tool_calls])
    model = ScriptedModel(script=[both, RIGHT, "Done."])
    out = run.ask(contracted(model, shop.tools), QUESTION)
    assert shop.ran == ["find ada@example.org", "cancel #W-81"]
    assert len(refusals(out)) == 1


def test_a_task_of_one_call_costs_no_further_model_call(run: Any, shop: Shop) -> None:
    script = [INVENTED, "Done."]
    requests = []
    for tools, settings in (
        (shop.tools[1:], {}),
        (shop.tools, {"generator": ContractGenerator(plan_length=1)}),
    ):
        plain, guided = ScriptedModel(script=script), ScriptedModel(script=script)
        run.ask(create_agent(plain, tools), QUESTION)
        out = run.ask(contracted(guided, tools, **settings), QUESTION)
        requests.append((len(plain.requests), len(guided.requests)))
        assert out[STATUS_KEY]["spent"]["calls"] == 0
    assert requests == [(2, 2), (2, 2)]


def test_an_answer_without_the_expected_form_is_tried_again(run: Any, shop: Shop, ours: Any) -> None:
    form = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}
    model = ScriptedModel(script=[FIND, RIGHT, "It is done.", '{"order": "#W-81"}'])
    out = run.ask(contracted(model, shop.tools, generator=ContractGenerator(answer=form)), QUESTION)
    assert out["messages"][-1].text == '{"order": "#W-81"}'
    assert "does not have the expected form" in ours(model.requests[3])[-1]
