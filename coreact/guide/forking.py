"""Begin a run in the middle of a recorded one: the same prompt byte for byte, then live.

    fork = Fork(store.trajectory(run), step=3)
    for _ in range(4):
        agent.invoke(fork.begin(recorder, settings))

Each beginning is a run of its own with `parent` and `forked_at`; its first step has the parent's number,
state, budget and spending. Several samples of one place, judged, are preferences about one step. The graph is
the caller's; nothing of the steps before is run again. Where a checkpointer kept the parent, LangGraph's
`update_state` forks as well, and with the whole state of the graph; here only the messages are known.
"""

from __future__ import annotations

from typing import Any, cast

from langchain_core.messages import AnyMessage, BaseMessage, SystemMessage, messages_from_dict

from coreact import __version__
from coreact.errors import ConfigError
from coreact.guide.settings import GuideSettings
from coreact.guide.status import StepStatus
from coreact.host.messages import last_question, turn_of
from coreact.host.state import STATUS_KEY
from coreact.judge import Cost
from coreact.trace import Recorder, RunRecord, StepRecord, Trajectory, new_id


class Fork:
    """The place in a recorded run that other runs begin at.

    Args:
        trajectory: the recorded run.
        step: the decision that is made anew.

    Raises:
        ConfigError: the run has no such step, or its content was not kept.
    """

    def __init__(self, trajectory: Trajectory, step: int) -> None:
        run = trajectory.run
        if run.capture != "full":
            raise ConfigError(
                f"Run {run.id} was recorded with capture={run.capture!r}: what was said is not in it.",
                remedy="Only runs that were recorded in full can be forked.",
            )
        indices = [one.index for one in trajectory.steps]
        if step not in indices:
            has = f"{indices[0]} to {indices[-1]}" if indices else "none"
            raise ConfigError(f"Run {run.id} has no step {step}.", remedy=f"Its steps are: {has}.")
        self.trajectory = trajectory
        self.step = step
        messages = messages_from_dict(list(trajectory.prompt(step)))
        self.system = str(messages.pop(0).text) if messages and messages[0].type == "system" else ""
        """The system prompt that stood before the messages."""
        # A reducer would give a message without id a new one, and the turn would be another one.
        self.messages: list[BaseMessage] = [
            one.model_copy(update={"id": new_id()}) if one.id is None else one for one in messages
        ]
        """The prompt of the step, without guidance and without the system prompt."""

    @property
    def question(self) -> str:
        """The user message that the run answers."""
        at = last_question(cast("list[AnyMessage]", self.messages))
        return str(self.messages[at].text) if at >= 0 else self.trajectory.run.question

    def begin(
        self,
        recorder: Recorder | None = None,
        settings: GuideSettings | None = None,
        *,
        agent: str | None = None,
        seed: int | None = None,
        with_system: bool = False,
    ) -> dict[str, Any]:
        """Begin one run: what to invoke the guided graph with, on a thread of its own.

        Args:
            recorder: where the beginning is stored; the graph's guidance must have the same one.
            settings: of the graph's guidance; those of the recorded run if None.
            agent: name of the agent in the record; that of the recorded run if None.
            seed: seed of the run, for the record.
            with_system: put the system prompt before the messages, for hand-written graphs that keep it
                there; `create_agent` brings its own.

        Returns:
            The input of the graph: `messages` and the status of guidance, under a new run id.
        """
        parent, run = self.trajectory.run, new_id()
        if recorder is not None:
            recorder.start(
                RunRecord(
                    id=run,
                    question=self.question,
                    agent=parent.agent if agent is None else agent,
                    agent_version=parent.agent_version if agent is None else "",
                    settings=parent.settings if settings is None else settings.model_dump(mode="json"),
                    seed=seed,
                    parent=parent.id,
                    forked_at=self.step,
                    version=__version__,
                )
            )
        system = [SystemMessage(self.system)] if with_system and self.system else []
        return {
            "messages": [*system, *(message.model_copy(deep=True) for message in self.messages)],
            STATUS_KEY: self._status(run),
        }

    def _status(self, run: str) -> StepStatus:
        """The status that the parent had when it came to the step, as a run of another id."""
        before = [one for one in self.trajectory.steps if one.index < self.step]
        spent = sum((_extra(one) for one in before), Cost())
        scores = [score for one in before if (score := _score(one)) is not None]
        return StepStatus(
            run=run,
            turn=turn_of(cast("list[AnyMessage]", self.messages)).id,
            step=self.step - 1,
            status="off",
            score=None,
            run_score=sum(scores) / len(scores) if scores else None,
            run_judged=len(scores),
            judged=0,
            total=0,
            unmet=[],
            attempts=0,
            rung="plain",
            errors=[],
            spent={
                "calls": spent.calls,
                "input_tokens": spent.input_tokens,
                "output_tokens": spent.output_tokens,
                "seconds": spent.seconds,
            },
            held={},
        )


def _extra(step: StepRecord) -> Cost:
    """What guidance spent in a step beyond one plain model call."""
    plain = step.attempts[0].cost if step.attempts else Cost()
    return Cost(
        calls=max(0, step.cost.calls - plain.calls),
        input_tokens=max(0, step.cost.input_tokens - plain.input_tokens),
        output_tokens=max(0, step.cost.output_tokens - plain.output_tokens),
        seconds=max(0.0, step.cost.seconds - plain.seconds),
    )


def _score(step: StepRecord) -> float | None:
    """Mean score of the selected attempt by all it was judged by, as the run's own mean counts it."""
    chosen = step.chosen
    scores = [one.score for one in (() if chosen is None else chosen.outcomes) if one.score is not None]
    return sum(scores) / len(scores) if scores else None
