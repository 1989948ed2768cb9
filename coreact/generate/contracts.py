"""Contracts of a call, checked before it runs: RubricRefine (arXiv 2605.09730) for one step.

The paper writes a rubric of four contract families from the task and the tool registry, has a model
score a whole program against it, repairs the program without executing it, and executes the candidate
that scored best. Here the four families are executable checks on one next action, so that neither
writing nor judging calls a model:

- tool choice: while the budget lasts, a call whose result is not there already; after that, the answer;
- call signature: a tool that exists, with arguments that fit its JSON schema;
- data provenance: every argument value stands in the question, given text, an observation or the schema;
- output contract: the final answer has the expected form.

The loop around it executes the best attempt and not the last one. The paper's patience and cap are not in
what we could read of it. Ours: `retries=3` makes a cap of 4 attempts, and a model that proposes again what
it proposed before is not asked further. Whether the plan is a good one is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from coreact.errors import ConfigError
from coreact.generate.generator import Written
from coreact.judge import Cost
from coreact.rubric import (
    ArgumentsFitSchema,
    Criterion,
    NotRepeat,
    Provenance,
    Rubric,
    State,
    Stops,
)
from coreact.rubric.checks import AnswerFitsSchema, ArgumentsHaveProvenance

TEXT: Mapping[str, Any] = {"type": "string", "pattern": r"\S"}
"""The form of an answer where nobody says another one: a text that is not blank."""


class ContractGenerator:
    """Writes rubrics of contracts. Stateless, pure, safe to share between threads."""

    id = "contracts.1"

    def __init__(
        self, *, answer: Mapping[str, Any] | type[BaseModel] | None = None, plan_length: int | None = None
    ) -> None:
        """Say what is known about the task.

        Args:
            answer: the form of the final answer, as a JSON schema (draft 2020-12) or a pydantic model.
                None: any text that is not blank.
            plan_length: tool calls that the task takes, at least 1. None: one where the agent has one
                tool, otherwise several. In a task of one call refining bought the paper nothing, so only
                the signature is checked then, not even the form of the answer: a retry takes the place
                of a call that could not have run, and no further model call can come of it.

        Raises:
            ConfigError: the schema of the answer cannot be used, or the plan has no call.
        """
        if plan_length is not None and plan_length < 1:
            raise ConfigError(f"plan_length must be at least 1 (got {plan_length}).")
        self._plan_length = plan_length
        output = _output(answer)
        # Made once, as their locks are computed once.
        self._without_tools = _all_of(output)
        self._of_one_call = _all_of(_SIGNATURE)
        self._after_the_last_call = _all_of(_ANSWER, output)
        self._of_several_calls = _all_of(_CHOICE, _SIGNATURE, _PROVENANCE, output)

    def write(self, state: State) -> Written:
        """Write the contracts that the next action must keep: all of them, or it does not pass."""
        if not state.tools:
            return Written(self._without_tools, Cost())
        if (self._plan_length or len(state.tools)) == 1:
            return Written(self._of_one_call, Cost())
        late = state.budget.left == 0
        return Written(self._after_the_last_call if late else self._of_several_calls, Cost())

    async def awrite(self, state: State) -> Written:
        """The same; there is nothing to wait for."""
        return self.write(state)


def _all_of(*criteria: Criterion) -> Rubric:
    return Rubric(criteria=criteria, threshold=1.0)


_SOURCE = Provenance(source=ContractGenerator.id)
_ANSWER = Criterion(
    id="choice",
    text="Call no more tools; answer.",
    kind="hard",
    check=Stops(),
    provenance=_SOURCE,
)
_CHOICE = Criterion(
    id="choice",
    text="Make no call whose result is there already.",
    kind="hard",
    check=NotRepeat(),
    provenance=_SOURCE,
)
_SIGNATURE = Criterion(
    id="signature",
    text="Call only tools that exist, with arguments that fit their schema.",
    kind="hard",
    check=ArgumentsFitSchema(),
    provenance=_SOURCE,
)
_PROVENANCE = Criterion(
    id="provenance",
    text="Take every argument of a call from the question or from an observation.",
    kind="hard",
    check=ArgumentsHaveProvenance(),
    depends_on=("signature",),  # where arguments that cannot be read come from is no question
    provenance=_SOURCE,
)


def _output(answer: Mapping[str, Any] | type[BaseModel] | None) -> Criterion:
    schema = TEXT if answer is None else answer if isinstance(answer, Mapping) else answer.model_json_schema()
    try:
        check = AnswerFitsSchema(json_schema=dict(schema))
        return Criterion(
            id="output",
            text="An answer must not be empty." if answer is None else check.explain(),
            kind="hard",
            check=check,
            provenance=_SOURCE,
        )
    except ValidationError as error:
        raise ConfigError(
            f"The schema of the answer cannot be used: {error.errors()[0]['msg']}.",
            remedy="Give a JSON schema of draft 2020-12 or a pydantic model.",
        ) from error
