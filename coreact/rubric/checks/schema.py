"""Whether a call fits the JSON schema of its tool, and an answer the schema that was asked for.

No reference is ever fetched: a schema may come from anywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, ClassVar, Literal

import re2
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend, validator_for
from pydantic import field_validator
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from coreact.errors import ToolSchemaError
from coreact.rubric.canonical import canonical_json
from coreact.rubric.checks.base import (
    SHOWN,
    ExecutableCheck,
    Finding,
    met,
    named,
    not_applicable,
    one_of,
    quoted,
    shown,
    unmet,
)
from coreact.rubric.checks.patterns import compiled, stands_somewhere
from coreact.rubric.state import Action, State, ToolContract

_SCHEMA_CHARS = 400  # of a schema, in a sentence for the agent
_PATH = re.compile(r"[\w.-]{1,160}", re.ASCII)
_HELP = "For troubleshooting, visit:"  # LangChain's last line


class ArgumentsFitSchema(ExecutableCheck):
    """The call names a tool that exists and its arguments satisfy that tool's own JSON schema."""

    specific: ClassVar[bool] = False
    kind: Literal["arguments_fit_schema"] = "arguments_fit_schema"

    def evaluate(self, action: Action, state: State) -> Finding:
        call = action.call
        if call is None:
            return not_applicable("the action is an answer")
        tool = state.tool(call.name)
        if tool is None:
            names = tuple(known.name for known in state.tools)
            offered = f"; there is {one_of(names)}" if names else ""
            return unmet(f"there is no tool {named(call.name)}{offered}")
        if call.malformed is not None:
            why = quoted(_unread(call.malformed), 2 * SHOWN)
            return unmet(f"the arguments of {named(call.name)} are no valid JSON: {why}")
        try:
            problem = schema_problem(tool, call.arguments)
        except ToolSchemaError as error:
            return Finding(reason=error.what, status="unknown", fault="instrument")
        if problem is not None:
            return unmet(f"the arguments of `{call.name}` break its schema: {problem}")
        return met(f"the arguments fit the schema of `{call.name}`")

    def explain(self) -> str:
        return "Call a tool that exists, with arguments that fit its schema."


def _unread(told: str) -> str:
    """What a host says of arguments that are no JSON: it repeats them first, and says last what is wrong."""
    line = " ".join((told.rpartition(_HELP)[0] or told).split())
    begin, end = SHOWN // 2, 2 * SHOWN - SHOWN // 2 - 1
    return line if len(line) <= 2 * SHOWN else f"{line[:begin]}…{line[-end:]}"


def schema_problem(tool: ToolContract, arguments: Mapping[str, Any]) -> str | None:
    """The first way in which `arguments` break the tool's schema, or None where they fit.

    No reference is ever fetched: a `$ref` that leads out of the schema is an error of the schema.

    Raises:
        ToolSchemaError: the schema itself is broken.
    """
    try:
        return _first_problem(
            _tool_validator(json.dumps(tool.parameters, sort_keys=True, default=str)), arguments
        )
    except (SchemaError, *_BROKEN) as error:
        raise ToolSchemaError(
            f"The JSON schema of tool {tool.name!r} is broken: {_first_line(error)}.",
            tool=tool.name,
            remedy="Fix the tool's args_schema, or leave the tool without one.",
        ) from error


