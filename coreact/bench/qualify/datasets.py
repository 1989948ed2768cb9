"""Public sets of human labels as cases: WiCE, LLM-Rubric, BIG-Bench Mistake, AgentRx on tau-bench.

Each reader says what is judged, what the criterion is, and what the labels leave open; labels that
people did not give are not made up. Nothing is fetched: a reader is given the folder that holds the
file. Questions and criteria are our wording, everything inside observations and proposals is data.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from coreact.bench.qualify.cases import CaseSet, JudgeCase, Label, LabelStatus, case_set, read_cases
from coreact.errors import LabelFileError
from coreact.rubric import Action, Criterion, Observation, Step, ToolCall
from coreact.trace.lines import Line, json_lines, read_bytes


def load_cases(path: Path) -> CaseSet:
    """The cases of a JSON lines file of `JudgeCase`, or of a folder that holds a known data set.

    A folder is known by the file in it, see `SETS`.

    Raises:
        LabelFileError: the folder holds no known set, or a file or line cannot be used.
    """
    path = Path(path)
    if not path.is_dir():
        return read_cases(path)
    for known in SETS:
        source = path / known.file
        if source.exists():
            content = read_bytes(source)
            return case_set(source, content, _cases(known.read, json_lines(source, content)))
    raise LabelFileError(
        f"{path} holds none of {', '.join(known.file for known in SETS)}.",
        path=path,
        remedy="Give the folder of a known data set, or a file of JSON lines.",
    )


def _cases(
    read: Callable[[Mapping[str, Any]], Iterable[JudgeCase]], lines: Iterable[Line]
) -> Iterator[JudgeCase]:
    seen: set[str] = set()
    for line in lines:
        try:
            found = list(read(line.fields))
        except (ValidationError, KeyError, TypeError, AttributeError, IndexError, ValueError) as failure:
            raise line.misfit(failure) from failure
        repeated = seen.intersection(case.id for case in found)
        if repeated:
            raise line.error(
                f"the case id {min(repeated)!r} is taken by an earlier line",
                remedy="Give every case its own.",
            )
        seen.update(case.id for case in found)
        yield from found


# --- WiCE: a claim against the page it cites ----------------------------------------------------

_WICE_LABELS: dict[str, LabelStatus] = {
    "supported": "met",
    "partially_supported": "partial",
    "not_supported": "unmet",
}
_SUPPORTED = Criterion(
    id="supported", text="Everything that the answer says is supported by the observation.", kind="fact"
)


def wice(fields: Mapping[str, Any]) -> Iterator[JudgeCase]:
    """A Wikipedia claim as the answer, the cited page as the only observation.

    The text around the claim is not shown: annotators saw it, but a judge could take it for evidence.
    Claims of one article form a group.
    """
    if fields["label"] not in _WICE_LABELS:
        raise ValueError(f"there is no label {fields['label']!r}")
    read = ToolCall(name="read_page", arguments={"cited_by": fields["claim_title"]})
    page = Observation(text="\n".join(fields["evidence"]), id="page")
    yield JudgeCase(
        id=fields["id"],
        dataset="wice-dev",
        question=(
            f"Write one sentence for the Wikipedia article {fields['claim_title']!r}, "
            f"section {fields['claim_section']!r}, from the cited page."
        ),
        steps=(Step(call=read, observation=page),),
        action=Action(answer=fields["claim"]),
        criteria=(_SUPPORTED,),
        labels={_SUPPORTED.id: _WICE_LABELS[fields["label"]]},
        group=fields["claim_title"],
    )


# --- LLM-Rubric: a dialogue, nine questions -----------------------------------------------------

_DIALOGUE = (
    Criterion(id="Q0", text="The user is satisfied with the conversation."),
    Criterion(id="Q1", text="The user's questions can be answered from the references.", kind="fact"),
    Criterion(id="Q2", text="The assistant's turns sound natural.", kind="style"),
    Criterion(id="Q3", text="The assistant cites its sources where it should.", kind="process"),
    Criterion(id="Q4", text="The citations support the claims they are given for.", kind="fact"),
    Criterion(id="Q5", text="The cited sources are the best among the references.", kind="process"),
    Criterion(id="Q6", text="The assistant does not repeat itself.", kind="style"),
    Criterion(id="Q7", text="The assistant is concise.", kind="style"),
    Criterion(id="Q8", text="The conversation takes no more turns than it needs.", kind="process"),
)
_TOP = {"Q8": 3}  # the other scales go from 1 to 4


def llm_rubric(fields: Mapping[str, Any]) -> Iterator[JudgeCase]:
    """A whole conversation as the answer, the web pages that the assistant saw as the observation.

    Scores from 1 to 4 (Q8: 3) become 0 to 1; 0 is "not applicable". The published file does not print
    the questions: which column is Q1 and which Q2 was inferred from where zeros stand, and the order
    of Q3 to Q5 is unchecked. One person rated each dialogue, so no agreement among people is known.
    """
    spoken = "\n\n".join(f"{turn['role'].capitalize()}: {turn['content']}" for turn in fields["messages"])
    references = fields["references"]
    look_up = ToolCall(name="search_web", arguments={"query": fields["topic"]})
    yield JudgeCase(
        id=fields["id"],
        dataset="llm-rubric",
        question=f"Help a user in a conversation about: {fields['topic']}.",
        steps=(Step(call=look_up, observation=Observation(text=references, id="references")),)
        if references
        else (),
        action=Action(answer=spoken),
        criteria=_DIALOGUE,
        labels={c.id: _scaled(fields["human"][c.id], _TOP.get(c.id, 4)) for c in _DIALOGUE},
    )


def _scaled(rating: int, top: int) -> Label:
    if rating not in range(top + 1):
        raise ValueError(f"the rating {rating} is not between 0 and {top}")
    return "not_applicable" if rating == 0 else (rating - 1) / (top - 1)


# --- BIG-Bench Mistake: where is the first wrong step -------------------------------------------

_SOUND = Criterion(
    id="sound", text="The proposed thought is right, given the question and the thoughts before it."
)


def bigbench_mistake(fields: Mapping[str, Any]) -> Iterator[JudgeCase]:
    """One case for each thought up to and including the first wrong one.

    What follows the first mistake was not labelled and is left out. A trace is a group, its task a
    stratum.
    """
    thoughts = [ToolCall(name="think", arguments={"thought": step}) for step in fields["steps"]]
    mistake = fields["mistake_index"]
    steps = tuple(Step(call=thought) for thought in thoughts)
    labelled = thoughts if mistake is None else thoughts[: mistake + 1]
    if mistake is not None and not 0 <= mistake < len(thoughts):
        raise ValueError(f"the mistake_index {mistake} is not the index of a step")
    for at, thought in enumerate(labelled):
        yield JudgeCase(
            id=f"{fields['id']}/{at}",
            dataset="bigbench-mistake",
            question=fields["input"],
            steps=steps[:at],
            action=Action(call=thought),
            criteria=(_SOUND,),
            labels={_SOUND.id: "unmet" if at == mistake else "met"},
            group=fields["id"],
            stratum=fields["task"],
        )


# --- AgentRx: which step of a failed run went wrong ---------------------------------------------

_FITTING = Criterion(
    id="fitting",
    text="The proposed step keeps to the policy, reads earlier results rightly and serves what the user"
    " asked for.",
    kind="process",
)


def agentrx(fields: Mapping[str, Any]) -> Iterator[JudgeCase]:
    """One case for each assistant step before the first failure of a run, and for each that failed.

    Annotators marked every failure, so a step before the first one is labelled `met`. Failures of the
    user or of the system are no proposals of the agent and are left out, and so are unmarked steps
    after a failure, which may follow from it. The hidden instruction of the simulated user is not
    shown. Words to the user are a call of `respond`, with the user's reply as its observation.
    """
    history = fields["history"]
    failed = {
        failure["step_index"]
        for failure in fields["failures"]
        if history[failure["step_index"]]["role"] == "assistant"
    }
    first = min(failure["step_index"] for failure in fields["failures"])
    given = tuple(turn["content"] for turn in history if turn["role"] == "system")
    asked = next(at for at, turn in enumerate(history) if turn["role"] == "user")
    steps: list[Step] = []
    for at in range(asked + 1, len(history)):
        if history[at]["role"] != "assistant":
            continue
        call = _turn_call(history[at])
        if at < first or at in failed:
            yield JudgeCase(
                id=f"{fields['id']}/{at}",
                dataset="agentrx-tau",
                question=history[asked]["content"],
                given=given,
                steps=tuple(steps),
                action=Action(call=call),
                criteria=(_FITTING,),
                labels={_FITTING.id: "unmet" if at in failed else "met"},
                group=fields["id"],
            )
        reply = history[at + 1] if at + 1 < len(history) else None
        steps.append(
            Step(
                call=call,
                observation=None if reply is None else Observation(text=reply["content"], id=f"m{at + 1}"),
            )
        )


def _turn_call(turn: Mapping[str, Any]) -> ToolCall:
    calls: Sequence[Mapping[str, Any]] = turn.get("tool_calls") or ()
    if not calls:
        return ToolCall(name="respond", arguments={"text": turn["content"]})
    if len(calls) > 1:
        raise ValueError("an assistant turn has several tool calls")
    function = calls[0]["function"]
    return ToolCall(name=function["name"], arguments=json.loads(function["arguments"]), id=calls[0]["id"])


# -----------------------------------------------------------------------------------------------


class KnownSet(NamedTuple):
    """A data set that can be read from a folder."""

    file: str
    """Name of the file that its folder holds."""
    read: Callable[[Mapping[str, Any]], Iterable[JudgeCase]]
    """Makes cases of one line."""


SETS = (
    KnownSet("claims.jsonl", wice),
    KnownSet("dialogues.jsonl", llm_rubric),
    KnownSet("traces.jsonl", bigbench_mistake),
    KnownSet("trajectories.jsonl", agentrx),
)
