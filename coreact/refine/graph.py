"""Verify and refine as a LangGraph graph of its own, to run or to put into another graph as a node.

    check = verify_graph(rubric, judge, revise=reviser(model))
    builder.add_node("verify", check)   # shares `question`, `answer` and `messages` with its parent

`judge_answer` only judges, `report_round` only acts on what was judged, `revise_answer` only revises,
and a checkpoint stands between them: what interrupts in the latter two finds the verdict on the
checkpoint, and a resume judges nothing again. Rejected answers stay inside: nothing streams but the
result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypedDict, Unpack

from langchain_core.messages import AnyMessage, SystemMessage
from langchain_core.runnables import RunnableLambda
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Checkpointer

from coreact.generate import RubricGenerator
from coreact.host.messages import StateReader, message_json, turn_of
from coreact.host.streams import current_writer
from coreact.judge.runner import Judge
from coreact.refine.drivers import adrive, drive
from coreact.refine.loop import Next, review, revise
from coreact.refine.record import record
from coreact.refine.requests import Loop
from coreact.refine.revise import Reviser
from coreact.refine.rounds import Progress, Round, ended
from coreact.refine.status import AnswerCheck, status
from coreact.refine.verifier import AnswerVerifier, Options
from coreact.rubric import Rubric, State
from coreact.trace import Recorder, new_id


class VerifyInput(TypedDict, total=False):
    """What the graph takes."""

    question: str
    """The question; the last user message of `messages` if it is left out."""
    answer: str
    messages: Annotated[list[AnyMessage], add_messages]
    """The conversation the answer rests on, without the answer itself."""


class VerifyOutput(TypedDict, total=False):
    """What the graph gives: the best answer, and what can be said about it."""

    answer: str
    answer_check: AnswerCheck


class VerifyState(VerifyInput, VerifyOutput, total=False):
    """The graph's own state."""

    answer_progress: dict[str, Any] | None
    """`Progress` as plain JSON while an answer is being verified."""


def verify_graph(
    rubric: Rubric | RubricGenerator,
    judge: Judge | Sequence[Judge] | None = None,
    *,
    revise: Reviser,
    recorder: Recorder | None = None,
    on_round: Callable[[Round], object] | None = None,
    agent: str = "",
    checkpointer: Checkpointer = None,
    **options: Unpack[Options],
) -> CompiledStateGraph[VerifyState, None, VerifyInput, VerifyOutput]:
    """Make the graph. It takes `question`, `answer`, `messages` and gives `answer`, `answer_check`.

    Args:
        rubric: the criteria of a good answer (scope `answer`), or a generator of them.
        judge: who decides criteria that no check decides; several must all agree.
        revise: gives a new answer for a `Revision`; it may interrupt.
        recorder: where the rounds are stored.
        on_round: called with each round once it is judged and checkpointed; it may interrupt.
        agent: name of the agent in the record.
        checkpointer: see `StateGraph.compile`.
        **options: see `AnswerVerifier` and `RefineSettings`.

    Raises:
        ConfigError: a setting is unknown or out of range, or the rubric is not for answers.
    """
    nodes = _Nodes(AnswerVerifier(rubric, judge, reviser=revise, **options), recorder, on_round, agent)
    builder = StateGraph(VerifyState, input_schema=VerifyInput, output_schema=VerifyOutput)
    builder.add_node("judge_answer", RunnableLambda(nodes.judge, afunc=nodes.ajudge))
    builder.add_node("report_round", nodes.report)
    builder.add_node("revise_answer", RunnableLambda(nodes.revise, afunc=nodes.arevise))
    builder.add_edge(START, "judge_answer")
    builder.add_edge("judge_answer", "report_round")
    builder.add_conditional_edges("report_round", _after_report, ["revise_answer", END])
    builder.add_conditional_edges("revise_answer", _after_revise, ["judge_answer", "report_round"])
    return builder.compile(checkpointer=checkpointer, name="verify_answer")


class _Nodes:
    def __init__(
        self,
        verifier: AnswerVerifier,
        recorder: Recorder | None,
        on_round: Callable[[Round], object] | None,
        agent: str,
    ) -> None:
        self._verifier = verifier
        self._recorder = recorder
        self._on_round = on_round
        self._agent = agent

    def judge(self, state: VerifyState) -> VerifyState:
        return _judged(state, drive(self._review(state), self._verifier.parties))

    async def ajudge(self, state: VerifyState) -> VerifyState:
        return _judged(state, await adrive(self._review(state), self._verifier.parties))

    def _review(self, state: VerifyState) -> Loop[Progress]:
        return review(self._verifier.method, _progress(state), state["answer"], _state(state))

    def report(self, state: VerifyState) -> VerifyState:
        progress = _progress(state)
        run = state["answer_check"]["run"]
        end = ended(progress, self._verifier.settings)
        if progress.rounds and not progress.failed:
            last = progress.rounds[-1]
            if self._on_round is not None:
                self._on_round(last)
            write = current_writer()
            if write is not None:
                write({"type": "coreact.round", "run": run, "round": last.model_dump(mode="json")})
        if self._recorder is not None:
            read = _state(state)
            record(
                self._recorder,
                progress,
                run=run,
                settings=self._verifier.settings,
                question=read.question,
                best=progress.best,
                done=end is not None,
                state=read,
                prompt=[message_json(message) for message in state.get("messages", ())],
                agent=self._agent,
            )
        if end is None:
            return {}
        best = progress.best
        return {
            "answer": best.answer if best is not None else state["answer"],
            "answer_check": status(progress, run=run, turn=_turn(state), ended=end),
            "answer_progress": None,
        }

    def revise(self, state: VerifyState) -> VerifyState:
        return _revised(drive(revise(_progress(state), _state(state)), self._verifier.parties))

    async def arevise(self, state: VerifyState) -> VerifyState:
        return _revised(await adrive(revise(_progress(state), _state(state)), self._verifier.parties))


def _judged(state: VerifyState, progress: Progress) -> VerifyState:
    begun = state.get("answer_progress") is not None
    run = state["answer_check"]["run"] if begun else new_id()
    return {
        "answer_check": status(progress, run=run, turn=_turn(state)),
        "answer_progress": progress.model_dump(mode="json"),
    }


def _revised(revised: Next) -> VerifyState:
    update: VerifyState = {"answer_progress": revised.progress.model_dump(mode="json")}
    if revised.answer is not None:
        update["answer"] = revised.answer
    return update


def _after_report(state: VerifyState) -> Literal["revise_answer", "__end__"]:
    return "__end__" if state.get("answer_progress") is None else "revise_answer"


def _after_revise(state: VerifyState) -> Literal["judge_answer", "report_round"]:
    return "report_round" if _progress(state).failed else "judge_answer"


def _progress(state: VerifyState) -> Progress:
    found = state.get("answer_progress")
    return Progress() if found is None else Progress.model_validate(found)


def _state(state: VerifyState) -> State:
    messages = list(state.get("messages", ()))
    system = messages.pop(0) if messages and isinstance(messages[0], SystemMessage) else None
    read = StateReader().read(messages, system=str(system.text) if system is not None else "")
    question = state.get("question", "")
    return read.model_copy(update={"question": question}) if question else read


def _turn(state: VerifyState) -> str:
    return turn_of(state.get("messages", ())).id
