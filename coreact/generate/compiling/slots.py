"""What stood in the slots of a form: tools and arguments, lists of phrases, names without quotes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from coreact.generate.compiling.masking import CODE, NUMBER, PHRASE, Masked, is_of
from coreact.generate.compiling.vocabulary import Argument, Vocabulary
from coreact.generate.entities import entities
from coreact.rubric.checks.patterns import compiled as pattern
from coreact.rubric.words import fold, words

_EXAMPLES = pattern(r"(?i)([a-z -]*?) ?(?:such as|like|e\.g\.,?|for example,?|for instance,?):? $")
_LIST = pattern(r"(?i),? (?:and|or) |, ")
_CHOICE = pattern(r"(?i)(?:either|any of|one of|at least one of)(?: the)?:? ")
_ONE_OF = pattern(r"(?i)(?:any|one|at least one) of")
QUALIFIERS = frozenset(
    """not no never without except excluding but unless if when while before after until than instead only
    recent latest newest current official primary secondary reliable trusted original several multiple
    different each every both all most source sources article articles page pages website websites site
    sites database databases paper papers pdf english language using use then also again avoid exact exactly
    new least more two three cannot neither nor nothing anything other another what how whether which who
    either or must should shall be contain contains mention mentions include includes""".split()
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
    examples = _examples(said, slots)
    if examples is None:
        return None
    said = said.casefold()
    head = said.split(" ")[0]
    one = slots.said.get("first") is not None or _ONE_OF.match(said) is not None
    every = not one and (head in ("both", "all") or any(also in said for also in _ALL))
    one = one or head == "either" or any(also in said for also in _ANY)
    if len(found) == 1:  # of one example, nothing says that another would not do
        return Terms(found, 1) if examples < 0 else None
    if examples == 0:  # a list of examples, whatever joins them
        return Terms(found, 1)
    if one == every or (every and examples > 0):
        return None
    return Terms(found, len(found) if every else 1)


_ALL = (" and ", " with ", " und ", " et ", " y ", "和", "与")
_ANY = (" or ", " and/or ", " oder ", " ou ", " o ", "或")


def _examples(said: str, slots: Slots) -> int | None:
    """Before which phrase "such as" stands, -1: before none; None where more than a kind of word is named."""
    at, before, number = -1, "", 0
    for char in said:
        if char not in slots.sentence.meant:
            before += char
            continue
        kind = _EXAMPLES.search(before)
        if kind is not None:
            named = set(kind[1].casefold().replace("-", " ").split())
            joined = {"and", "or"} if number else set()
            if named & ((QUALIFIERS | {"and", "in", "with", "for", "to"}) - joined):
                return None
            at = number if at < 0 else at
        before, number = "", number + 1
    return at


class Named(NamedTuple):
    """Names without quotes, and the words beside them."""

    names: tuple[str, ...]
    beside: tuple[str, ...]


def named(slots: Slots) -> Named | None:
    """The names in the slot `rest`; None where there are none, or where it quotes or counts."""
    rest = slots.text("rest")
    if any(is_quote(char) for char in slots.said.get("rest") or ""):
        return None
    names = entities(rest)
    beside = list(words(rest))
    for word in (word for name in names for word in words(name)):
        if word in beside:
            beside.remove(word)
    if not names or any(mark in rest for mark in ",;:()=") or any(map(str.isdigit, "".join(beside))):
        return None
    return Named(names, tuple(beside))


def is_quote(char: str) -> bool:
    """Whether a character stands for a quoted phrase or a code span."""
    return is_of(PHRASE, char) or is_of(CODE, char)
