"""Citations of a report: numbers for people, keys for code, and nothing that was never observed.

A writer is shown numbered documents and cites `[1]`. Numbers mean nothing outside of that prompt, so they are
turned into keys at once (the passage id that a tool showed, its address, or the id of the tool message), and
checks, revisions and audits work on keys. Numbers come back at the very end, with a list of sources.
A citation that leads to nothing observed is taken out and reported, never kept. Whether a source says what
cites it is not decided here; `coreact.judge.grounding` audits that.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from langchain_core.messages import AnyMessage, ToolMessage

from coreact.host.messages import is_injected
from coreact.judge.grounding.claims import split
from coreact.judge.grounding.marks import Mark, marks
from coreact.judge.grounding.sources import Sources
from coreact.rubric import Record, State
from coreact.rubric.words import fold, is_web_address

# In brackets, without a blank, letters and digits: an id that nobody observed. `[sic]` is none, and neither
# is an isotope, as in `[3H]thymidine`.
_ID = re.compile(r"\[(?!\d+[A-Z][a-z]?\])(?=[^\[\]\s]*\d)(?=[^\[\]\s]*[^\W\d_])[^\[\]\s]{2,80}\](?!\()")
# A link to what is no web address, or an image: neither leads to anything that a tool showed.
_LINK = re.compile(
    r"(?P<image>!?)\[(?P<shown>[^\[\]\n]{0,300})\]"
    r"\(\s?<?(?P<target>(?:[^()\s<>]|\([^()\s<>]{0,300}\)){0,2000})>?(?:\s\"[^\"\n]{0,300}\")?\s?\)"
)
_LONGEST = 80  # characters of a label in brackets
_LOOSE = re.compile(r"[ \t]+(?=[.,;:!?])")
_SOURCES = "## Sources"
_PASSES = 4  # over a text; more than one is rare, and each takes something out


class Document(Record):
    """Something that was observed and can be cited."""

    number: int
    """Its number in the writer's prompt, from 1."""
    key: str
    """Passage id or address as the tool showed it, or the id of the tool message."""
    text: str
    """What was observed of it; untrusted."""
    messages: tuple[str, ...]
    """Ids of the tool messages that show it."""

    @property
    def mark(self) -> str:
        """How text that code works on cites it."""
        return f"[{self.number}]({self.key})" if is_web_address(self.key) else f"[{self.key}]"


class Resolved(NamedTuple):
    """A text whose citations all lead somewhere."""

    text: str
    """Every citation is a key."""
    invented: tuple[str, ...]
    """The citations that were taken out, as they stood there."""


def documents(messages: Sequence[AnyMessage], state: State) -> tuple[Document, ...]:
    """What the tool messages of a run showed, in order, each document once.

    A tool names its documents in the message's artifact, as a list of ids or addresses; the result of one
    that names none is itself one document. An empty list is an empty result. Errors and refusals are none.

    Args:
        messages: the conversation since the question.
        state: the state read from it.
    """
    sources = Sources(state)
    shown: dict[str, list[str]] = {}
    texts: dict[str, str] = {}
    results = [
        message
        for message in messages
        if isinstance(message, ToolMessage) and message.status != "error" and not is_injected(message)
    ]
    names = {name for message in results for name in _named(message)}
    alike = Counter(fold(name) for name in names if not is_web_address(name))
    for message in results:
        whole = str(message.text)
        for name in _named(message):
            clear = _citable(name, sources) and alike[fold(name)] <= 1  # `a-1` and `A.1` read as one label
            passages = sources.find(name).passages if clear else ()
            key = name if passages else str(message.id)
            texts.setdefault(key, "\n".join(p.text for p in passages) if passages else whole)
            shown.setdefault(key, []).append(str(message.id))
    return tuple(
        Document(number=number, key=key, text=texts[key], messages=tuple(dict.fromkeys(ids)))
        for number, (key, ids) in enumerate(shown.items(), 1)
    )


def resolve(text: str, known: Sequence[Document], state: State) -> Resolved:
    """Turn a writer's citations into keys, and take out those that lead nowhere.

    A list of sources that the writer added is left out: code writes one. A text that is nothing but such a
    list comes out empty.

    Args:
        text: the report; it may cite numbers of documents, observed labels and addresses.
        known: the documents that the writer was shown.
        state: the state they were read from.

    Raises:
        MissingExtraError: `sentencex` is not installed.
    """
    sources = Sources(state)
    found = _resolved(text, known, sources)
    # What was taken out may have kept its neighbours from being a citation or a heading.
    for _ in range(_PASSES):
        again = _resolved(found.text, known, sources)
        if again.text == found.text:
            break
        found = Resolved(again.text, (*found.invented, *again.invented))
    return found._replace(invented=tuple(dict.fromkeys(found.invented)))


