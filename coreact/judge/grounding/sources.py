"""What an answer's citations lead to: the texts that the trajectory itself observed.

Nothing is fetched. A source is what the agent's own tools showed of it: the page it opened, its entry
in a list of results. The question is not whether a page exists on the web, but whether the agent can
know what it says.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from typing import Literal, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from coreact.judge.grounding.marks import addresses
from coreact.judge.quotes import locate
from coreact.rubric import State, Step
from coreact.rubric.words import canonical_url, fold, is_web_address, words

Standing = Literal["opened", "never_opened", "dead", "invented"]
"""What the agent did with a source. `opened`: a call that names it gave a result, or it is a message
of the run itself; `never_opened`: it was only seen, in a list of results, a link, the question;
`dead`: every attempt to open it failed; `invented`: it stands nowhere in the trajectory."""

# A label opens the line of what it names: elsewhere brackets are footnotes of the page.
_LABEL = re.compile(r"^[ \t]*(?:[-*•][ \t]+)?\[(?P<label>[^\[\]\n]{1,80})\]", re.MULTILINE)
_TRACKING = ("utm_", "fbclid", "gclid")
_SAYS_SOMETHING = 5  # words; a line with fewer is a title or an address alone


class Passage(NamedTuple):
    """A stretch of an observation that belongs to a source."""

    step: int
    """Index of the step whose observation it is."""
    message_id: str
    text: str
    start: int
    """Where it begins in the observation, in characters."""
    pure: bool
    """False where the stretch may hold text of other sources as well."""


class Source(NamedTuple):
    """One cited source."""

    key: str
    """As the claim or the reference list has it."""
    standing: Standing
    passages: tuple[Passage, ...] = ()
    """What the trajectory shows of it; none for an invented one."""


def message_id(step: Step, index: int) -> str:
    """The id under which evidence refers to a step's observation; `index` counts from 0."""
    given = step.observation.id if step.observation is not None else ""
    return given or f"observation-{index + 1}"


def place(address: str) -> str:
    """What two spellings of an address have in common: no scheme, no `www.`, no tracking parameters."""
    try:
        parts = urlsplit(canonical_url(address))
    except ValueError:
        return f"//{address}"
    asked = [pair for pair in parse_qsl(parts.query, True) if not pair[0].lower().startswith(_TRACKING)]
    query = f"?{urlencode(asked)}" if asked else ""
    return f"//{parts.netloc.removeprefix('www.')}{parts.path.rstrip('/')}{query}"


class Sources:
    """The sources of one trajectory, to look citations up in.

    Args:
        state: the trajectory. Reading it is linear in its length.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._ids: dict[str, int] = {}
        self._opened: defaultdict[str, list[int]] = defaultdict(list)
        self._failed: set[str] = set()
        self._seen: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        self._named: list[list[tuple[int, str]]] = []
        self._found: dict[str, Source] = {}
        self._mentioned = {
            place(address) for text in (state.question, *state.given) for _, address in addresses(text)
        }
        for index, step in enumerate(state.steps):
            self._named.append(sorted(_named(step)))
            self._read(index, step)

    def _read(self, index: int, step: Step) -> None:
        tool = self._state.tool(step.call.name)
        asked_for = () if tool is not None and tool.role == "search" else step.call.texts
        keys = {_key(text) for text in asked_for}
        if not step.succeeded:
            if step.observation is not None:
                self._failed |= keys
            return
        for key in keys:
            self._opened[key].append(index)
        for name in (step.call.id, message_id(step, index)):
            self._ids[fold(name)] = index
        for at, key in self._named[index]:
            self._seen[key].append((index, at))

    @cached_property
    def labels(self) -> frozenset[str]:
        """Folded labels that an answer may cite in brackets: ids of messages, labels of results."""
        return frozenset(key for key in (*self._ids, *self._seen) if key and not key.startswith("//"))

    def find(self, key: str) -> Source:
        """What a citation leads to.

        Args:
            key: an address, a label or a title, as in `Claim.cites`.
        """
        if key not in self._found:
            self._found[key] = self._look_up(key)
        return self._found[key]

    def origin(self, step: int, at: int) -> str:
        """Which source a place in an observation belongs to: the message, or its entry in a list of results.

        Args:
            step: index of the step.
            at: a place in its observation, in characters.
        """
        taken = self._state.steps[step]
        tool = self._state.tool(taken.call.name)
        message = message_id(taken, step)
        if tool is None or tool.role != "search":
            return message
        before = bisect_left(self._named[step], (at + 1, ""))
        return f"{message} {self._named[step][before - 1][1]}" if before else message

    def _look_up(self, key: str) -> Source:
        name = _key(key)
        if not name or (key.startswith("[") and key.endswith("]")):  # a label that leads nowhere
            return Source(key, "invented")
        opened = set(self._opened.get(name, ()))
        if name in self._ids:
            opened.add(self._ids[name])
        seen = self._seen.get(name) or ([] if is_web_address(key) else list(self._titled(key, name)))
        passages = {(index, 0): self._whole(index) for index in opened}
        for index, at in seen:
            if index not in opened:
                passage = self._around(index, at)
                passages[index, passage.start] = passage
        if opened:
            standing: Standing = "opened"
        elif name in self._failed:
            standing = "dead"
        else:
            standing = "never_opened" if seen or name in self._mentioned else "invented"
        return Source(key, standing, tuple(passages[at] for at in sorted(passages)))

    def _titled(self, key: str, name: str) -> Iterator[tuple[int, int]]:
        """Where observations hold a title as whole words."""
        for index, step in enumerate(self._state.steps):
            if step.succeeded and step.observation is not None and f" {name} " in step.observation.folded:
                span = locate(key, step.observation.text)
                yield index, span.start if span else 0

    def _whole(self, index: int) -> Passage:
        step = self._state.steps[index]
        text = step.observation.text if step.observation is not None else ""
        return Passage(index, message_id(step, index), text, 0, pure=True)

    def _around(self, index: int, at: int) -> Passage:
        """The line that names a source and says something, or else its paragraph."""
        page = self._whole(index)
        start, end = _stretch(page.text, at, "\n")
        if len(words(page.text[start:end])) < _SAYS_SOMETHING or self._sources(index, start, end) > 1:
            start, end = _stretch(page.text, at, "\n\n")
        pure = self._sources(index, start, end) <= 1
        return page._replace(text=page.text[start:end], start=start, pure=pure)

    def _sources(self, index: int, start: int, end: int) -> int:
        """How many different sources are named in a stretch of an observation."""
        named = self._named[index]
        first, last = bisect_left(named, (start, "")), bisect_left(named, (end, ""))
        return len({key for _, key in named[first:last]})


def _named(step: Step) -> Iterator[tuple[int, str]]:
    """Labels and addresses in an observation, each with its place."""
    if step.observation is None:
        return
    text = step.observation.text
    for match in _LABEL.finditer(text):
        yield match.start("label"), fold(match["label"])
    for at, address in addresses(text):
        yield at, place(address)


def _key(text: str) -> str:
    return place(text) if is_web_address(text) else fold(text)


def _stretch(text: str, at: int, border: str) -> tuple[int, int]:
    start = text.rfind(border, 0, at)
    end = text.find(border, at)
    return (0 if start < 0 else start + len(border)), (len(text) if end < 0 else end)
