"""The calls that one decision makes to something outside: noted for the record, or answered from one.

A tape is made where there is a recorder or a replay, and lives as long as the decision. Calls are noted while
it is made and recorded after its step, so that a store which takes a step back takes its calls back too.
What is called, and what follows from an answer, is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from coreact.generate import RubricGenerator
from coreact.guide.replay import Answers, Explain, Said, replayed_error
from coreact.guide.requests import Failed, JudgeCriteria, Judged, RubricWritten
from coreact.judge import Cost, Judge, Verdict
from coreact.rubric import Rubric, State
from coreact.rubric.remarks import Remark
from coreact.trace import CallKind, CallRecord, Trajectory
from coreact.trace.calls import model_key, rubric_key, verdicts_key
from coreact.trace.comparing import prompt_difference

_VERDICTS = TypeAdapter(tuple[Verdict, ...])
_REMARKS = TypeAdapter(tuple[Remark, ...])


@dataclass(kw_only=True)
class Tape:
    """The calls of one decision."""

    run: str
    step: int
    prompt: str
    """Key of the prompt."""
    tools: str
    """Key of the tools; empty where they could not be read."""
    messages: Callable[[], Sequence[Mapping[str, Any]]]
    """The prompt as plain JSON, to say in what it differs."""
    answers: Answers | None = None
    """Who answers from a record; None: every call is made."""
    noted: list[CallRecord] = field(default_factory=list)
    """Calls so far, in order."""

    def note(
        self,
        kind: CallKind,
        key: str,
        *,
        request: dict[str, Any],
        response: dict[str, Any] | None = None,
        error: str | None = None,
        seconds: float = 0.0,
    ) -> None:
        """Take a call down."""
        self.noted.append(
            CallRecord(
                run=self.run,
                step=self.step,
                kind=kind,
                key=key,
                request=request,
                response=response,
                error=error,
                seconds=seconds,
            )
        )

    # --- the model ------------------------------------------------------------------------------

    def model_key(self, added: Sequence[str], options: Mapping[str, Any], constraint: Any) -> str:
        """Key of a call of the agent's model in this decision."""
        return model_key(self.prompt, added=added, tools=self.tools, options=options, constraint=constraint)

    def said(self, key: str, added: Sequence[str]) -> Said | None:
        """What the record says that the model said; None: ask it.

        Raises:
            ReplayDivergenceError: the record does not say.
        """
        if self.answers is None:
            return None
        call = self.answers.answer("model", key, step=self.step, explain=self._asked(added))
        if call is None:
            return None
        return Said(call, [] if call.response is None else self.answers.said(call))

    # --- rubrics --------------------------------------------------------------------------------

    def written(self, state: State) -> RubricWritten | Failed | None:
        """What the record says that the generator wrote; None: ask it.

        Raises:
            ReplayDivergenceError: the record does not say.
        """
        if self.answers is None:
            return None
        key = rubric_key(state)
        call = self.answers.answer("generator", key, step=self.step, explain=self._asked())
        if call is None:
            return None
        given = call.response or {}
        cost = Cost.model_validate(given.get("cost", {}))
        remarks = _REMARKS.validate_python(given.get("remarks", ()))
        if call.error is not None:
            return Failed(error=replayed_error(call), cost=cost, remarks=remarks)
        return RubricWritten(
            rubric=Rubric.model_validate(given["rubric"]),
            generator=str(call.request.get("generator", "")),
            cost=cost,
            remarks=remarks,
        )

    def note_written(self, state: State, writer: RubricGenerator, reply: RubricWritten | Failed) -> None:
        """Take down what a generator wrote, or how it failed."""
        response: dict[str, Any] = {
            "cost": reply.cost.model_dump(mode="json"),
            "remarks": _REMARKS.dump_python(reply.remarks, mode="json"),
        }
        error = None
        if isinstance(reply, Failed):
            error = f"{type(reply.error).__name__}: {reply.error}"
        else:
            response["rubric"] = reply.rubric.model_dump(mode="json")
        self.note(
            "generator",
            rubric_key(state),
            request={"generator": writer.id},
            response=response,
            error=error,
            seconds=reply.cost.seconds,
        )

    # --- verdicts -------------------------------------------------------------------------------

    def judged(self, request: JudgeCriteria) -> Judged | None:
        """What the record says that the judge ruled; None: ask it.

        Raises:
            ReplayDivergenceError: the record does not say.
        """
        if self.answers is None:
            return None
        key = verdicts_key(request.criteria, request.action, request.state)
        call = self.answers.answer("judge", key, step=self.step, explain=self._asked(), about=request)
        if call is None or call.response is None:
            return None
        return Judged(
            verdicts=_VERDICTS.validate_python(call.response["verdicts"]),
            cost=Cost.model_validate(call.response["cost"]),
        )

    def note_judged(self, request: JudgeCriteria, judge: Judge, reply: Judged) -> None:
        """Take down what a judge ruled; that its instrument failed stands in its verdicts."""
        self.note(
            "judge",
            verdicts_key(request.criteria, request.action, request.state),
            request={"judge": judge.id, "criteria": [criterion.id for criterion in request.criteria]},
            response={
                "verdicts": _VERDICTS.dump_python(reply.verdicts, mode="json"),
                "cost": reply.cost.model_dump(mode="json"),
            },
            seconds=reply.cost.seconds,
        )

    def _asked(self, added: Sequence[str] = ()) -> Explain:
        def explain(trajectory: Trajectory) -> str:
            try:
                recorded = trajectory.prompt(self.step)
            except IndexError:
                return f"it has no step {self.step}"
            if found := prompt_difference(recorded, self.messages()):
                return found
            step = next(one for one in trajectory.steps if one.index == self.step)
            shown = [text for text in (step.guidance, *(one.feedback for one in step.attempts)) if text]
            for text in added:
                if text not in shown:
                    return f"the same prompt, with other text of ours after it: {text[:70]!r}"
            return "the same prompt, with other tools, another constraint or other options"

        return explain
