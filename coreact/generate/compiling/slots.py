"""From the words in a sentence's slots to a check: names are looked up, values are typed.

Each function makes the check of one kind of form, or None where a name in it does not exist, a value does
not fit its argument, or the check could not decide what the sentence says in this state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pydantic import ValidationError

from coreact.generate.compiling.masking import CODE, NUMBER, PHRASE, Masked, is_of
from coreact.generate.compiling.vocabulary import Argument, Vocabulary
from coreact.generate.entities import entities
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
from coreact.rubric.checks.patterns import compiled as pattern
from coreact.rubric.words import canonical_url, fold, words

_LIST = pattern(r"(?i),? (?:and|or) |, ")
_CHOICE = pattern(r"(?i)(?:either|any of|one of|at least one of)(?: the)?:? ")
_ONE_OF = pattern(r"(?i)(?:any|one|at least one) of")
_MOST_WORDS = 8  # of an unquoted subject, beside its names: what is longer says more than a name
_QUALIFIERS = frozenset(
    """not no never without except excluding but unless if when while before after until than instead only
    recent latest newest current official primary secondary reliable trusted original several multiple
    different each every both all most source sources article articles page pages website websites site
    sites database databases paper papers pdf english language using use then also again avoid exact exactly
    new least more two three cannot neither nor nothing anything other another what how whether which who
    either or""".split()
)
"""Words of an unquoted subject that ask for more than its names."""


class Slots(NamedTuple):
    """What stood in the slots of a form, in which sentence, and what the names may mean."""

    said: Mapping[str, str | None]
    sentence: Masked
    names: Vocabulary

    def text(self, slot: str) -> str:
        """What stood in a slot, as it was written; empty where nothing did."""
        return self.sentence.restored(self.said.get(slot) or "")

    def meant(self, slot: str) -> str:
        """What stood in a slot, without quotes."""
        return self.meant_by(self.said.get(slot) or "")

    @property
    def argument(self) -> Argument | None:
        """The argument that the slot `name` names."""
        return self.names.argument(self.meant("name"))

    @property
    def tools(self) -> tuple[str, ...]:
        """The tools that the slot `name` names, one or a choice; empty where one does not exist."""
        said = self.said.get("name") or ""
        whole = self.names.tool(self.meant_by(said))
        if whole is not None:
            return (whole,)
        if " or " not in said or " and " in said:  # one action calls one tool
            return ()
        head = _CHOICE.match(said)
        parts = _LIST.split(said[head.end() :] if head is not None else said)
        found = [self.names.tool(self.meant_by(part)) for part in parts]
        return tuple(dict.fromkeys(name for name in found if name)) if all(found) else ()

    def meant_by(self, masked: str) -> str:
        """A part of the masked sentence, without quotes."""
        return "".join(self.sentence.meant.get(char, char) for char in masked)


class Terms(NamedTuple):
    """Quoted phrases, and how many of them are asked for."""

    terms: tuple[str, ...]
    at_least: int


def terms(slots: Slots) -> Terms | None:
    """The phrases of a list; None where it does not say whether all or one of them is meant."""
    said = f"{slots.said.get('first') or ''}{slots.said.get('terms') or ''}"
    marks = [char for char in said if char in slots.sentence.meant]
    number = next((slots.meant_by(char) for char in marks if is_of(NUMBER, char)), None)
    found = tuple(slots.meant_by(char).strip(" .,;") for char in marks if not is_of(NUMBER, char))
    if not found or len({fold(term) for term in found} - {""}) < len(found):
        return None
    if number is not None:
        return Terms(found, int(number)) if number.isdecimal() and 0 < int(number) <= len(found) else None
    head = said.casefold().split(" ")[0]
    one = slots.said.get("first") is not None or _ONE_OF.match(said) is not None
    every = not one and (" and " in said.casefold() or head in ("both", "all"))
    one = one or " or " in said.casefold() or head == "either"
    if len(found) == 1:
        return Terms(found, 1)
    return None if one == every else Terms(found, len(found) if every else 1)


def always(check: Check) -> Callable[[Slots], Check | None]:
    """The maker of a check that has no slots."""

    def made(_slots: Slots) -> Check | None:
        return check

    return made


# --- which tool -----------------------------------------------------------------------------------


def tool_is(slots: Slots) -> Check | None:
    """The tools that are named, as a choice."""
    return ToolIs(tools=slots.tools) if slots.tools else None


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


def query_names(slots: Slots) -> Check | None:
    """One of the names in what is to be searched for, where it says little beside them."""
    rest, argument = slots.text("rest"), slots.names.text_argument("search")
    if argument is None or any(_is_quote(char) for char in slots.said.get("rest") or ""):
        return None
    names = entities(rest)
    beside = list(words(rest))
    for word in (word for name in names for word in words(name)):
        if word in beside:
            beside.remove(word)
    if (
        not names
        or len(beside) > _MOST_WORDS
        or any(mark in rest for mark in ",;:()")
        or any(map(str.isdigit, "".join(beside)))
        or _QUALIFIERS & set(beside)
    ):
        return None
    # "A and B" may ask for either in its turn, or for both at once.
    return None if len(names) > 1 and "and" in beside else ArgumentContains(argument=argument, terms=names)


def _is_quote(char: str) -> bool:
    return is_of(PHRASE, char) or is_of(CODE, char)


# --- what an argument says ------------------------------------------------------------------------


def argument_contains(slots: Slots) -> Check | None:
    """Quoted phrases in an argument."""
    asked, argument = terms(slots), slots.argument
    if asked is None or argument is None:
        return None
    return ArgumentContains(argument=argument.name, terms=asked.terms, at_least=asked.at_least)


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
    bare = not any(map(_is_quote, slots.said.get("value") or ""))
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
