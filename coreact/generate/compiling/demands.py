"""From the words in a sentence's slots to a check: names are looked up, values are typed.

Each function makes the check of one kind of form, or None where a name in it does not exist, a value does
not fit its argument, or the check could not decide what the sentence says in this state.
"""

from __future__ import annotations

from collections.abc import Callable

from pydantic import ValidationError

from coreact.generate.compiling.slots import QUALIFIERS, Slots, is_quote, named, terms
from coreact.generate.compiling.vocabulary import Argument
from coreact.rubric import (
    ArgumentContains,
    ArgumentEquals,
    ArgumentInRange,
    ArgumentMatches,
    DoesNotStop,
    HasProvenance,
    NotRepeat,
    Stops,
    ToolIs,
    ToolIsNot,
    UrlSeenUnvisited,
)
from coreact.rubric.checks import Check
from coreact.rubric.words import canonical_url, fold, words

_MOST_WORDS = 8  # of an unquoted subject, beside its names: what is longer says more than a name
_FILLERS = frozenset(
    "the a an name names full exact specific term terms word words phrase keyword keywords of s".split()
)
_JOINING = frozenset("and or both either".split())


def always(check: Check) -> Callable[[Slots], Check | None]:
    """The maker of a check that has no slots."""

    def made(_slots: Slots) -> Check | None:
        return check

    return made


# --- which tool -----------------------------------------------------------------------------------


def tool_is(slots: Slots) -> Check | None:
    """The tools that are named, as a choice."""
    return ToolIs(tools=slots.tools) if slots.tools else None


def searches(slots: Slots) -> Check | None:
    """Any of the tools that search."""
    tools = tuple(tool.name for tool in slots.names.tools("search"))
    return ToolIs(tools=tools) if tools else None


def tool_is_not(slots: Slots) -> Check | None:
    """None of the tools that are named."""
    return ToolIsNot(tools=slots.tools) if slots.tools else None


# --- what is searched for -------------------------------------------------------------------------


def query_contains(slots: Slots) -> Check | None:
    """Quoted phrases in the query; a tool that is named must be one that searches."""
    asked, argument = terms(slots), slots.names.text_argument("search")
    if asked is None or argument is None:
        return None
    if slots.said.get("tool"):
        named = slots.names.tool(slots.meant("tool"))
        if (
            named not in {tool.name for tool in slots.names.tools("search")}
            or len(slots.names.tools("search")) > 1
        ):
            return None
    return ArgumentContains(argument=argument, terms=asked.terms, at_least=asked.at_least)


def query_finds(slots: Slots) -> Check | None:
    """Quoted phrases in the query, where what is to be found can be found by searching only."""
    return query_contains(slots) if slots.names.only_looks_up else None


def query_terms(slots: Slots) -> Check | None:
    """Quoted phrases in the query, which no slot names."""
    asked, argument = terms(slots), slots.names.text_argument("search")
    if asked is None or argument is None:
        return None
    return ArgumentContains(argument=argument, terms=asked.terms, at_least=asked.at_least)


def query_names(slots: Slots) -> Check | None:
    """One of the names in what is to be searched for, where it says little beside them."""
    argument = slots.names.text_argument("search")
    if argument is None:
        return None
    found = named(slots)
    if found is None or len(found.beside) > _MOST_WORDS or QUALIFIERS & set(found.beside):
        return None
    # "A and B" may ask for either in its turn, or for both at once.
    if len(found.names) > 1 and "and" in found.beside:
        return None
    return ArgumentContains(argument=argument, terms=found.names)


def finding_names(slots: Slots) -> Check | None:
    """The same, where what is to be found can be found by searching only."""
    return query_names(slots) if slots.names.only_looks_up else None


def query_about(slots: Slots) -> Check | None:
    """The same, of a sentence whose subject is the query."""
    return query_names(slots) if _is_query(slots) else None


def query_about_terms(slots: Slots) -> Check | None:
    """Quoted phrases, of a sentence whose subject is the query."""
    return argument_contains(slots) if _is_query(slots) else None


def _is_query(slots: Slots) -> bool:
    argument = slots.argument
    return argument is not None and argument.name == slots.names.text_argument("search")


# --- what an argument says ------------------------------------------------------------------------


def argument_contains(slots: Slots) -> Check | None:
    """Quoted phrases in an argument."""
    asked, argument = terms(slots), slots.argument
    if asked is None or argument is None:
        return None
    return ArgumentContains(argument=argument.name, terms=asked.terms, at_least=asked.at_least)


