"""Rubrics that people keep: JSON with checks and dependencies, or the text form, from a file or at hand.

A rubric is either loaded whole or refused with the place that is to blame; nothing is dropped, repaired
or half-read. Two things are forgiven, because their meaning is plain: criteria may stand in any order
that their dependencies allow (they are put in an order in which each stands behind what it depends on, as
near to the written one as possible), and checks of a kind that this version does not know are kept,
with a warning, since a later version may have written them. Writing needs no counterpart here: it is
`rubric.model_dump_json()`, or `render_rubric`.
"""

from __future__ import annotations

import difflib
import heapq
import json
import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError

from coreact.errors import RubricParseError
from coreact.rubric.checks import CHECK_KINDS, UnknownCheck
from coreact.rubric.checks.base import SHOWN, text_of
from coreact.rubric.rubric import Criterion, Rubric
from coreact.rubric.text import parse_rubric


class RubricWarning(UserWarning):
    """A rubric was loaded, and a part of it will not do what its writer meant."""


def load_rubric(
    source: str | bytes | Mapping[str, Any] | Path, *, unknown_checks: Literal["warn", "refuse"] = "warn"
) -> Rubric:
    """Load a rubric.

    Args:
        source: JSON or the text form of a rubric, as text, as UTF-8 bytes, or in a file (a `Path`); or
            the parsed JSON object. What begins with a brace is JSON.
        unknown_checks: what to do with a check of a kind that this version cannot decide. `warn`: keep
            it, a `RubricWarning` says so, and its criterion is judged `unknown`; `refuse`: an error.

    Raises:
        RubricParseError: it is no rubric. The error has the line of the text form or of broken JSON,
            otherwise the place in the JSON (`criteria[2].depends_on`), and the file if there is one.
    """
    path = source if isinstance(source, Path) else None
    try:
        found = _read(_content(source) if isinstance(source, Path) else source)
        if found.strange and unknown_checks == "refuse":
            first = found.strange[0]
            raise RubricParseError(first.problem, where=first.where, remedy=first.remedy)
    except RubricParseError as error:
        if path is None:
            raise
        raise RubricParseError(
            error.reason, line=error.line, where=error.where, path=path, remedy=error.remedy
        ) from error
    for strange in found.strange:
        place = f"{path}: {strange.where}" if path is not None else strange.where
        warnings.warn(f"{place}: {strange.problem}. {strange.remedy}", RubricWarning, stacklevel=2)
    return found.rubric


class _Strange(NamedTuple):
    """A check that this version does not know."""

    where: str
    problem: str
    remedy: str


class _Found(NamedTuple):
    rubric: Rubric
    strange: tuple[_Strange, ...] = ()


_JSON = re.compile(r"\s*(?:\{|\[\s*\{)")  # a list of objects is no rubric, but was meant as JSON


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RubricParseError(f"it cannot be read: {error.strerror or error}", where="file") from error


def _read(source: str | bytes | Mapping[str, Any]) -> _Found:
    if isinstance(source, Mapping):
        return _of_object(source)
    try:
        text = source.decode("utf-8-sig") if isinstance(source, bytes) else source.removeprefix("\ufeff")
    except UnicodeDecodeError:
        return _Found(parse_rubric(source))  # says where it is no UTF-8
    return _of_object(_json(text)) if _JSON.match(text) else _Found(parse_rubric(text))


# --- JSON -----------------------------------------------------------------------------------------


class _Repeating(dict[str, Any]):
    """An object of JSON in which a name stands twice: readers differ in which of them they take."""

    name = ""


