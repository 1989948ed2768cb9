"""What the scripted searcher does next: its plan, then an error drawn at a known rate, then what it was told.

Pure: the same situation, advice and random generator give the same move. The order is fixed, so that each
rate is what it says: of the proposals where an error is possible, this share has it, before any guidance.
"""

from __future__ import annotations

from random import Random
from typing import Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from coreact.worlds._words import words
from coreact.worlds.records import Question
from coreact.worlds.searcher.advice import Advice
from coreact.worlds.searcher.plan import PlannedHop, Plans, Situation, left_over

Mode = Literal["plan", "repeat", "drop_entity", "stop_early", "from_memory", "at_a_loss", "heeded"]
"""Why a move was made. `plan`: the right one; `repeat` to `from_memory`: an error; `at_a_loss`: nothing left
to try, or no tool; `heeded`: guidance changed it."""


class Errors(BaseModel):
    """How often the searcher errs, each a share of its proposals in [0, 1] where the error is possible."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repeat: float = Field(default=0.1, ge=0, le=1)
    """Makes an earlier search again. Possible once there is one and the plan is to search."""
    drop_entity: float = Field(default=0.2, ge=0, le=1)
    """Searches for what is asked without the name that it is asked about, or, from the second hop on, half
    of the time with the question's first name in its place. Possible where the plan is to search."""
    stop_early: float = Field(default=0.1, ge=0, le=1)
    """Answers with a guess. Possible where the plan is to search."""
    from_memory: float = Field(default=0.1, ge=0, le=1)
    """Gives a wrong answer that stands in no observation. Possible where the proof was shown."""

    @model_validator(mode="after")
    def _share_out(self) -> Self:
        if self.repeat + self.drop_entity + self.stop_early > 1 + 1e-9:
            raise ValueError("repeat, drop_entity and stop_early share the same proposals: at most 1 in all")
        return self

    @classmethod
    def none(cls) -> Self:
        """No errors: the ideal searcher."""
        return cls(repeat=0, drop_entity=0, stop_early=0, from_memory=0)


class Move(NamedTuple):
    """A proposal: one of query and answer."""

    mode: Mode
    query: str | None = None
    answer: str | None = None


def decide(
    plans: Plans,
    question: Question,
    situation: Situation,
    *,
    errors: Errors,
    heed: float,
    advice: Advice,
    rng: Random,
    may_search: bool = True,
    must_search: bool = False,
) -> Move:
    """The next move.

    Args:
        plans: the world's plans.
        question: what is asked.
        situation: what was shown and searched.
        errors: how often it errs.
        heed: probability in [0, 1] that it acts on advice.
        advice: what guidance says.
        rng: draws everything; a fixed number of times, so that what is drawn for one purpose does not
            depend on another.
        may_search: False where no search is offered: it answers.
        must_search: True where a call is demanded: it searches even where it knows the answer.
    """
    error, which, guess, heeding = (rng.random() for _ in range(4))
    plan = plans.plan(question)
    wrong = plans.wrong_answer(question, situation, guess)
    ready = _is_proved(question, plan, situation)
    right = Move("plan", answer=question.answer) if ready else Move("at_a_loss", answer=wrong)
    hop, fresh = (None, None) if ready else _next(question, plan, situation)
    if not may_search:
        return Move("from_memory", answer=wrong) if ready and error < errors.from_memory else right
    planned = right if fresh is None else Move("plan", query=fresh)
    if must_search and planned.query is None:
        planned = Move("plan", query=situation.queries[-1] if situation.queries else question.question)
    move = _err(planned, question, plan, hop, situation, errors, error, which, wrong)
    if must_search and move.query is None:
        move = planned
    if heeding >= heed:
        return move
    return _heed(move, planned, right, advice, hop, must_search=must_search)


def _is_proved(question: Question, plan: tuple[PlannedHop, ...], situation: Situation) -> bool:
    """Whether the answer may be known: the last link of a chain was shown, of side-by-side hops every one."""
    if question.kind != "bridge" or not question.chain:
        return all(hop.passage.id in situation.shown for hop in plan)
    last = plan[-1]
    return last.passage.id in situation.shown and _is_known(last, situation)


def _is_known(hop: PlannedHop, situation: Situation) -> bool:
    return hop.given or situation.names(hop.entity)


def _next(
    question: Question, plan: tuple[PlannedHop, ...], situation: Situation
) -> tuple[PlannedHop | None, str | None]:
    """The first hop not shown whose name is known, in the first wording not searched yet; both or none.

    Where all of that is searched out, the question itself is tried, for no hop.
    """
    made = {_key(query) for query in situation.queries}
    for hop in plan:
        if hop.passage.id in situation.shown or not _is_known(hop, situation):
            continue
        for form in _wordings(question, hop):
            if words(form) and _key(form) not in made:
                return hop, " ".join(form.split())
    return None, None if _key(question.question) in made else question.question


def _wordings(question: Question, hop: PlannedHop) -> tuple[str, ...]:
    if not hop.entity:
        return (hop.relation, question.question)
    return (f"{hop.entity} {hop.relation}", hop.entity, f"{hop.entity} {left_over(question, hop.entity)}")


def _key(query: str) -> frozenset[str]:
    return frozenset(words(query))


def _err(
    planned: Move,
    question: Question,
    plan: tuple[PlannedHop, ...],
    hop: PlannedHop | None,
    situation: Situation,
    errors: Errors,
    error: float,
    which: float,
    wrong: str,
) -> Move:
    if planned.query is None:
        is_error = planned.mode == "plan" and error < errors.from_memory
        return Move("from_memory", answer=wrong) if is_error else planned
    if error < errors.stop_early:
        return Move("stop_early", answer=wrong)
    error -= errors.stop_early
    if error < errors.drop_entity and hop is not None and hop.entity:
        asked = hop.relation or left_over(question, hop.entity)
        first = plan[0].entity
        if hop is not plan[0] and first != hop.entity and which < 0.5:
            asked = f"{first} {asked}"
        return Move("drop_entity", query=asked) if words(asked) else planned
    error -= errors.drop_entity
    if 0 <= error < errors.repeat and situation.queries:
        return Move("repeat", query=situation.queries[int(which * len(situation.queries))])
    return planned


def _heed(
    move: Move,
    planned: Move,
    right: Move,
    advice: Advice,
    hop: PlannedHop | None,
    *,
    must_search: bool,
) -> Move:
    """What the move becomes for one who does as told; what it would do anyway, if that does it, stays."""
    if advice.names:
        wanted = advice.names[0]
        for candidate in (move, planned):
            if candidate.query is not None and _key(wanted) <= _key(candidate.query):
                return candidate if candidate is move else candidate._replace(mode="heeded")
        relation = hop.relation if hop is not None else ""
        missing = [word for word in relation.split() if not _key(word) <= _key(wanted)]
        return Move("heeded", query=" ".join([wanted, *missing]))
    if advice.answer and not must_search:
        return move if move.query is None else right._replace(mode="heeded")
    repeats = move.mode == "repeat" and advice.new
    unsupported = move.mode in ("stop_early", "from_memory", "at_a_loss") and advice.wait
    return planned._replace(mode="heeded") if repeats or unsupported else move
