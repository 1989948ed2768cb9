"""From the model calls of one trace to turns: what spans and run trees have in common.

A trace holds calls of several kinds and perhaps several agents. Calls belong together that have the same
agent around them (the nearest agent or tool span, else the root) and answer the same question. Each call
carries its whole prompt, so nothing has to be guessed about what the model saw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from langchain_core.messages import AIMessage, AnyMessage

from coreact.errors import MessagesError
from coreact.host.messages import actions_of, is_injected, turn_of
from coreact.judge import Cost
from coreact.rubric import ToolContract
from coreact.trace.importing.reading import LeftOut
from coreact.trace.importing.scores import Place, Score, judgements_of
from coreact.trace.importing.turns import Decision, ToolRun, Turn, stable_id, trajectory_of
from coreact.trace.records import Trajectory


@dataclass(kw_only=True)
class ModelCall:
    """One call of a chat model."""

    id: str
    """Id of its span or run."""
    prompt: list[AnyMessage]
    message: AIMessage | None
    """None where the call failed."""
    tools: tuple[ToolContract, ...] | None = None
    node: str = ""
    cost: Cost = field(default_factory=Cost)
    start_ns: int
    end_ns: int
    error: str | None = None
    where: str = ""
    otel: bool = True
    """Whether the ids are OpenTelemetry's, to be kept on the step."""


@dataclass(kw_only=True)
class Node:
    """One span or run of a trace, whatever it is, for the tree."""

    id: str
    parent: str = ""
    bounds: bool = False
    """Whether an agent's work is inside of it: an agent, or a tool that may be one."""
    agent: str = ""
    agent_version: str = ""
    error: str | None = None
    end_ns: int = 0
    tool_run: ToolRun | None = None
    call: ModelCall | None = None


@dataclass(kw_only=True)
class Traced:
    """Everything that one trace says."""

    id: str
    origin: str
    nodes: dict[str, Node] = field(default_factory=dict)
    thread_id: str | None = None
    scores: list[Score] = field(default_factory=list)
    where: str = ""


def trajectories_of(traced: Traced, left_out: list[LeftOut]) -> Iterator[Trajectory]:
    """The runs of a trace, in the order they began.

    Args:
        traced: the trace.
        left_out: takes what was left out, and why.
    """
    looping = _looping(traced.nodes)
    if looping is not None:
        left_out.append(LeftOut(f"trace {traced.id}", f"its parents go in a circle at {looping}"))
        return
    kept: list[tuple[Turn, Sequence[ModelCall], Trajectory]] = []
    found = False
    scopes = _scopes(traced.nodes)
    runs = _tool_runs(traced, scopes)
    for scope, group in _groups(traced, scopes):
        turn = _turn(traced, traced.nodes.get(scope) or Node(id=scope), group, runs.get(scope, []))
        if turn is None:
            continue
        found = True
        try:
            kept.append((turn, group, trajectory_of(turn)))
        except MessagesError as error:
            where = f"trace {traced.id}, span {group[0].id}"
            left_out.append(LeftOut(where, f"{error.what} {error.remedy}"))
    if not found:
        left_out.append(LeftOut(f"trace {traced.id}", "no call of a chat model with its messages is in it"))
    places = _places(traced.nodes, [(turn.id, group) for turn, group, _ in kept])
    judged = judgements_of(traced.scores, places, traced.origin, left_out)
    for turn, _, trajectory in kept:
        yield trajectory.model_copy(update={"judgements": tuple(judged.get(turn.id, ()))})


def _looping(nodes: Mapping[str, Node]) -> str | None:
    """A span whose parents go in a circle, if there is one."""
    fine: set[str] = set()
    for start in nodes:
        path: dict[str, None] = {}
        at = start
        while at in nodes and at not in fine:
            if at in path:
                return at
            path[at] = None
            at = nodes[at].parent
        fine.update(path)
    return None


