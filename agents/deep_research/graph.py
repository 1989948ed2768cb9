"""A research agent: plan, gather, review, report, verify; guided by Co-ReAct where middleware is given.

    plan -> gather (one branch for each sub-question that is ready) -> weigh -> review -> write -> verify
                ^______________________________________|_________________|               -> publish

What a model writes is read strictly and decides little: code says which sub-questions are answered, what the
budget allows, which citations hold. Every model stage is a `create_agent` graph with the same middleware and
with its stage in the first line of its prompt. `build` makes the agent from any model and tools; `graph` and
`guided_graph` are factories for a LangGraph server (`langgraph.json`).
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache, partial
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from coreact import CoReActMiddleware
from coreact.errors import ConfigError
from coreact.generate.stages import STAGES, Stage
from coreact.host.messages import StateReader, contract, injected, last_question
from coreact.judge import Judge
from coreact.judge.grounding import CitationAudit, aaudit, audit
from coreact.refine import verify_graph
from coreact.research import (
    JUDGED_REPORT_RUBRIC,
    REPORT_RUBRIC,
    CallBudget,
    Document,
    PlanReplyError,
    Resolved,
    documents,
    evidence_graph,
    fallback_plan,
    issue_counts,
    issues,
    nodes,
    numbered,
    outcome,
    prompts,
    read_plan,
    read_review,
    report_reviser,
    research_generator,
    resolve,
    staged_prompt,
)
from coreact.research.deciding import Decide, way_on
from coreact.research.state import Answered, Question, ResearchState, Task
from coreact.rubric import State
from coreact.trace import Recorder

TOOL_CALLS = 12
"""Tool calls in all, over every branch."""
WIDTH = 4
"""Sub-questions that are looked into at once."""
REVIEWS = 2
"""How often a review may send back to gathering."""


def build(
    model: BaseChatModel,
    tools: Sequence[BaseTool],
    *,
    middleware: Sequence[AgentMiddleware[Any, Any, Any]] = (),
    stages: Collection[str] = ("gather",),
    tool_calls: int = TOOL_CALLS,
    checkpointer: Any = None,
    decide: Decide | None = None,
    judge: Judge | None = None,
    recorder: Recorder | None = None,
    ask_above: float | None = None,
    width: int = WIDTH,
    rounds: int = 2,
) -> Any:
    """Make the agent.

    Args:
        model: any LangChain chat model with tool calling.
        tools: what it may call.
        middleware: e.g. `[CoReActMiddleware()]`; empty for the plain agent.
        stages: those that the middleware is around. Only gathering calls tools: rubrics for the others take a
            generator that knows stages (`research_generator`).
        tool_calls: tool calls in all; branches share them.
        checkpointer: a LangGraph checkpointer, see `coreact.research.open_checkpointer`, or None.
        decide: the sufficiency decision, e.g. `Sufficiency(critic, threshold).decide`; None: go on while
            sub-questions are open, decline where nothing was observed. Without budget, "continue" declines.
        judge: audits what code cannot, and judges the report; None: such claims stay unknown.
        recorder: where the rounds of verify-and-refine are stored; guidance records by itself.
        ask_above: USD; calls of tools whose `metadata["cost"]` is higher wait for a human.
        width: sub-questions that are looked into at once.
        rounds: reports that are judged at most, the first included.

    Returns:
        A compiled graph from `messages` to `messages`, `plan`, `evidence`, `outcome`, `answer_check`.

    Raises:
        ConfigError: a number is below 1, there is no such stage, or a cost or its bound is no amount.
    """
    if min(tool_calls, width, rounds) < 1:
        raise ConfigError(
            f"tool_calls={tool_calls}, width={width} and rounds={rounds} leave nothing to do.",
            remedy="Give at least 1 of each.",
        )
    if unknown := sorted(set(stages) - set(STAGES)):
        raise ConfigError(f"There is no stage {unknown[0]!r}.", remedy=f"There are {', '.join(STAGES)}.")
    research = _Research(
        model,
        tools,
        {stage: middleware if stage in stages else () for stage in STAGES},
        tool_calls=tool_calls,
        decide=decide,
        judge=judge,
        ask_above=ask_above,
        width=width,
    )
    verify = verify_graph(
        REPORT_RUBRIC if judge is None else JUDGED_REPORT_RUBRIC,
        judge,
        revise=report_reviser(model),
        recorder=recorder,
        agent="deep_research",
        max_rounds=rounds,
    )
    builder = StateGraph(ResearchState, input_schema=Question, output_schema=Answered)
    builder.add_node("open", research.open)
    builder.add_node("plan", nodes.stage_node(research.plan_input, research.planner, research.planned))
    builder.add_node("gather", nodes.stage_node(research.branch_input, research.gatherer, research.gathered))
    builder.add_node("weigh", research.weigh)
    builder.add_node("review", nodes.stage_node(research.review_input, research.reviewer, research.reviewed))
    builder.add_node("write", nodes.stage_node(research.report_input, research.writer, research.written))
    builder.add_node("verify", verify)
    builder.add_node("publish", RunnableLambda(research.publish, afunc=research.apublish))
    builder.add_node("decline", research.decline)
    builder.add_conditional_edges(
        "open", lambda state: "plan" if state["question"] else "decline", ["plan", "decline"]
    )
    builder.add_conditional_edges("plan", research.after_plan, ["plan", "gather"])
    builder.add_conditional_edges("weigh", research.after_weigh, ["gather", "review", "decline"])
    builder.add_conditional_edges("review", research.after_review, ["gather", "write"])
    fixed = [(START, "open"), ("gather", "weigh"), ("write", "verify"), ("verify", "publish")]
    for before, after in [*fixed, ("publish", END), ("decline", END)]:
        builder.add_edge(before, after)
    return builder.compile(checkpointer=checkpointer, name="deep_research")


def guided(
    model: BaseChatModel,
    tools: Sequence[BaseTool],
    guidance: Callable[..., AgentMiddleware[Any, Any, Any]] = CoReActMiddleware,
    **settings: Any,
) -> Any:
    """Make the agent with guidance in every stage.

    Args:
        model: any LangChain chat model with tool calling.
        tools: what it may call.
        guidance: makes the middleware when it is given a `generator`, e.g.
            `partial(CoReActMiddleware, recorder=recorder)`.
        **settings: as in `build`.
    """
    return build(
        model, tools, middleware=[guidance(generator=research_generator())], stages=STAGES, **settings
    )


class _Research:
    def __init__(
        self,
        model: BaseChatModel,
        tools: Sequence[BaseTool],
        middleware: Mapping[Stage, Sequence[AgentMiddleware[Any, Any, Any]]],
        *,
        tool_calls: int,
        decide: Decide | None,
        judge: Judge | None,
        ask_above: float | None,
        width: int,
    ) -> None:
        def agent(stage: Stage, prompt: str, *, own: Sequence[Any] = (), use: Sequence[BaseTool] = ()) -> Any:
            around, told = [*middleware[stage], *own], staged_prompt(stage, prompt)
            return create_agent(model, list(use), system_prompt=told, middleware=around, name=stage)

        self.planner = agent("plan", prompts.PLAN)
        spending = CallBudget(tools, ask_above=ask_above)
        self.gatherer = agent("gather", prompts.GATHER, own=[spending], use=tools)
        self.reviewer = agent("review", prompts.REVIEW)
        self.writer = agent("synthesise", prompts.WRITE)
        self._contracts = tuple(contract(tool) for tool in tools)
        self._budget = tool_calls
        self._decide = decide
        self._judge = judge
        self._width = width

    # --- plan ---------------------------------------------------------------------------------

    def open(self, state: ResearchState) -> dict[str, Any]:
        question = nodes.question_of(state)
        fresh = {"complaint": "", "branches": None, "round": 0, "used": 0, "reviews": 0, "answer": ""}
        gone = dict.fromkeys(("plan", "evidence", "outcome", "answer_check"))
        return {"question": question, "invented": [], **fresh, **gone}

    def plan_input(self, state: ResearchState) -> dict[str, Any]:
        complaint = state["complaint"]
        return nodes.stage_input(state, *([injected(prompts.again(complaint))] if complaint else []))

    def planned(self, state: ResearchState, output: Mapping[str, Any]) -> dict[str, Any]:
        try:
            plan = read_plan(nodes.reply_of(output))
        except PlanReplyError as error:
            if not state["complaint"]:
                return {**nodes.stage_status(output), "complaint": error.remark.reason}
            plan = fallback_plan(state["question"], error.remark)
        nodes.tell("plan", sub_questions=len(plan.sub_questions), remarks=len(plan.remarks))
        return {**nodes.stage_status(output), "plan": plan.model_dump(mode="json"), "complaint": ""}

    def after_plan(self, state: ResearchState) -> str | list[Send]:
        return "plan" if state.get("plan") is None else self._fan_out(state)

    # --- gather -------------------------------------------------------------------------------

    def _fan_out(self, state: ResearchState) -> list[Send]:
        plan = nodes.plan_of(state)
        return [
            Send("gather", Task(sub_question=sub.id, text=prompts.task(plan, sub.id), allowance=share))
            for sub, share in plan.wave(self._budget - state["used"], width=self._width)
        ]

    def branch_input(self, task: Task) -> dict[str, Any]:
        return {"messages": [HumanMessage(task["text"])], "allowance": task["allowance"]}

    def gathered(self, task: Task, output: Mapping[str, Any]) -> dict[str, Any]:
        return {"messages": nodes.calls_of(output), "branches": [nodes.branch_of(task, output)]}

    def weigh(self, state: ResearchState) -> dict[str, Any]:
        plan, round_ = nodes.plan_of(state), state["round"] + 1
        for branch in state["branches"]:
            plan = plan.told(branch["sub_question"], branch["finding"], branch["evidence"], round=round_)
        used = state["used"] + sum(branch["used"] for branch in state["branches"])
        left = self._budget - used
        decision, reasons = way_on(self._decide, self._read(state), plan, left=left)
        nodes.tell("gather", **plan.counts, tool_calls=used, decision=decision)
        told: dict[str, Any] = {"plan": plan.model_dump(mode="json"), "branches": None, "used": used}
        return {**told, "round": round_, "decision": decision, "reasons": reasons}

    def after_weigh(self, state: ResearchState) -> str | list[Send]:
        if state["decision"] == "continue":
            return self._fan_out(state)
        return "decline" if state["decision"] == "decline" else "review"

    # --- review -------------------------------------------------------------------------------

    def review_input(self, state: ResearchState) -> dict[str, Any] | None:
        if self._budget - state["used"] < 1 or state["reviews"] >= REVIEWS:
            return None
        plan = nodes.plan_of(state)
        wrong = issues(plan, self._read(state))
        if not wrong:
            return None
        return nodes.stage_input(state, injected(prompts.review_material(plan, wrong)))

    def reviewed(self, state: ResearchState, output: Mapping[str, Any] | None) -> dict[str, Any]:
        plan = nodes.plan_of(state)
        counts = issue_counts(issues(plan, self._read(state)))
        if output is None:
            nodes.tell("review", **counts, added=0)
            return {"decision": "answer"}
        added = 0
        try:
            draft = read_review(nodes.reply_of(output), plan)
        except PlanReplyError as error:
            plan = plan.remarked(error.remark)
        else:
            plan, added = plan.reviewed(draft, round=state["round"]), len(draft.add)
        nodes.tell("review", **counts, added=added)
        return {
            **nodes.stage_status(output),
            "plan": plan.model_dump(mode="json"),
            "reviews": state["reviews"] + 1,
            "decision": "continue" if added else "answer",
        }

    def after_review(self, state: ResearchState) -> str | list[Send]:
        return (state["decision"] == "continue" and self._fan_out(state)) or "write"

    # --- report -------------------------------------------------------------------------------

    def report_input(self, state: ResearchState) -> dict[str, Any]:
        material = prompts.report_material(state["question"], nodes.plan_of(state), self._documents(state))
        return nodes.stage_input(state, injected(material))

    def written(self, state: ResearchState, output: Mapping[str, Any]) -> dict[str, Any]:
        known = self._documents(state)
        resolved = resolve(str(nodes.reply_of(output).text), known, self._read(state))
        if not resolved.text:
            resolved = resolve(outcome.findings(nodes.plan_of(state), known), known, self._read(state))
        nodes.tell("synthesise", characters=len(resolved.text), invented=len(resolved.invented))
        return {**nodes.stage_status(output), "answer": resolved.text, "invented": list(resolved.invented)}

    def publish(self, state: ResearchState) -> dict[str, Any]:
        final = self._final(state)
        return self._published(state, final, audit(final.text, self._read(state), self._judge))

    async def apublish(self, state: ResearchState) -> dict[str, Any]:
        final = self._final(state)
        return self._published(state, final, await aaudit(final.text, self._read(state), self._judge))

    def _final(self, state: ResearchState) -> Resolved:
        known, read = self._documents(state), self._read(state)
        resolved = resolve(state["answer"], known, read)  # a revision may have brought new citations
        return resolved._replace(text=numbered(resolved.text, known, read))

    def _published(self, state: ResearchState, final: Resolved, found: CitationAudit) -> dict[str, Any]:
        plan = nodes.plan_of(state)
        read = self._read(state)
        graph = evidence_graph(state["question"], plan, self._documents(state), read, found)
        ended = outcome.answered(
            plan,
            read,
            found,
            disputed=[node.text for node in graph.disputed],
            invented=[*state["invented"], *final.invented],
            tool_calls=state["used"],
        )
        nodes.tell("publish", claims=len(found.claims), cited=found.cited, unsupported=len(graph.unsupported))
        text = outcome.with_open_points(final.text, ended)
        return {"messages": [AIMessage(text)], "outcome": ended, "evidence": graph.model_dump(mode="json")}

    def decline(self, state: ResearchState) -> dict[str, Any]:
        if not state["question"]:
            ended = outcome.declined("The question is empty. Ask something.")
            nodes.tell("decline", missing=0, tool_calls=0)
            return {"messages": [AIMessage(ended["reason"])], "outcome": ended}
        plan, read, known = nodes.plan_of(state), self._read(state), self._documents(state)
        because = ["What was found does not answer the question", *state["reasons"]]
        ended = outcome.declined(f"{'; '.join(because)}.", plan, read, tool_calls=state["used"])
        graph = evidence_graph(state["question"], plan, known, read, None)
        nodes.tell("decline", missing=len(ended["missing"]), tool_calls=state["used"])
        text, ended = outcome.refusal(ended, plan, known, read)
        return {"messages": [AIMessage(text)], "outcome": ended, "evidence": graph.model_dump(mode="json")}

    # --- what several stages need -------------------------------------------------------------

    def _read(self, state: ResearchState) -> State:
        return StateReader().read(state["messages"], tools=self._contracts, limit=self._budget)

    def _documents(self, state: ResearchState) -> tuple[Document, ...]:
        messages = state["messages"]
        return documents(messages[last_question(messages) + 1 :], self._read(state))


# --- factories for a LangGraph server -----------------------------------------------------------


def _named(config: RunnableConfig) -> str:
    return str(config.get("configurable", {}).get("model", "local"))


@lru_cache(maxsize=1)
def _tools() -> tuple[BaseTool, ...]:
    from coreact_tools import searching_tools

    from coreact.worlds import Corpus, gazetteer

    passages = gazetteer(questions=0).passages
    return tuple(searching_tools(Corpus(passages), passages))


@lru_cache(maxsize=4)
def _model(name: str) -> BaseChatModel:
    if name != "local":
        return init_chat_model(name)
    from coreact.local import open_local_model

    server = ExitStack()
    atexit.register(server.close)
    return server.enter_context(open_local_model())


def graph(config: RunnableConfig) -> Any:
    """The plain agent, for a LangGraph server."""
    return build(_model(_named(config)), _tools())


def guided_graph(config: RunnableConfig) -> Any:
    """The guided agent, for a LangGraph server."""
    return guided(_model(_named(config)), _tools(), partial(CoReActMiddleware, step_budget=TOOL_CALLS))
