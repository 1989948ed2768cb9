"""A redactor for whole records: every text anywhere in one, at any depth, keys of JSON included.

Which fields hold text is read off the records' own types, so a field that is added later is redacted without
anybody's doing. Kept as they are: what joins records (ids of runs and judgements, places in LangGraph and
OpenTelemetry), words of our own vocabulary, and versions of evaluators. Call ids are redacted like any text;
equal ones stay equal, so calls and results still find each other. Hashes of what was replaced must not
stay either; they stand in fields of their own, and `redacting` takes care of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from operator import is_
from typing import Any, Final, Literal, NamedTuple, TypeVar, get_args, get_origin

import re2
from annotated_types import MaxLen
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_jsonable_python

from coreact.judge import Judgement
from coreact.rubric import ArgumentMatches
from coreact.trace.privacy.redactor import Redactor
from coreact.trace.privacy.shapes import names_a_secret
from coreact.trace.records import (
    CallRecord,
    Evaluator,
    JudgementRecord,
    ObservationRecord,
    RunEnd,
    RunRecord,
    StepRecord,
)

M = TypeVar("M", bound=BaseModel)

_JOINS: Final[Mapping[type[BaseModel], frozenset[str]]] = {
    RunRecord: frozenset({"id", "parent", "version", "origin"}),
    StepRecord: frozenset({"run", "state_digest", "checkpoint_id", "checkpoint_ns", "trace_id", "span_id"}),
    ObservationRecord: frozenset({"run"}),
    CallRecord: frozenset({"run", "key"}),
    JudgementRecord: frozenset({"id", "run", "supersedes"}),
    RunEnd: frozenset({"run"}),
    Judgement: frozenset({"rubric"}),
    Evaluator: frozenset({"version"}),
}

_ESCAPED = re.compile(r"\\(.)")
_LONGEST_PATTERN: Final = 1000
_OF_SCHEMAS: Final = frozenset({"properties", "$defs", "definitions"})
"""What holds JSON schemas by name."""
_SAYS_A_TYPE: Final = frozenset({"type", "$ref", "anyOf", "allOf", "oneOf"})
_VALUES: Final = frozenset({"default", "const", "enum", "examples", "example"})
"""What holds values in a JSON schema."""


class _Field(NamedTuple):
    name: str
    longest: int | None
    """Most characters that a text in it may have."""


def redacted(record: M, redactor: Redactor) -> M:
    """The record with all secrets replaced; the same object where none was found.

    Raises:
        RecursionError: something in it is nested deeper than the stack.
        Exception: whatever a user's finder raises.
    """
    texts: list[str] = []
    named = _gather(record, texts)
    replaced = redactor.replaced(texts)
    return _Walk(replaced, redactor).model(record) if named or replaced else record


@cache
def _fields(kind: type[BaseModel]) -> tuple[_Field, ...]:
    """The fields of a record that may hold text."""
    joins = _JOINS.get(kind, frozenset())
    return tuple(
        _Field(name, next((rule.max_length for rule in field.metadata if isinstance(rule, MaxLen)), None))
        for name, field in kind.model_fields.items()
        if name not in joins and _may_hold_text(field.annotation)
    )


def _may_hold_text(annotation: Any) -> bool:
    if get_origin(annotation) is Literal:
        return False
    if inner := get_args(annotation):
        return any(map(_may_hold_text, inner))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.model_config.get("extra") == "allow" or bool(_fields(annotation))
    return annotation not in (int, float, bool, type(None), ...)


def _gather(value: Any, texts: list[str]) -> bool:
    """Collect every text; True where a key says that what stands under it may be a secret."""
    kind = type(value)
    if kind is str:
        texts.append(value)
        return False
    if value is None or kind is int or kind is float or kind is bool:
        return False
    named = False
    if kind is dict:
        for key, item in value.items():
            named |= _gather(key, texts) | _gather(item, texts)
            named = named or (isinstance(key, str) and names_a_secret(key))
    elif kind is tuple or kind is list:
        for item in value:
            named |= _gather(item, texts)
    elif isinstance(value, BaseModel):
        for field in _fields(type(value)):
            named |= _gather(getattr(value, field.name), texts)
        named |= _gather(value.__pydantic_extra__, texts)
        if isinstance(value, ArgumentMatches):
            texts.append(_ESCAPED.sub(r"\1", value.pattern))
    else:
        named = _gather(_plain(value), texts)
    return named


class _Walk:
    """Puts what was replaced into a record. Every method gives the same object where nothing was."""

    def __init__(self, replaced: Mapping[str, str], redactor: Redactor) -> None:
        self._replaced = replaced
        self._redactor = redactor

    def model(self, record: M) -> M:
        """A record, built anew where something in it was replaced."""
        changed: dict[str, Any] = {}
        for name, longest in _fields(type(record)):
            old = getattr(record, name)
            new = self.value(old)
            if new is not old:
                changed[name] = new if longest is None or not isinstance(new, str) else new[:longest]
        if isinstance(record, ArgumentMatches) and (pattern := self._pattern(record)) != record.pattern:
            changed["pattern"] = pattern
        extra = record.__pydantic_extra__
        if extra and (clean := self.value(extra)) is not extra:
            fields = {name: getattr(record, name) for name in type(record).model_fields}
            return type(record).model_construct(**(fields | changed | clean))
        return rebuilt(record, changed) if changed else record

    def value(self, value: Any) -> Any:
        """Anything that may stand in a field."""
        kind = type(value)
        if kind is str:
            return self._replaced.get(value, value)
        if value is None or kind is int or kind is float or kind is bool:
            return value
        if kind is dict:
            return self._items(value, self._item)
        if kind is tuple or kind is list:
            inner = [self.value(item) for item in value]
            return value if all(map(is_, inner, value)) else kind(inner)
        if isinstance(value, BaseModel):
            return self.model(value)
        written = _plain(value)
        clean = self.value(written)
        return value if clean == written else clean

    def _items(self, value: dict[Any, Any], item_of: Callable[[Any, Any], Any]) -> dict[Any, Any]:
        items = {self.value(key): item_of(key, item) for key, item in value.items()}
        same = all(map(is_, items, value)) and all(map(is_, items.values(), value.values()))
        return value if same else items

    def _item(self, key: Any, item: Any) -> Any:
        if key in _OF_SCHEMAS and type(item) is dict:
            return self._items(item, self._schema)
        return self._secret(item) if isinstance(key, str) and names_a_secret(key) else self.value(item)

    def _schema(self, name: Any, schema: Any) -> Any:
        """A JSON schema: its name says what values would be, so only the values in it may be secrets."""
        if not (type(schema) is dict and not _SAYS_A_TYPE.isdisjoint(schema)):
            return self._item(name, schema)
        if not (isinstance(name, str) and names_a_secret(name)):
            return self.value(schema)
        return self._items(
            schema, lambda key, item: self._secret(item) if key in _VALUES else self._item(key, item)
        )

    def _secret(self, value: Any) -> Any:
        """What stands under a name that says it is a secret: nothing of it stays but its structure."""
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str or kind is int or kind is float:
            clean = self._redactor.whole(self.value(value))
            return value if clean == value else clean
        if kind is dict:
            return self._items(value, lambda _, item: self._secret(item))
        if kind is tuple or kind is list:
            inner = [self._secret(item) for item in value]
            return value if all(map(is_, inner, value)) else kind(inner)
        return self._secret(_plain(value))

    def _pattern(self, check: ArgumentMatches) -> str:
        """The pattern of a check; where a secret stands in it, escaped or not, what finds its placeholder."""
        clean = self._replaced.get(_ESCAPED.sub(r"\1", check.pattern))
        if clean is None:
            return check.pattern
        quoted = str(re2.escape(clean))
        return quoted if len(quoted) <= _LONGEST_PATTERN else "."


def rebuilt(record: M, changed: Mapping[str, Any]) -> M:
    """A copy with some fields changed, without what the old content made the record remember (a lock)."""
    copy = record.model_copy(update=changed)
    for remembered in copy.__dict__.keys() - type(record).model_fields.keys():
        del copy.__dict__[remembered]
    return copy


def _plain(value: Any) -> Any:
    """What JSON has no word for, as the JSON that a store would write of it."""
    if isinstance(value, str):
        return str.__str__(value)  # of a subclass
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "backslashreplace")
    try:
        return to_jsonable_python(value, fallback=lambda odd: {"$repr": type(odd).__qualname__})
    except (PydanticSerializationError, ValueError, TypeError):
        return {"$repr": type(value).__qualname__}
