"""The names that a sentence may use: the tools of a state, their arguments, and what fits these.

Names are compared without case, spaces, underscores and hyphens. Where a name could be two things, it is
none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from coreact.rubric import Role, State, ToolContract

_NAME = re.compile(r"[\W_]+")
_ADDRESS = re.compile(r"(?:^|_)(?:ur[li]s?|link|address|href)(?:$|_)", re.IGNORECASE)
_SUFFIXES = ("", "tool", "function")
_ARTICLES = ("the", "a", "an", "your", "its", "some")
_QUERY_WORDS = frozenset(
    """query searchquery search searchterms searchterm searchtext searchstring searchphrase keywords
    searchkeywords querystring queryterms nextquery nextsearch nextsearchquery newquery""".split()
)


def squeezed(name: str) -> str:
    """A name without case, spaces and marks."""
    return _NAME.sub("", name).casefold()


class Argument(NamedTuple):
    """An argument, by name, and its schema in every tool that has it."""

    name: str
    schemas: tuple[Mapping[str, Any], ...]
    tools: tuple[str, ...]

    @property
    def types(self) -> frozenset[str]:
        """JSON types that its schemas allow; empty where they say nothing."""
        found: set[str] = set()
        for schema in self.schemas:
            for part in (schema, *_alternatives(schema)):
                kind = part.get("type")
                found.update([kind] if isinstance(kind, str) else kind or ())
        return frozenset(found)

    @property
    def is_number(self) -> bool:
        """Whether it may be compared with numbers."""
        return not self.types or bool(self.types & {"number", "integer"})

    @property
    def is_integer(self) -> bool:
        """Whether it takes whole numbers only."""
        return "integer" in self.types and "number" not in self.types

    def value(self, said: str, *, bare: bool) -> tuple[Any, ...]:
        """The values that a sentence may mean by `said`, of the types that the schemas allow.

        Args:
            said: the value as written, without quotes.
            bare: it stood there without quotes.
        """
        types = self.types
        found: list[Any] = [
            option
            for schema in self.schemas
            for option in _options(schema)
            if str(option).casefold() == said.casefold()
        ]
        if found:
            return tuple(dict.fromkeys(found))
        if types & {"boolean"} and said.casefold() in ("true", "false"):
            found.append(said.casefold() == "true")
        number = _number(said)
        if number is not None and (types & {"number", "integer"} or (bare and not types)):
            found.append(number)
        elif "string" in types or (not types and not bare):
            found.append(said)
        return tuple(found)


class Vocabulary:
    """What a state's tools are called."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._tools = _by_squeezed(tool.name for tool in state.tools)
        self._arguments = _by_squeezed(name for tool in state.tools for name in tool.properties)

    def tool(self, said: str) -> str | None:
        """The tool that is called so, or None."""
        return _named(said, self._tools, _SUFFIXES)

    def argument(self, said: str) -> Argument | None:
        """The argument that is called so, in all tools that have it; the query where it is called one."""
        name = _named(said, self._arguments, ("", "argument", "parameter"))
        if name is None and squeezed(_bare(said)) in _QUERY_WORDS:
            name = self.text_argument("search")
        if name is None:
            return None
        having = [tool for tool in self.state.tools if name in tool.properties]
        schemas = [tool.properties[name] for tool in having]
        return Argument(
            name,
            tuple(schema for schema in schemas if isinstance(schema, Mapping)),
            tuple(tool.name for tool in having),
        )

    def tools(self, role: Role) -> tuple[ToolContract, ...]:
        """The tools that are there for this."""
        return tuple(tool for tool in self.state.tools if tool.role == role)

    def text_argument(self, role: Role) -> str | None:
        """The free text that the tools of a role take, where all of them call it the same."""
        names = {tool.text_argument for tool in self.tools(role)}
        return next(iter(names)) if len(names) == 1 else None

    @property
    def address_argument(self) -> str | None:
        """The argument that takes a web address, where all reading tools call it the same."""
        name = self.text_argument("read")
        if name is None:
            named = {
                argument
                for tool in self.tools("read")
                for argument, schema in tool.properties.items()
                if isinstance(schema, Mapping)
                and (schema.get("format") == "uri" or _ADDRESS.search(argument))
            }
            return next(iter(named)) if len(named) == 1 else None
        schemas = [tool.properties.get(name) for tool in self.tools("read")]
        is_uri = any(isinstance(schema, Mapping) and schema.get("format") == "uri" for schema in schemas)
        return name if is_uri or _ADDRESS.search(name) or self.state.urls_seen else None

    @property
    def repeats_show(self) -> bool:
        """Whether a repeated call of any tool is surely waste: all only read."""
        acting = [tool for tool in self.state.tools if tool.role != "answer"]
        return bool(acting) and all(tool.read_only is True for tool in acting)

    @property
    def only_looks_up(self) -> bool:
        """Whether what is to be found can be found by searching and reading only."""
        acting = [tool for tool in self.state.tools if tool.role != "answer"]
        return bool(acting) and all(tool.role in ("search", "read") for tool in acting)

    @property
    def only_searches(self) -> bool:
        """Whether searching is all that the agent can do before it answers."""
        acting = [tool for tool in self.state.tools if tool.role != "answer"]
        return bool(acting) and all(tool.role == "search" for tool in acting)


def _by_squeezed(names: Iterable[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in dict.fromkeys(names):
        key = squeezed(name)
        found[key] = None if key in found else name
    return found


def _named(said: str, known: Mapping[str, str | None], suffixes: Iterable[str]) -> str | None:
    key = squeezed(_bare(said))
    found = {known[key + suffix] for suffix in suffixes if key and key + suffix in known}
    found |= {
        known[key.removesuffix(s)] for s in suffixes if s and key.endswith(s) and key.removesuffix(s) in known
    }
    return next(iter(found)) if len(found) == 1 else None


def _bare(said: str) -> str:
    words = said.strip("`").split()
    while len(words) > 1 and words[0].casefold() in _ARTICLES:
        words = words[1:]
    return " ".join(words)


def _alternatives(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    parts = [part for key in ("anyOf", "oneOf") for part in schema.get(key) or ()]
    return [part for part in parts if isinstance(part, Mapping)]


def _options(schema: Mapping[str, Any]) -> list[Any]:
    found: list[Any] = []
    for part in (schema, *_alternatives(schema)):
        found += [part["const"]] if "const" in part else list(part.get("enum") or ())
    return [option for option in found if isinstance(option, str | int | float | bool)]


def _number(said: str) -> int | float | None:
    plain = said.replace(",", "")
    try:
        return int(plain)
    except ValueError:
        pass
    try:
        number = float(plain)
    except ValueError:
        return None
    return number if number == number and abs(number) != float("inf") else None
