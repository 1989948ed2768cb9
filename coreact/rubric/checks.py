"""Executable conditions on a proposed action: the part of a rubric that code decides.

Each check is a small record with `evaluate(action, state)` and `explain()`. Evaluation is pure,
total and cheap: same input, same finding, no model, no network, no clock, no exception. Where
code cannot tell, the finding is `unknown` or `not_applicable`, never a guess. Patterns come from
models and files, so they run on RE2, which cannot backtrack. What is deliberately absent:
judging prose (that is a judge's work) and negation (that is a criterion's polarity).
"""

from __future__ import annotations

import json
import unicodedata
from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

import re2
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.validators import validator_for
from pydantic import (
    ConfigDict,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    field_validator,
    model_serializer,
)
from referencing import Registry
from referencing.exceptions import Unresolvable

from coreact.errors import ConfigError, ToolSchemaError
from coreact.rubric.canonical import canonical_json, digest
from coreact.rubric.state import Action, Record, State, Step, ToolCall, ToolContract
from coreact.rubric.words import (
    canonical_url,
    fold,
    is_web_address,
    similarity,
    stands_in,
    urls,
    words,
)

FindingStatus = Literal["met", "unmet", "not_applicable", "unknown"]
"""What a check can say. `unknown`: code could not decide; `not_applicable`: nothing to decide."""

_SHOWN = 80


class Finding(Record):
    """What a check found, and why."""

    reason: str
    status: FindingStatus
    fault: Literal["none", "instrument"] = "none"
    """`instrument` where the check itself is broken, not the action."""


def _met(reason: str) -> Finding:
    return Finding(reason=reason, status="met")


def _unmet(reason: str) -> Finding:
    return Finding(reason=reason, status="unmet")


def _not_applicable(reason: str) -> Finding:
    return Finding(reason=reason, status="not_applicable")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, default=lambda odd: type(odd).__qualname__)
    except (TypeError, ValueError, RecursionError):  # odd keys, an integer of 5000 digits, deep nesting
        return canonical_json(value).decode()


def _shown(value: Any) -> str:
    text = " ".join(_text(value).split())
    return f'"{text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"}"'


def _one_of(values: tuple[str, ...]) -> str:
    named = [f"`{value}`" for value in values]
    return named[0] if len(named) == 1 else ", ".join(named[:-1]) + " or " + named[-1]