class AnswerFitsSchema(ExecutableCheck):
    """The final answer fits a JSON schema.

    An answer that is a JSON object or array is read as one; any other as its text and as the JSON it may be,
    so `1990` fits an integer and a string of four digits alike. JSON inside of a code fence or of prose
    does not fit: whoever reads the answer would stumble over it too. The schema is draft 2020-12; it may
    come from a model, so its patterns run on RE2 and `patternProperties` is refused.
    """

    specific: ClassVar[bool] = False
    kind: Literal["answer_fits_schema"] = "answer_fits_schema"
    json_schema: dict[str, Any]

    @field_validator("json_schema")
    @classmethod
    def _can_be_decided(cls, schema: dict[str, Any]) -> dict[str, Any]:
        try:
            json.dumps(schema, sort_keys=True)
            if schema.get("$schema", _DRAFT) != _DRAFT:
                raise ValueError(f"$schema must be {_DRAFT}")
            _AnswerValidator.check_schema(schema, format_checker=None)  # RE2 is asked about patterns
            for part in _inner_schemas(schema):
                if "patternProperties" in part or "$schema" in part:
                    raise ValueError("patternProperties and an inner $schema cannot be used here")
                compiled(part.get("pattern", ""))
        except (SchemaError, TypeError, re2.error) as error:
            raise ValueError(f"not a JSON schema: {_first_line(error)}") from error
        except RecursionError as error:
            raise ValueError("the JSON schema is nested too deep") from error
        return schema

    def evaluate(self, action: Action, state: State) -> Finding:
        if action.answer is None:
            return not_applicable("the action is no answer")
        validator = _answer_validator(json.dumps(self.json_schema, sort_keys=True))
        try:
            problems = [_first_problem(validator, reading) for reading in _readings(action.answer)]
        except _BROKEN as error:
            reason = f"the JSON schema of the answer is broken: {_first_line(error)}"
            return Finding(reason=reason, status="unknown", fault="instrument")
        if None in problems:
            return met("the answer has the expected form")
        return unmet(f"the answer {quoted(action.answer)} does not have the expected form: {problems[0]}")

    def explain(self) -> str:
        written = json.dumps(self.json_schema, ensure_ascii=False, sort_keys=True)
        short = written if len(written) <= _SCHEMA_CHARS else written[: _SCHEMA_CHARS - 1] + "…"
        return f"When you answer, fit this JSON schema: {short}"


def _readings(answer: str) -> list[Any]:
    """What an answer may be meant as."""
    try:
        value = json.loads(answer, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return [answer]
    return [value] if isinstance(value, list | dict) else [answer, value]


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


# --- validating -----------------------------------------------------------------------------------

_BROKEN = (Unresolvable, TypeError, ValueError, ArithmeticError, RecursionError)
"""What validating against a schema may raise that is well-formed and yet cannot be followed."""


def _first_problem(validator: Any, instance: Any) -> str | None:
    try:
        errors = sorted(validator.iter_errors(instance), key=lambda error: list(map(str, error.path)))
    except _BROKEN:
        # Three marks stand in canonical JSON for what JSON cannot hold well, and for nothing else.
        written = canonical_json(instance)
        if b'{"$float"' in written or b'{"$int"' in written:
            return "a number is not finite or too large"
        if b'{"$deep"' in written:
            return "it is nested too deep"
        raise
    if not errors:
        return None
    path = ".".join(map(str, errors[0].path))
    where = path if _PATH.fullmatch(path) else quoted(path)
    message = errors[0].message
    message = message if len(message) <= 2 * SHOWN else message[: 2 * SHOWN - 1] + "…"
    return f"{where}: {message}" if path else message


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


@lru_cache(maxsize=512)
def _tool_validator(schema_json: str) -> Any:
    schema = json.loads(schema_json)
    kind = validator_for(schema, default=Draft202012Validator)
    kind.check_schema(schema)
    return kind(schema, registry=Registry())


def _re2_pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not stands_somewhere(pattern, instance):
        yield ValidationError(f"{quoted(instance)} does not match {shown(pattern)}")


_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_AnswerValidator = extend(Draft202012Validator, {"pattern": _re2_pattern})  # type: ignore[no-untyped-call]


@lru_cache(maxsize=64)
def _answer_validator(schema_json: str) -> Any:
    schema = json.loads(schema_json)
    schema.pop("$schema", None)  # it would bring back the draft's own validator, with its own patterns
    return _AnswerValidator(schema, registry=Registry())


def _inner_schemas(schema: dict[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A schema without its `$schema`, and every schema in it."""
    waiting = [{name: value for name, value in schema.items() if name != "$schema"}]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):  # and no `true` or `false`
            yield part
            waiting.extend(DRAFT202012.subresources_of(part))