def _resolved(text: str, known: Sequence[Document], sources: Sources) -> Resolved:
    body = _without_list(text, sources.labels)
    by_number = {str(document.number): document for document in known}
    by_key = {fold(document.key): document for document in known}
    invented: list[str] = []

    def said(mark: Mark) -> str:
        written = body[mark.start : mark.end]
        if mark.address is not None:
            if sources.find(mark.address).standing != "invented":
                return written
            invented.append(written)
            return body[slice(*mark.shown)] if mark.shown is not None else ""
        kept = []
        for label in mark.labels:
            document = by_number.get(label) or by_key.get(fold(label))
            if document is not None:
                kept.append(document.mark)
            elif fold(label) in sources.labels and not label.isdigit():
                kept.append(f"[{label}]")
            else:
                invented.append(f"[{label}]")
        return "".join(dict.fromkeys(kept))

    even = _replaced(body, sources.labels, said)
    even = _without_links(even, sources, invented)
    even = _without_ids(even, sources.labels, invented)
    return Resolved(_without_list(_LOOSE.sub("", even), sources.labels), tuple(invented))


def numbered(text: str, known: Sequence[Document], state: State) -> str:
    """A resolved text as people read it: numbers in the order of citing, and the list of sources.

    Args:
        text: from `resolve`.
        known: the documents.
        state: the state they were read from.
    """
    labels = Sources(state).labels
    by_key = {fold(document.key): document.key for document in known}
    order: dict[str, int] = {}

    def said(mark: Mark) -> str:
        if mark.address is not None:
            number = order.setdefault(mark.address, len(order) + 1)
            shown = text[slice(*mark.shown)] if mark.shown is not None else ""
            return f"{shown} [{number}]".strip()
        keys = dict.fromkeys(by_key.get(fold(label), label) for label in mark.labels)
        return "".join(f"[{order.setdefault(key, len(order) + 1)}]" for key in keys)

    body = _replaced(text, labels, said)
    if not order:
        return body
    listed = [f"[{n}] {key if is_web_address(key) else f'[{key}]'}" for key, n in order.items()]
    return "\n".join([body, "", _SOURCES, "", *listed])


def _named(message: ToolMessage) -> list[str]:
    artifact = message.artifact
    if isinstance(artifact, list) and all(isinstance(one, str) for one in artifact):
        return [one for one in artifact if one.strip()]
    return [str(message.id)]


def _citable(name: str, sources: Sources) -> bool:
    if is_web_address(name):
        return True
    # A number would be taken for that of a document.
    plain = len(name) <= _LONGEST and not name.isdigit() and not any(char in name for char in "[],\n")
    return plain and fold(name) in sources.labels


def _without_list(text: str, labels: Collection[str]) -> str:
    """The text without lists of sources, of which taking out one may uncover the next."""
    text = text.strip()
    while (body := split(text, labels=labels).body.strip()) != text:
        text = body
    return text


def _replaced(text: str, labels: Collection[str], say: Callable[[Mark], str]) -> str:
    parts, at = [], 0
    for mark in marks(text, labels):
        if mark.cites:
            parts += [text[at : mark.start], say(mark) or _gap(text, mark.end)]
            at = mark.end
    return "".join([*parts, text[at:]])


def _gap(text: str, at: int) -> str:
    """What stands in for something that was taken out before `at`: words on both sides stay apart."""
    return " " if text[at : at + 1].isalnum() else ""


def _without_links(text: str, sources: Sources, invented: list[str]) -> str:
    """The text without images and without links that are no web address; what they say stays.

    A report is text: an image would be fetched by whoever looks at it, from wherever a page said.
    """
    code = [(mark.start, mark.end) for mark in marks(text) if text[mark.start] == "`"]

    def bare(match: re.Match[str]) -> str:
        target = match["target"]
        spared = any(start <= match.start() < end for start, end in code)
        if spared or (not match["image"] and is_web_address(target)):
            return match.group()
        if not is_web_address(target) or sources.find(target).standing == "invented":
            invented.append(match.group())
        return match["shown"]

    return _LINK.sub(bare, text)


def _without_ids(text: str, labels: Collection[str], invented: list[str]) -> str:
    """The text without bracketed ids that no tool showed; code and citations are left alone."""
    spared = [(mark.start, mark.end) for mark in marks(text, labels)]
    parts, at = [], 0
    for match in _ID.finditer(text):
        if any(start <= match.start() < end for start, end in spared):
            continue
        invented.append(match.group())
        parts += [text[at : match.start()], _gap(text, match.end())]
        at = match.end()
    return "".join([*parts, text[at:]])
