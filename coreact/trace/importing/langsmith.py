"""LangSmith run trees: exported runs, nested in `child_runs` or flat with `parent_run_id`.

Runs of type `llm` are the calls; their messages stand in LangChain's serialised form where LangChain traced
them and in OpenAI's where its client was wrapped. Feedback is read where it stands with a run or on lines of
its own; aggregates (`feedback_stats`) say nothing of single judgements and are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage

from coreact.errors import MessagesError, TraceFileError
from coreact.judge import Cost
from coreact.trace.importing.calls import ModelCall, Node, Traced, trajectories_of
from coreact.trace.importing.messages import Messages, contracts_of
from coreact.trace.importing.reading import Document, LeftOut
from coreact.trace.importing.scores import Score
from coreact.trace.importing.spans import amount, count, nanoseconds
from coreact.trace.importing.turns import ToolRun
from coreact.trace.records import Trajectory

FORMAT = "langsmith"

_Run = Mapping[str, Any]


def speaks(value: Any) -> bool:
    """Whether a document is a run, a list of runs under `runs`, or feedback."""
    if not isinstance(value, Mapping):
        return False
    runs = value.get("runs")
    if isinstance(runs, list) and runs:
        return speaks(runs[0])
    return "run_type" in value or _is_feedback(value)


def read(
    found: Iterable[Document], left_out: list[LeftOut], path: Path, *, skip_broken: bool
) -> Iterator[Trajectory]:
    """The runs of all traces of a file, trace by trace in the order they began.

    A run's trace is whole only when the file ends, so runs are kept until then.

    Raises:
        TraceFileError: a document is no run.
    """
    flat: dict[str, dict[str, tuple[_Run, str]]] = {}
    doubtful: dict[str, str] = {}
    scores: list[Score] = []
    for document in found:
        if not speaks(document.value):
            if not skip_broken:
                raise TraceFileError(
                    f"{path}, {document.where}: no LangSmith run.", path=path, line=document.line
                )
            left_out.append(LeftOut(document.where, "no LangSmith run"))
            continue
        written = document.value.get("runs")
        for run in written if isinstance(written, list) else [document.value]:
            if not isinstance(run, Mapping):
                left_out.append(LeftOut(document.where, "no LangSmith run"))
            elif _is_feedback(run):
                scores.append(_score(run, document.where))
            else:
                _gather(run, document.where, flat, doubtful, left_out)
    about: dict[str, list[Score]] = {}
    for score in scores:
        about.setdefault(score.target, []).append(score)
    for trace, runs in sorted(flat.items(), key=lambda pair: min(_start(run) for run, _ in pair[1].values())):
        if trace in doubtful:
            left_out.append(LeftOut(f"trace {trace}", doubtful[trace]))
        else:
            mine = [one for ident in runs for one in about.get(ident, ())]
            yield from trajectories_of(_traced(trace, runs, mine, left_out), left_out)
    everywhere = {ident for runs in flat.values() for ident in runs}
    left_out.extend(
        LeftOut(one.where, f"score {one.name!r}: its run is not in the file")
        for one in scores
        if one.target not in everywhere
    )


def _is_feedback(value: _Run) -> bool:
    return "run_id" in value and "key" in value and "run_type" not in value


def _start(run: _Run) -> int:
    return nanoseconds(run.get("start_time"))


def _gather(
    run: _Run,
    where: str,
    flat: dict[str, dict[str, tuple[_Run, str]]],
    doubtful: dict[str, str],
    left_out: list[LeftOut],
) -> None:
    """Take a run and those inside of it, without recursion: a file may nest deeper than the stack."""
    waiting: list[tuple[_Run, str, str]] = [(run, "", "")]
    while waiting:
        one, trace, parent = waiting.pop()
        ident = str(one.get("id") or "")
        if not ident:
            left_out.append(LeftOut(where, "a run has no id"))
            continue
        trace = str(one.get("trace_id") or "") or trace or _dotted(one, 0) or ident
        above = str(one.get("parent_run_id") or "") or parent or _dotted(one, -2)
        children = one.get("child_runs")
        kept = {key: value for key, value in one.items() if key != "child_runs"}
        kept["parent_run_id"] = above
        known = flat.setdefault(trace, {}).setdefault(ident, (kept, where))
        if known[0] != kept:
            doubtful[trace] = f"two different runs have the id {ident}"
        for child in children if isinstance(children, list) else []:
            if isinstance(child, Mapping):
                waiting.append((child, trace, ident))


def _dotted(run: _Run, at: int) -> str:
    """The id of a run above, from the path `{time}Z{id}.{time}Z{id}`; empty where there is none."""
    parts = str(run.get("dotted_order") or "").split(".")
    if len(parts) < abs(at) or (at == 0 and len(parts) < 2):
        return ""
    return parts[at].partition("Z")[2]


def _traced(
    trace: str, runs: Mapping[str, tuple[_Run, str]], scores: list[Score], left_out: list[LeftOut]
) -> Traced:
    traced = Traced(id=trace, origin=FORMAT, scores=list(scores))
    messages = Messages()
    for ident, (run, where) in sorted(runs.items(), key=lambda pair: _start(pair[1][0])):
        remarks: list[str] = []
        traced.nodes[ident] = _node(ident, run, where, messages, remarks)
        metadata = _metadata(run)
        thread = next(
            (metadata[key] for key in ("thread_id", "session_id", "conversation_id") if metadata.get(key)),
            None,
        )
        traced.thread_id = traced.thread_id or (None if thread is None else str(thread))
        left_out.extend(LeftOut(f"trace {trace}, run {ident}", remark) for remark in remarks)
        given = run.get("feedback")
        for feedback in given if isinstance(given, list) else []:
            if isinstance(feedback, Mapping):
                traced.scores.append(_score({"run_id": ident, **feedback}, where))
        for key in _object(run.get("feedback_stats")):
            left_out.append(LeftOut(f"run {ident}", f"feedback_stats {key!r}: an aggregate is no judgement"))
    return traced


def _node(ident: str, run: _Run, where: str, messages: Messages, remarks: list[str]) -> Node:
    kind, error = run.get("run_type"), run.get("error")
    node = Node(
        id=ident,
        parent=str(run["parent_run_id"]),
        agent=str(_metadata(run).get("lc_agent_name") or run.get("name") or ""),
        agent_version=str(_metadata(run).get("revision_id") or ""),
        error=None if error is None or _is_control_flow(error) else str(error),
        end_ns=nanoseconds(run.get("end_time")),
    )
    if kind == "tool":
        node.bounds, node.tool_run = True, _tool_run(run)
    elif kind == "llm":
        node.call = _model_call(ident, run, where, messages, remarks)
    return node


def _is_control_flow(error: Any) -> bool:
    """An interrupt of LangGraph is no failure, though it is recorded as one."""
    return str(error).startswith(("GraphInterrupt", "GraphBubbleUp", "ParentCommand", "NodeInterrupt"))


def _model_call(
    ident: str, run: _Run, where: str, messages: Messages, remarks: list[str]
) -> ModelCall | None:
    inputs, outputs = _object(run.get("inputs")), _object(run.get("outputs"))
    prompt, reply = _prompt(inputs, remarks), _reply(outputs, remarks)
    error = run.get("error")
    try:
        if prompt is None:
            raise MessagesError("It is a text completion, no chat with messages.", index=0)
        read = messages.read(prompt)
        message = messages.read([*prompt, reply])[-1] if reply is not None else None
    except MessagesError as problem:
        remarks.append(problem.what)
        return None
    if message is not None and not isinstance(message, AIMessage):
        remarks.append("What came back is no assistant message.")
        return None
    if message is None and error is None:
        remarks.append("What came back was not recorded.")
        return None
    start, end = _start(run), nanoseconds(run.get("end_time"))
    extra = _object(run.get("extra"))
    tools = _object(extra.get("invocation_params")).get("tools") or inputs.get("tools")
    return ModelCall(
        id=ident,
        prompt=read,
        message=message,
        tools=contracts_of(tools, remarks) if tools else None,
        node=str(_metadata(run).get("langgraph_node") or ""),
        cost=_cost(run, outputs, message, max(0, end - start) / 1e9),
        start_ns=start,
        end_ns=end,
        error=None if error is None else str(error),
        where=where,
        otel=False,
    )


def _prompt(inputs: Mapping[str, Any], remarks: list[str]) -> list[Any] | None:
    found = inputs.get("messages", inputs.get("input"))
    if not isinstance(found, list) or not found:
        return None
    first = found[0]
    is_batch = isinstance(first, list) and not (len(first) == 2 and isinstance(first[0], str))
    if is_batch and len(found) > 1:
        remarks.append(f"It asked {len(found)} prompts at once: the first is kept")
    return first if is_batch else found


def _reply(outputs: Mapping[str, Any], remarks: list[str]) -> Any:
    generations = outputs.get("generations")
    choices = outputs.get("choices")
    while isinstance(generations, list) and generations:
        # A list of lists is a batch of prompts; that is said of the prompts.
        if not isinstance(generations[0], list):
            _say_choices(len(generations), remarks)
        generations = generations[0]
    if isinstance(generations, Mapping):
        return generations.get("message") or {"role": "assistant", "content": generations.get("text")}
    if isinstance(choices, list) and choices:
        _say_choices(len(choices), remarks)
        return _object(choices[0]).get("message")
    if isinstance(outputs.get("messages"), list) and outputs["messages"]:
        return outputs["messages"][-1]
    for key in ("message", "output"):
        if isinstance(outputs.get(key), Mapping):
            return outputs[key]
    return dict(outputs) if "role" in outputs else None


def _say_choices(found: int, remarks: list[str]) -> None:
    if found > 1:
        remarks.append(
            f"{found - 1} further choice{'' if found == 2 else 's'} of the model: the first is kept"
        )


def _cost(run: _Run, outputs: Mapping[str, Any], message: AIMessage | None, seconds: float) -> Cost:
    usage = _object(outputs.get("usage_metadata")) or _object(outputs.get("usage"))
    if not usage and message is not None and message.usage_metadata is not None:
        usage = message.usage_metadata
    asked = run.get("prompt_tokens") or usage.get("input_tokens") or usage.get("prompt_tokens")
    said = run.get("completion_tokens") or usage.get("output_tokens") or usage.get("completion_tokens")
    return Cost(
        calls=1,
        input_tokens=count(asked),
        output_tokens=count(said),
        seconds=seconds,
        usd=amount(run.get("total_cost")),
    )


def _tool_run(run: _Run) -> ToolRun:
    output = _object(run.get("outputs")).get("output")
    content, call_id, failed = output, "", run.get("error") is not None
    if isinstance(output, Mapping):
        data = _object(output.get("kwargs")) or _object(output.get("data")) or output
        call_id = str(data.get("tool_call_id") or "")
        content = data.get("content", output)
        failed = failed or data.get("status") == "error"
    extra = _object(run.get("extra"))
    return ToolRun(
        name=str(run.get("name") or ""),
        call_id=str(extra.get("tool_call_id") or call_id),
        text=str(run.get("error") or "")
        if content is None
        else content
        if isinstance(content, str)
        else str(content),
        failed=failed,
        start_ns=_start(run),
        end_ns=nanoseconds(run.get("end_time")),
    )


def _score(feedback: _Run, where: str) -> Score:
    source = _object(feedback.get("feedback_source"))
    value, label = feedback.get("score"), feedback.get("value")
    return Score(
        id=str(feedback.get("id") or ""),
        target=str(feedback.get("run_id") or ""),
        name=str(feedback.get("key") or "feedback"),
        value=value if value is not None or not isinstance(label, bool | int | float) else label,
        label=label if isinstance(label, str) else "",
        why=str(feedback.get("comment") or ""),
        kind=str(source.get("type") or ""),  # `app`: a person in its pages; `api`: a program
        by=str(source.get("user_name") or ""),
        at_ns=nanoseconds(feedback.get("created_at")),
        where=where,
    )


def _metadata(run: _Run) -> Mapping[str, Any]:
    return _object(_object(run.get("extra")).get("metadata"))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
