"""From a stored run back to the state of each of its decisions.

What guidance wrote and judged, it wrote and judged in a state. A stored run holds all that the state was
read from (messages, tools, budget), so the state can be had again: to judge a step anew, to write another
rubric for it, or to train a generator on the very prompt that it was asked with. The state that comes back
has the digest that was recorded; where it has not, the record was changed and cannot be trusted.
"""

from __future__ import annotations

from typing import cast

from coreact.errors import CoReActError, StoreError
from coreact.rubric import State
from coreact.trace.records import StepRecord, Trajectory


def state_at(trajectory: Trajectory, step: int) -> State:
    """The state in which one step of a stored run was decided.

    Raises:
        IndexError: the run has no such step.
        StoreError: the state could not be read when the run was made, its content was not kept, or what is
            stored gives another one.
    """
    from langchain_core.messages import AnyMessage, SystemMessage, messages_from_dict

    from coreact.host.messages import StateReader

    record = next((one for one in trajectory.steps if one.index == step), None)
    if record is None:
        raise IndexError(f"run {trajectory.run.id} has no step {step}")
    if not record.state_digest:
        raise _without(trajectory, record)
    try:
        messages = cast("list[AnyMessage]", messages_from_dict(list(trajectory.prompt(step))))
        system = ""
        if messages and isinstance(messages[0], SystemMessage):
            system, messages = str(messages[0].text), messages[1:]
        limit = trajectory.run.settings.get("step_budget")
        state = StateReader().read(messages, tools=trajectory.tools(step), system=system, limit=limit)
    except (CoReActError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"The messages of step {step} of run {trajectory.run.id} cannot be read: {type(error).__name__}.",
            remedy="The record was changed or damaged; use another step.",
        ) from error
    if state.digest != record.state_digest:
        raise StoreError(
            f"Step {step} of run {trajectory.run.id} gives another state than the one that was recorded.",
            remedy="It was recorded by an earlier version that kept no tools, or it was changed since.",
        )
    return state


def _without(trajectory: Trajectory, record: StepRecord) -> StoreError:
    run, capture = trajectory.run.id, trajectory.run.capture
    if capture == "off":
        return StoreError(
            f"Run {run} was recorded with capture off: the content that states are read from was not kept.",
            remedy="Record with capture redacted or full.",
        )
    if capture == "redacted" and record.error is None:
        return StoreError(
            f"The state of step {record.index} of run {run} could not be taken anew from what was redacted.",
            remedy="The messages before it were not seen by the redactor that recorded it; use another step.",
        )
    return StoreError(
        f"Step {record.index} of run {run} was decided without a state: {record.error}.",
        remedy="Its messages or tools could not be read; use another step.",
    )