def _scopes(nodes: Mapping[str, Node]) -> dict[str, str]:
    """The span that each one's work is in: the nearest above that bounds it, else the root.

    It may be one that is not in the file, or empty where a span stands alone.
    """
    inside: dict[str, str] = {}  # the scope of what is directly inside of a span
    for start in nodes:
        path: list[str] = []
        at = start
        while at not in inside:
            path.append(at)
            parent = nodes[at].parent
            if nodes[at].bounds or parent not in nodes:
                inside[at] = at if nodes[at].bounds else parent or at
                break
            at = parent
        for one in path:
            inside[one] = inside[at]
    return {one: inside[node.parent] if node.parent in nodes else node.parent for one, node in nodes.items()}


def _groups(traced: Traced, scopes: Mapping[str, str]) -> list[tuple[str, list[ModelCall]]]:
    """The calls of each turn with the span around them, in the order they began."""
    scoped: dict[str, list[ModelCall]] = {}
    for node in traced.nodes.values():
        if node.call is not None:
            scoped.setdefault(scopes[node.id], []).append(node.call)
    groups = [
        (scope, group)
        for scope, calls in scoped.items()
        for group in _by_question(sorted(calls, key=lambda call: (call.start_ns, call.end_ns)))
    ]
    return sorted(groups, key=lambda pair: pair[1][0].start_ns)


def _tool_runs(traced: Traced, scopes: Mapping[str, str]) -> dict[str, list[ToolRun]]:
    runs: dict[str, list[ToolRun]] = {}
    for node in traced.nodes.values():
        if node.tool_run is not None:
            runs.setdefault(scopes[node.id], []).append(node.tool_run)
    return runs


def _by_question(calls: Sequence[ModelCall]) -> list[list[ModelCall]]:
    groups: list[list[ModelCall]] = []
    open_: dict[str, tuple[int, list[ModelCall]]] = {}
    for call in calls:
        _, question = turn_of(call.prompt)
        asked = sum(one.type == "human" and not is_injected(one) for one in call.prompt)
        before = open_.get(question)
        if before is None or asked > before[0]:  # the same words again, later in the conversation
            group: list[ModelCall] = []
            groups.append(group)
        else:
            group = before[1]
        open_[question] = (asked, group)
        group.append(call)
    return groups


def _turn(traced: Traced, scope: Node, group: list[ModelCall], runs: list[ToolRun]) -> Turn | None:
    decisions = [
        Decision(
            prompt=call.prompt,
            message=call.message,
            tools=call.tools,
            node=call.node,
            cost=call.cost,
            at_ns=call.end_ns or call.start_ns,
            trace_id=traced.id if call.otel else None,
            span_id=call.id if call.otel else None,
        )
        for call in group
        if call.message is not None
    ]
    if not decisions:
        return None
    since = group[0].start_ns
    mine = sorted((run for run in runs if run.start_ns >= since), key=lambda run: run.start_ns)
    last = group[-1]
    failed = last.error if last.message is None else None
    unanswered = not any(action.stops for action in actions_of(decisions[-1].message))
    if failed is None and scope.error is not None and unanswered:
        failed = scope.error
    return Turn(
        id=stable_id(traced.origin, traced.id, group[0].id),
        origin=traced.origin,
        decisions=decisions,
        tool_runs=mine,
        agent=scope.agent,
        agent_version=scope.agent_version,
        thread_id=traced.thread_id,
        started_ns=since,
        source={"trace": traced.id, "span": group[0].id},
        error=failed,
    )


def _places(nodes: Mapping[str, Node], groups: Sequence[tuple[str, Sequence[ModelCall]]]) -> dict[str, Place]:
    """What a span id stands for: a decision, or a whole run where only that one is inside of it."""
    places: dict[str, Place] = {}
    inside: dict[str, set[str]] = {}
    for run, group in groups:
        step = 0
        for call in group:
            if call.message is not None:
                places[call.id] = Place(run=run, step=step, actions=len(actions_of(call.message)))
                step += 1
            at = nodes[call.id].parent
            while at in nodes:
                inside.setdefault(at, set()).add(run)
                at = nodes[at].parent
    for span, runs in inside.items():
        if len(runs) == 1:
            places.setdefault(span, Place(run=next(iter(runs))))
    return places