class _Check(Record):
    specific: ClassVar[bool] = True
    """Whether `explain()` alone tells an agent what to change; otherwise the reason must go with it."""

    @model_serializer(mode="wrap")
    def _always_with_kind(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # `kind` is a default, and a rubric's lock leaves defaults out: without this, checks that
        # differ in kind alone would share a lock.
        return {"kind": self.stored_kind(), **handler(self)}

    @classmethod
    def stored_kind(cls) -> str:
        """The discriminator under which this check is stored."""
        return str(cls.model_fields["kind"].default)

    @abstractmethod
    def evaluate(self, action: Action, state: State) -> Finding:
        """Decide whether the condition holds for this action in this state."""

    @abstractmethod
    def explain(self) -> str:
        """The condition as one sentence, as an agent would be told it."""


# --- which tool -----------------------------------------------------------------------------


class ToolIs(_Check):
    """The action calls one of these tools. Unmet for a final answer."""

    kind: Literal["tool_is"] = "tool_is"
    tools: tuple[str, ...] = Field(min_length=1)

    def evaluate(self, action: Action, state: State) -> Finding:
        if action.call is None:
            return _unmet(f"the action is an answer, not a call of {_one_of(self.tools)}")
        if action.call.name in self.tools:
            return _met(f"the action calls `{action.call.name}`")
        return _unmet(f"the action calls `{action.call.name}`, not {_one_of(self.tools)}")

    def explain(self) -> str:
        return f"Call {_one_of(self.tools)}."


class ToolIsNot(_Check):
    """The action calls none of these tools. Met for a final answer."""

    kind: Literal["tool_is_not"] = "tool_is_not"
    tools: tuple[str, ...] = Field(min_length=1)

    def evaluate(self, action: Action, state: State) -> Finding:
        if action.call is not None and action.call.name in self.tools:
            return _unmet(f"the action calls `{action.call.name}`")
        return _met(f"the action does not call {_one_of(self.tools)}")

    def explain(self) -> str:
        return f"Do not call {_one_of(self.tools)}."


# --- what the arguments say -----------------------------------------------------------------


class _ArgumentCheck(_Check):
    argument: str = ""
    """Name of the argument, dots for nesting (`filter.year`); empty: all texts together."""

    def _value(self, action: Action) -> tuple[bool, Any]:
        if action.call is None:
            return False, None
        if not self.argument:
            texts = action.call.texts
            return bool(texts), " ".join(texts)
        value: Any = action.call.arguments
        for part in self.argument.split("."):
            if not isinstance(value, Mapping) or part not in value:
                return False, None
            value = value[part]
        return True, value

    @property
    def _name(self) -> str:
        return f"`{self.argument}`" if self.argument else "the arguments"

    def evaluate(self, action: Action, state: State) -> Finding:
        present, value = self._value(action)
        if not present:
            return _not_applicable(f"the action has no {self._name if self.argument else 'text argument'}")
        return self._decide(value, action, state)

    @abstractmethod
    def _decide(self, value: Any, action: Action, state: State) -> Finding: ...


class ArgumentContains(_ArgumentCheck):
    """The argument contains at least `at_least` of the terms, as whole folded words."""

    kind: Literal["argument_contains"] = "argument_contains"
    terms: tuple[str, ...] = Field(min_length=1)
    at_least: int = Field(default=1, ge=1)

    def _decide(self, value: Any, action: Action, state: State) -> Finding:
        text = _text(value)
        found = [term for term in self.terms if stands_in(term, text)]
        wanted = min(self.at_least, len(self.terms))
        if len(found) >= wanted:
            return _met(f"{self._name} contains {', '.join(map(_shown, found))}")
        missing = [term for term in self.terms if term not in found]
        return _unmet(f"{self._name} is {_shown(value)} and lacks {' and '.join(map(_shown, missing))}")

    def explain(self) -> str:
        terms = [_shown(term) for term in self.terms]
        if len(terms) == 1:
            return f"Put {terms[0]} into {self._name}."
        if self.at_least >= len(terms):
            return f"Put {', '.join(terms[:-1])} and {terms[-1]} into {self._name}."
        if self.at_least == 1:  # the first term is the one its writer would take
            return f"Put {terms[0]} into {self._name}, or else {' or '.join(terms[1:])}."
        return f"Put at least {self.at_least} of {', '.join(terms)} into {self._name}."


class ArgumentEquals(_ArgumentCheck):
    """The argument equals a JSON value exactly."""

    kind: Literal["argument_equals"] = "argument_equals"
    value: Any

    def _decide(self, value: Any, action: Action, state: State) -> Finding:
        if canonical_json(value) == canonical_json(self.value):
            return _met(f"{self._name} is {_shown(value)}")
        return _unmet(f"{self._name} is {_shown(value)}, not {_shown(self.value)}")

    def explain(self) -> str:
        return f"Set {self._name} to {_shown(self.value)}."


class ArgumentMatches(_ArgumentCheck):
    """The argument, as text, contains a match of an RE2 pattern."""

    kind: Literal["argument_matches"] = "argument_matches"
    pattern: str = Field(max_length=1000)

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            _pattern(pattern)
        except re2.error as error:
            raise ValueError(f"not an RE2 pattern: {error}") from error
        return pattern

    def _decide(self, value: Any, action: Action, state: State) -> Finding:
        clean = _text(value).encode("utf-8", "backslashreplace").decode("utf-8")
        if _pattern(self.pattern).search(clean):
            return _met(f"{self._name} matches {_shown(self.pattern)}")
        return _unmet(f"{self._name} is {_shown(value)} and does not match {_shown(self.pattern)}")

    def explain(self) -> str:
        return f"Make {self._name} match {_shown(self.pattern)}."


@lru_cache(maxsize=512)
def _pattern(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


class ArgumentInRange(_ArgumentCheck):
    """The argument is a number between two bounds, both included."""

    kind: Literal["argument_in_range"] = "argument_in_range"
    minimum: float | None = None
    maximum: float | None = None

    def _decide(self, value: Any, action: Action, state: State) -> Finding:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return _unmet(f"{self._name} is {_shown(value)}, not a number")
        low = self.minimum is None or value >= self.minimum
        high = self.maximum is None or value <= self.maximum
        return (_met if low and high else _unmet)(f"{self._name} is {_shown(value)}")

    def explain(self) -> str:
        if self.minimum is None and self.maximum is None:
            return f"Make {self._name} a number."
        if self.minimum is None:
            return f"Keep {self._name} at most {self.maximum}."
        if self.maximum is None:
            return f"Keep {self._name} at least {self.minimum}."
        return f"Keep {self._name} between {self.minimum} and {self.maximum}."


# --- contract, provenance, repetition ---------------------------------------------------------


class ArgumentsFitSchema(_Check):
    """The call names a tool that exists and its arguments satisfy that tool's own JSON schema."""

    specific: ClassVar[bool] = False
    kind: Literal["arguments_fit_schema"] = "arguments_fit_schema"

    def evaluate(self, action: Action, state: State) -> Finding:
        call = action.call
        if call is None:
            return _not_applicable("the action is an answer")
        tool = state.tool(call.name)
        if tool is None:
            names = tuple(known.name for known in state.tools)
            offered = f"; there is {_one_of(names)}" if names else ""
            return _unmet(f"there is no tool `{call.name}`{offered}")
        if call.malformed is not None:
            return _unmet(f"the arguments of `{call.name}` are no valid JSON: {call.malformed}")
        try:
            problem = schema_problem(tool, call.arguments)
        except ToolSchemaError as error:
            return Finding(reason=error.what, status="unknown", fault="instrument")
        if problem is not None:
            return _unmet(f"the arguments of `{call.name}` break its schema: {problem}")
        return _met(f"the arguments fit the schema of `{call.name}`")

    def explain(self) -> str:
        return "Call a tool that exists, with arguments that fit its schema."


def schema_problem(tool: ToolContract, arguments: Mapping[str, Any]) -> str | None:
    """The first way in which `arguments` break the tool's schema, or None where they fit.

    No reference is ever fetched: a `$ref` that leads out of the schema is an error of the schema.

    Raises:
        ToolSchemaError: the schema itself is broken.
    """
    remedy = "Fix the tool's args_schema, or leave the tool without one."
    try:
        validator = _validator(json.dumps(tool.parameters, sort_keys=True, default=str))
        errors = sorted(validator.iter_errors(arguments), key=lambda error: list(map(str, error.path)))
    except (SchemaError, Unresolvable, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        if isinstance(error, ValueError | ArithmeticError) and _has_odd_number(arguments):
            return "a number in them is not finite or too large"
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ToolSchemaError(
            f"The JSON schema of tool {tool.name!r} is broken: {first}.", tool=tool.name, remedy=remedy
        ) from error
    if not errors:
        return None
    where = ".".join(map(str, errors[0].path))
    message = errors[0].message
    message = message if len(message) <= 2 * _SHOWN else message[: 2 * _SHOWN - 1] + "…"
    return f"{where}: {message}" if where else message


def _has_odd_number(arguments: Mapping[str, Any]) -> bool:
    # These two marks stand in canonical JSON for numbers beyond JSON's and for nothing else.
    written = canonical_json(arguments)
    return b'{"$float"' in written or b'{"$int"' in written


@lru_cache(maxsize=512)
def _validator(schema_json: str) -> Any:
    schema = json.loads(schema_json)
    kind = validator_for(schema, default=Draft202012Validator)
    kind.check_schema(schema)
    return kind(schema, registry=Registry())


class HasProvenance(_ArgumentCheck):
    """The argument's value stands in the question, in given text or in an observation.

    Short values (one folded word of at most two characters), booleans and objects name nothing and
    are not applicable. A text must stand somewhere whole, word for word, so this is for
    identifiers, names and addresses, not for free text such as a query.
    """

    kind: Literal["has_provenance"] = "has_provenance"

    def _decide(self, value: Any, action: Action, state: State) -> Finding:
        if isinstance(value, bool) or value is None or isinstance(value, Mapping):
            return _not_applicable(f"{self._name} is {_shown(value)}, which names nothing")
        values = value if isinstance(value, list | tuple) else [value]
        named = [text for text in map(_text, values) if len(fold(text)) > 2]
        if not named:
            return _not_applicable(f"{self._name} is too short to trace")
        strange = [text for text in named if not _traced(text, state)]
        if strange:
            return _unmet(
                f"{self._name} is {_shown(strange[0])}, which stands in neither question nor observation"
            )
        return _met(f"{self._name} stands in the question or an observation")

    def explain(self) -> str:
        return f"Take {self._name} from the question or from an observation; invent nothing."


def _traced(text: str, state: State) -> bool:
    if is_web_address(text):
        return canonical_url(text) in state.urls_seen
    return state.knows(text)


class UrlSeenUnvisited(_ArgumentCheck):
    """The address stood in the question or an observation and has not been opened yet.

    Only http(s) addresses; anything else is not applicable.
    """

    kind: Literal["url_seen_unvisited"] = "url_seen_unvisited"

    def _decide(self, value: Any, action: Action, state: State) -> Finding:
        if not isinstance(value, str) or not is_web_address(value):
            return _not_applicable(f"{self._name} is no web address")
        address = canonical_url(value)
        if address not in state.urls_seen:
            return _unmet(f"{_shown(address)} stood nowhere so far")
        if address in state.urls_visited:
            return _unmet(f"{_shown(address)} was opened before")
        return _met(f"{_shown(address)} was seen and not opened yet")

    def explain(self) -> str:
        return "Open an address that was seen and not opened yet."


class NotRepeat(_Check):
    """The call does not repeat an earlier one that succeeded.

    A tool known to be read-only repeats when an earlier call of it, with nothing written since,
    has equal arguments or (search tools) texts of at least `similarity` word overlap and all other
    arguments equal: the next page of a search is something new.
    Any other tool repeats only in a plain loop: the last two steps were this very call and gave
    the same text both times, since polling and stepping tools are called alike on purpose.
    """

    kind: Literal["not_repeat"] = "not_repeat"
    similarity: float = Field(default=0.95, gt=0, le=1)
    """Jaccard similarity of the words from which on two searches are the same."""

    def evaluate(self, action: Action, state: State) -> Finding:
        call = action.call
        if call is None:
            return _not_applicable("the action is an answer")
        tool = state.tool(call.name)
        if tool is None or tool.read_only is not True:
            return self._loop(call, state)
        wanted = frozenset(word for text in call.texts for word in words(text))
        by_words = tool.role == "search" and bool(wanted)
        # Unequal sets overlap by at most n / (n + 1): short queries only repeat by equal words.
        by_overlap = len(wanted) >= self.similarity * (len(wanted) + 1)
        for step in reversed(state.steps):
            past = state.tool(step.call.name)
            if past is None or past.read_only is not True:
                break  # it may have changed what this call would find
            if step.call.name != call.name or not _counts(step):
                continue
            same = step.call.key == call.key
            if not same and by_words:
                alike = step.query_words == wanted or (
                    by_overlap and similarity(wanted, step.query_words) >= self.similarity
                )
                same = alike and _without_texts(step.call) == _without_texts(call)
            if same:
                return _unmet(f"{_shown(str(Action(call=step.call)))} was already called")
        return _met("the call is new")

    @staticmethod
    def _loop(call: ToolCall, state: State) -> Finding:
        last = state.steps[-2:]
        seen = [step.observation.text for step in last if step.observation is not None]
        if len(seen) == 2 and seen[0] == seen[1] and all(step.call.key == call.key for step in last):
            return _unmet("the same call gave the same result twice in a row")
        return _met("the call is no loop")

    def explain(self) -> str:
        return "Do not repeat a call that was already made; ask for something new."


def _without_texts(call: ToolCall) -> str:
    return digest({name: value for name, value in call.arguments.items() if not isinstance(value, str)})


def _counts(step: Step) -> bool:
    # A call without a result yet is a sibling in the same message: repeating it is waste as well.
    return step.observation is None or step.succeeded


# --- stopping and citing ----------------------------------------------------------------------


class Stops(_Check):
    """The action ends the run with a non-empty answer."""

    kind: Literal["stops"] = "stops"

    def evaluate(self, action: Action, state: State) -> Finding:
        if action.call is not None:
            return _unmet(f"the action calls `{action.call.name}` instead of answering")
        if not (action.answer or "").strip():
            return _unmet("the answer is empty")
        return _met("the action answers")

    def explain(self) -> str:
        return "Give the final answer now."


class DoesNotStop(_Check):
    """The action is a tool call, not the final answer."""

    kind: Literal["does_not_stop"] = "does_not_stop"

    def evaluate(self, action: Action, state: State) -> Finding:
        if action.call is None:
            return _unmet("the action answers")
        return _met(f"the action calls `{action.call.name}`")

    def explain(self) -> str:
        return "Do not answer yet; call a tool."


class AnswerCitesObserved(_Check):
    """Every address that the answer cites was observed. Not applicable to an answer that cites none."""

    kind: Literal["answer_cites_observed"] = "answer_cites_observed"

    def evaluate(self, action: Action, state: State) -> Finding:
        if action.answer is None:
            return _not_applicable("the action is no answer")
        cited = urls(action.answer)
        if not cited:
            return _not_applicable("the answer cites no address")
        strange = [address for address in cited if address not in state.urls_seen]
        if strange:
            return _unmet(f"the answer cites {_shown(strange[0])}, which was never observed")
        return _met(f"all {len(cited)} cited addresses were observed")

    def explain(self) -> str:
        return "Cite only addresses that were observed."


class AnswerObserved(_Check):
    """Something that the answer adds to the question stands in an observation.

    Looks at the answer's words that the question does not hold. Met where one of them was
    observed; not applicable where there is nothing to look for (a choice among the question's own
    names, yes or no); otherwise the answer comes out of thin air.
    """

    kind: Literal["answer_observed"] = "answer_observed"

    def evaluate(self, action: Action, state: State) -> Finding:
        if action.answer is None:
            return _not_applicable("the action is no answer")
        asked = set(words(state.question))
        added = [word for word in dict.fromkeys(words(action.answer)) if word not in asked]
        # Short words stand in every text; they count only where the answer has no others.
        telling = [word for word in added if len(word) > 3 or any(char.isdigit() for char in word)]
        for step in reversed(state.steps):
            if not step.succeeded or step.observation is None:
                continue
            for word in telling or added:
                if f" {word} " in step.observation.folded:
                    return _met(f"{_shown(word)} stands in an observation")
        if not telling:
            return _not_applicable("the answer adds nothing that could be looked up")
        return _unmet(f"{_shown(' '.join(telling))} stands in no observation")

    def explain(self) -> str:
        return "Answer with what an observation says."


class QuoteInObservation(_Check):
    """A quote stands verbatim (white space and Unicode form aside) in a named or in any observation."""

    kind: Literal["quote_in_observation"] = "quote_in_observation"
    quote: str = Field(min_length=1)
    observation: str = ""
    """Message id or call id of the observation; empty: any."""

    @field_validator("quote")
    @classmethod
    def _says_something(cls, quote: str) -> str:
        if not quote.strip():
            raise ValueError("a quote needs a text")
        return quote

    def evaluate(self, action: Action, state: State) -> Finding:
        needle = _even(self.quote)
        named = [
            step.observation.text
            for step in state.steps
            if step.observation is not None and self.observation in ("", step.observation.id, step.call.id)
        ]
        if self.observation and not named:
            return Finding(reason=f"there is no observation {_shown(self.observation)}", status="unknown")
        if any(needle in _even(text) for text in named):
            return _met(f"{_shown(self.quote)} stands in an observation")
        return _unmet(f"{_shown(self.quote)} stands in no such observation")

    def explain(self) -> str:
        return f"Rest on an observation that says {_shown(self.quote)}."


def _even(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


# --- the user's own ---------------------------------------------------------------------------

Predicate = Callable[[Action, State], bool | Finding | None]
"""A user's own condition. True: met, False: unmet, None: not applicable. Must be pure and quick."""

_PREDICATES: dict[str, tuple[Predicate, str]] = {}


def register_predicate(name: str, *, says: str) -> Callable[[Predicate], Predicate]:
    """Register a Python predicate under a name that stored rubrics can refer to.

    Args:
        name: unique name, e.g. `"orders.amount_is_positive"`.
        says: the condition as one sentence for the agent.

    Raises:
        ConfigError: the name is taken by another function.
    """

    def add(function: Predicate) -> Predicate:
        known = _PREDICATES.get(name)
        if known is not None and known[0] is not function:
            raise ConfigError(
                f"A predicate named {name!r} is registered already.", remedy="Choose another name."
            )
        _PREDICATES[name] = (function, says)
        return function

    return add


class PredicateHolds(_Check):
    """A predicate registered with `register_predicate` holds."""

    specific: ClassVar[bool] = False
    kind: Literal["predicate"] = "predicate"
    name: str

    def evaluate(self, action: Action, state: State) -> Finding:
        known = _PREDICATES.get(self.name)
        if known is None:
            return Finding(
                reason=f"no predicate named {self.name!r} is registered", status="unknown", fault="instrument"
            )
        try:
            result = known[0](action, state)
            if isinstance(result, Finding):
                return result
            holds = None if result is None else bool(result)
        except Exception as error:  # noqa: BLE001 - a check is total; the user's code may raise anything
            return Finding(
                reason=f"predicate {self.name!r} raised {type(error).__name__}: {error}",
                status="unknown",
                fault="instrument",
            )
        if holds is None:
            return _not_applicable(f"predicate {self.name!r} does not apply")
        return (_met if holds else _unmet)(known[1])

    def explain(self) -> str:
        known = _PREDICATES.get(self.name)
        return known[1] if known else f"Satisfy {self.name!r}."


class UnknownCheck(Record):
    """A check of a kind that this version does not know, kept as it was stored."""

    model_config = ConfigDict(frozen=True, extra="allow")
    specific: ClassVar[bool] = False

    kind: str

    def evaluate(self, action: Action, state: State) -> Finding:
        """Always `unknown`: this version cannot decide it."""
        return Finding(
            reason=f"this version has no check of kind {self.kind!r}", status="unknown", fault="instrument"
        )

    def explain(self) -> str:
        """Say that the condition cannot be read."""
        return f"Satisfy a condition of kind {self.kind!r}."


_KINDS: dict[str, type[_Check]] = {
    check.stored_kind(): check
    for check in (
        ToolIs,
        ToolIsNot,
        ArgumentContains,
        ArgumentEquals,
        ArgumentMatches,
        ArgumentInRange,
        ArgumentsFitSchema,
        HasProvenance,
        UrlSeenUnvisited,
        NotRepeat,
        Stops,
        DoesNotStop,
        AnswerCitesObserved,
        AnswerObserved,
        QuoteInObservation,
        PredicateHolds,
    )
}

CHECK_KINDS: tuple[str, ...] = tuple(_KINDS)
"""Every kind of check that this version can decide."""


def _kind_of(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) and kind in _KINDS else "unknown"


Check = Annotated[
    Annotated[ToolIs, Tag("tool_is")]
    | Annotated[ToolIsNot, Tag("tool_is_not")]
    | Annotated[ArgumentContains, Tag("argument_contains")]
    | Annotated[ArgumentEquals, Tag("argument_equals")]
    | Annotated[ArgumentMatches, Tag("argument_matches")]
    | Annotated[ArgumentInRange, Tag("argument_in_range")]
    | Annotated[ArgumentsFitSchema, Tag("arguments_fit_schema")]
    | Annotated[HasProvenance, Tag("has_provenance")]
    | Annotated[UrlSeenUnvisited, Tag("url_seen_unvisited")]
    | Annotated[NotRepeat, Tag("not_repeat")]
    | Annotated[Stops, Tag("stops")]
    | Annotated[DoesNotStop, Tag("does_not_stop")]
    | Annotated[AnswerCitesObserved, Tag("answer_cites_observed")]
    | Annotated[AnswerObserved, Tag("answer_observed")]
    | Annotated[QuoteInObservation, Tag("quote_in_observation")]
    | Annotated[PredicateHolds, Tag("predicate")]
    | Annotated[UnknownCheck, Tag("unknown")],
    Discriminator(_kind_of),
]
"""Any executable condition; stored kinds this version does not know load as `UnknownCheck`."""