def argument_names(slots: Slots) -> Check | None:
    """Names without quotes in an argument, all or one of them, where nothing else is asked for."""
    argument, found = slots.argument, named(slots)
    if argument is None or found is None or (argument.types and "string" not in argument.types):
        return None
    what = set(words(slots.text("what")))
    beside = [word for word in found.beside if word not in _FILLERS | _JOINING]
    joined = [word for word in found.beside if word in ("and", "or")]
    if (
        what & (QUALIFIERS | {"and", "with"})
        or len(beside) > (0 if what or "s" in found.beside else 1)
        or QUALIFIERS & set(beside)
        or len(joined) >= len(found.names)
        or len(set(joined)) > 1
    ):
        return None
    at_least = 1 if "or" in joined else len(found.names)
    return ArgumentContains(argument=argument.name, terms=found.names, at_least=at_least)


def argument_equals(slots: Slots) -> Check | None:
    """A value of a type that the argument takes."""
    argument = slots.argument
    return None if argument is None else _equals(slots, argument)


def called_with(slots: Slots) -> Check | None:
    """A tool with a value for an argument that no other tool has, so that one check says both."""
    tool, argument = slots.names.tool(slots.meant("tool")), slots.argument
    free = slots.names.text_argument("search")  # a query is said to contain something, see above
    if tool is None or argument is None or argument.tools != (tool,) or argument.name == free:
        return None
    return _equals(slots, argument)


def _equals(slots: Slots, argument: Argument) -> Check | None:
    bare = not any(map(is_quote, slots.said.get("value") or ""))
    values = argument.value(slots.meant("value"), bare=bare)
    return ArgumentEquals(argument=argument.name, value=values[0]) if len(values) == 1 else None


def argument_in_range(slots: Slots) -> Check | None:
    """Bounds, both included, of an argument that takes numbers."""
    argument = slots.argument
    low, high = (
        float(slots.meant(end).replace(",", "")) if slots.said.get(end) else None for end in ("low", "high")
    )
    if argument is None or not argument.is_number or (low is not None and high is not None and low > high):
        return None
    return ArgumentInRange(argument=argument.name, minimum=low, maximum=high)


def argument_matches(slots: Slots) -> Check | None:
    """An RE2 pattern."""
    argument = slots.argument
    if argument is None:
        return None
    try:
        return ArgumentMatches(argument=argument.name, pattern=slots.meant("value"))
    except ValidationError:
        return None


# --- where a value comes from ---------------------------------------------------------------------


def address_unvisited(slots: Slots) -> Check | None:
    """Any address that was seen and not opened."""
    argument = slots.names.address_argument
    return None if argument is None else UrlSeenUnvisited(argument=argument)


def address_is(slots: Slots) -> Check | None:
    """This address, where it was seen: a sentence must not send an agent elsewhere."""
    argument, address = slots.names.address_argument, slots.meant("value")
    if argument is None or canonical_url(address) not in slots.names.state.urls_seen:
        return None
    return ArgumentEquals(argument=argument, value=address)


def address_called(slots: Slots) -> Check | None:
    """The same, with the tool that opens it, where no other tool takes addresses."""
    argument = slots.names.address_argument
    known = slots.names.argument(argument) if argument is not None else None
    if known is None or known.tools != (slots.names.tool(slots.meant("tool")),):
        return None
    return address_is(slots)


def argument_traced(slots: Slots) -> Check | None:
    """An argument that is copied from the question or an observation, unless it is free text."""
    argument = slots.argument
    if argument is None or argument.name == slots.names.text_argument("search"):
        return None
    return HasProvenance(argument=argument.name)


# --- repeating and stopping -------------------------------------------------


def new_call(slots: Slots) -> Check | None:
    """No call again, where all tools only read: otherwise calling alike may be meant."""
    return NotRepeat() if slots.names.repeats_show else None


def new_query(slots: Slots) -> Check | None:
    """No search again."""
    searching = slots.names.tools("search")
    return NotRepeat() if searching and all(tool.read_only is True for tool in searching) else None


def same_query(slots: Slots) -> Check | None:
    """No search again, where the phrase is what was searched for: a query that goes on from it is another."""
    asked = {
        fold(text)
        for step in slots.names.state.steps
        for text in step.call.texts
        if step.call.name in {tool.name for tool in slots.names.tools("search")}
    }
    return new_query(slots) if fold(slots.meant("first")) in asked else None


def stops(slots: Slots) -> Check | None:
    """The final answer, where no tool hands it in."""
    return None if slots.names.tools("answer") else Stops()


def search_stops(slots: Slots) -> Check | None:
    """The final answer, where nothing but searching is left to be stopped."""
    return Stops() if slots.names.only_searches else None


def does_not_stop(slots: Slots) -> Check | None:
    """Any call, where there is something to call and no tool hands in the answer."""
    tools = slots.names.state.tools
    return DoesNotStop() if tools and not slots.names.tools("answer") else None