def _json(text: str) -> Any:
    try:
        value = json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise RubricParseError(f"it is no valid JSON: {error.msg}", line=error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise RubricParseError(f"it cannot be read: {error}") from error
    waiting = [("", value)]
    while waiting:
        where, item = waiting.pop()
        if isinstance(item, _Repeating):
            raise RubricParseError(f"the name {_quoted(item.name)} stands twice in one object", where=where)
        if isinstance(item, dict):
            waiting += [(_inside(where, name), inner) for name, inner in item.items()]
        elif isinstance(item, list):
            waiting += [(_inside(where, at), inner) for at, inner in enumerate(item)]
    return value


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    whole = dict(pairs)
    if len(whole) == len(pairs):
        return whole
    repeating = _Repeating(whole)
    repeating.name = Counter(name for name, _ in pairs).most_common(1)[0][0]
    return repeating


# --- the rubric in it -----------------------------------------------------------------------------

_CRITERIA = TypeAdapter(tuple[Criterion, ...])


def _of_object(value: Any) -> _Found:
    if not isinstance(value, Mapping):
        raise RubricParseError("it is no object with `criteria`")
    written = value.get("criteria")
    if not isinstance(written, list | tuple) or not written:
        raise RubricParseError("there must be a list of at least one criterion", where="criteria")
    if all(isinstance(one, Mapping) and _is_zero(one.get("weight")) for one in written):
        raise RubricParseError(
            "all weights are zero, so that nothing would count",
            where="criteria",
            remedy="Weights are positive numbers of any size; leave them out where all are equal.",
        )
    try:
        criteria = _CRITERIA.validate_python(written)
        rest = {name: part for name, part in value.items() if name != "criteria"}
        rubric = Rubric.model_validate({**rest, "criteria": _in_order(criteria)})
    except ValidationError as error:
        raise _refused(error, within="criteria" if error.title != Rubric.__name__ else "") from error
    return _Found(rubric, tuple(_strange(criteria)))


def _is_zero(weight: Any) -> bool:
    return isinstance(weight, int | float) and weight == 0


def _in_order(criteria: Sequence[Criterion]) -> tuple[Criterion, ...]:
    """The criteria, each behind those it depends on; in the order as written where that is one."""
    places: dict[str, int] = {}
    for at, criterion in enumerate(criteria):
        if criterion.id in places:
            raise RubricParseError(
                f"the id {_quoted(criterion.id)} is that of criteria[{places[criterion.id]}] already",
                where=f"criteria[{at}].id",
                remedy="Ids are unique within a rubric.",
            )
        places[criterion.id] = at
    graph: TopologicalSorter[str] = TopologicalSorter()
    for at, criterion in enumerate(criteria):
        for name in criterion.depends_on:
            if name not in places:
                raise RubricParseError(
                    f"there is no criterion {_quoted(name)}",
                    where=f"criteria[{at}].depends_on",
                    remedy=_did_you_mean(name, places),
                )
        graph.add(criterion.id, *criterion.depends_on)
    try:
        graph.prepare()
    except CycleError as error:
        circle = list(reversed(error.args[1][1:]))  # graphlib names what is depended on first
        first = min(circle, key=places.__getitem__)
        at = circle.index(first)
        named = [*circle[at:], *circle[:at], first]
        raise RubricParseError(
            f"the criteria depend on each other in a circle: {' → '.join(map(_quoted, named))}",
            where=f"criteria[{places[first]}].depends_on",
            remedy="Take one of these dependencies out.",
        ) from error
    ordered: list[Criterion] = []
    free: list[int] = []
    while graph.is_active():
        for name in graph.get_ready():
            heapq.heappush(free, places[name])
        ordered.append(criteria[heapq.heappop(free)])
        graph.done(ordered[-1].id)
    return tuple(ordered)


def _strange(criteria: Sequence[Criterion]) -> list[_Strange]:
    return [
        _Strange(
            where=f"criteria[{at}].check",
            problem=f"this version has no check of kind {_quoted(criterion.check.kind)}",
            remedy=_did_you_mean(criterion.check.kind, CHECK_KINDS) or "Its criterion will stay unknown.",
        )
        for at, criterion in enumerate(criteria)
        if isinstance(criterion.check, UnknownCheck)
    ]


def _refused(error: ValidationError, *, within: str) -> RubricParseError:
    first = error.errors(include_url=False)[0]
    kind, where = first["type"], _where((within, *first["loc"]) if within else first["loc"])
    if kind == "extra_forbidden":
        name = str(first["loc"][-1])
        fields = Criterion.model_fields if within else Rubric.model_fields
        return RubricParseError("there is no such field", where=where, remedy=_did_you_mean(name, fields))
    reason = first["msg"].removeprefix("Value error, ")
    reason = reason[:1].lower() + reason[1:]
    if kind != "missing":
        reason += f" (got {_quoted(first['input'])})"
    return RubricParseError(reason, where=where)


def _where(location: Sequence[int | str]) -> str:
    where, last = "", None
    for part in location:
        # pydantic puts the kind of a check into the place, which the JSON does not have.
        if not (last == "check" and part in (*CHECK_KINDS, "unknown")):
            where = _inside(where, part)
        last = part
    return where


def _inside(where: str, part: int | str) -> str:
    """A place within another, as one would write it in code: `criteria[0].check.tools`."""
    if isinstance(part, str) and part.isidentifier():
        return f"{where}.{part}" if where else part
    return f"{where}[{part if isinstance(part, int) else _quoted(part)}]"


def _quoted(value: Any) -> str:
    """A value from a rubric as a message may show it: cut, and nothing in it that a terminal would obey."""
    text = text_of(value)
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 1] + "…")


def _did_you_mean(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean {_quoted(near[0])}?" if near else ""
