"""An answer as claims: sentences, list items and table rows, each with the citations written on it.

A claim is what can be cited and checked on its own. Headings, code, questions and lead-ins ("The
causes are:") are none unless they cite something; whether a sentence says anything worth checking
is not decided here. Sentences come from `sentencex` (Wikimedia), which knows abbreviations and stops
of many languages and needs no model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple, cast

from coreact.errors import MissingExtraError
from coreact.judge.grounding.layout import TITLES, Block, Layout, layout
from coreact.judge.grounding.marks import Mark, marks, masked
from coreact.rubric import Record
from coreact.rubric.words import fold, words

_WINDOW = 4000  # characters at a time: on some odd input the splitter's time grows with the square
_EMPHASIS = re.compile(r"\*+(?=\S)|(?<=\S)\*+|__+|~~|`")
# Signs that follow a word directly, those of Chinese and Japanese as well.
_LOOSE = re.compile(r"\s+([.,;:!?%)\]\u3001\u3002\uff01\uff09\uff0c\uff1a\uff1b\uff1f])")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ASIDE = TITLES | {"see", "via", "also", "and", "from", "at", "cf"}
_CLOSING = " \t*_~`\"'”’»」』)）]"


class Claim(Record):
    """One claim of an answer."""

    id: str
    """`c1`, `c2`, … in the order of the answer."""
    text: str
    """Its words on one line, without citations and emphasis."""
    start: int
    """Where it begins in the answer, in characters."""
    end: int
    """Where it ends, exclusive; citations behind its full stop belong to it."""
    cites: tuple[str, ...] = ()
    """What it cites: canonical addresses, observed labels, titles from the reference list; `[7]` for a
    label that leads nowhere."""


class Reference(NamedTuple):
    """One entry of the answer's reference list."""

    label: str | None
    """How claims refer to it; None where it has no label."""
    text: str
    keys: tuple[str, ...]
    """What it points to, in the form of `Claim.cites`."""


class Report(NamedTuple):
    """An answer, taken apart."""

    claims: tuple[Claim, ...]
    references: tuple[Reference, ...]
    body: str
    """The answer without its reference list."""


def split(answer: str, *, labels: Collection[str] = ()) -> Report:
    """Take an answer apart.

    Args:
        answer: the answer or report, plain text or Markdown; time grows linearly with its length.
        labels: labels that were observed (passage ids, message ids). In brackets they are citations;
            other bracketed words are not.

    Raises:
        MissingExtraError: `sentencex` is not installed.
    """
    found = layout(answer)
    known = frozenset(fold(label) for label in labels)
    references = tuple(
        Reference(entry.label, entry.text, _keys(entry.text, known)) for entry in found.entries
    )
    listed = {reference.label: reference.keys for reference in reversed(references) if reference.label}
    reader = _Reader(answer, known | {fold(label) for label in listed}, listed)
    for block in found.blocks:
        reader.read(block)
    return Report(tuple(reader.claims), references, _body(answer, found))


def _keys(entry: str, known: Collection[str]) -> tuple[str, ...]:
    found = list(marks(entry, known))
    addresses = [mark.address for mark in found if mark.address is not None]
    observed = [label for mark in found for label in mark.labels if fold(label) in known]
    title = " ".join(_EMPHASIS.sub("", entry).split()).strip(" .,;\"“”'")
    return tuple(dict.fromkeys(addresses or observed or ([title] if title else [])))


def _body(answer: str, found: Layout) -> str:
    parts = []
    at = 0
    for start, end in sorted(found.listed):
        parts.append(answer[at:start])
        at = end
    parts.append(answer[at:])
    return "".join(parts).rstrip() if found.listed else answer


class _Reader:
    def __init__(self, answer: str, known: Collection[str], listed: dict[str, tuple[str, ...]]) -> None:
        self.claims: list[Claim] = []
        self._answer = answer
        self._known = known
        self._listed = listed

    def read(self, block: Block) -> None:
        """Add the claims of one block."""
        if block.kind == "sources" and not self.claims:
            return
        text = self._answer[block.start : block.end]
        if block.kind == "row":
            text = text.replace("|", " ")
        found = list(marks(text, self._known))
        cites = [mark for mark in found if mark.cites]
        plain = masked(text, cites)
        spans = _spans(masked(text, found)) if block.kind == "prose" else [(0, len(text))]
        before = len(self.claims) - (block.kind == "sources")
        at = 0
        for start, end in spans:
            inside: list[Mark] = []
            while at < len(cites) and cites[at].start < end:
                inside.append(cites[at])
                at += 1
            keys = tuple(dict.fromkeys(key for mark in inside for key in self._pointed(mark)))
            adds_nothing = block.kind == "sources" or _only_cites(plain, start, end, inside)
            if len(self.claims) > before and keys and adds_nothing:
                last = self.claims[-1]
                self.claims[-1] = last.model_copy(
                    update={
                        "cites": tuple(dict.fromkeys(last.cites + keys)),
                        "end": block.start + start + len(text[start:end].rstrip()),
                    }
                )
                continue
            self._add(block.start, text, plain, (start, end), keys)

    def _add(self, offset: int, text: str, plain: str, span: tuple[int, int], keys: tuple[str, ...]) -> None:
        start, end = span
        said = _LOOSE.sub(r"\1", " ".join(_EMPHASIS.sub("", plain[start:end]).split()))
        open_ended = said.rstrip(_CLOSING).endswith(("?", ":", "\uff1f", "\uff1a"))
        if not words(said) or (open_ended and not keys):
            return
        written = text[start:end]
        self.claims.append(
            Claim(
                id=f"c{len(self.claims) + 1}",
                text=said,
                start=offset + start + len(written) - len(written.lstrip()),
                end=offset + start + len(written.rstrip()),
                cites=keys,
            )
        )

    def _pointed(self, mark: Mark) -> Iterator[str]:
        if mark.address is not None:
            yield mark.address
        for label in mark.labels:
            if label in self._listed:
                yield from self._listed[label]
            elif fold(label) in self._known and not (label.isdigit() and self._listed):
                yield label
            else:
                yield f"[{label}]"


def _only_cites(plain: str, start: int, end: int, inside: Sequence[Mark]) -> bool:
    """Whether a stretch says nothing but where something stands: `Source: [BBC](address)`."""
    at, rest = start, []
    for mark in inside:
        rest.append(plain[at : max(at, mark.start)])
        at = max(at, mark.end)
    rest.append(plain[at:end])
    return all(word in _ASIDE for word in words(" ".join(rest)))


# --- sentences -------------------------------------------------------------------------------


def sentences(text: str) -> list[tuple[int, int]]:
    """Where the sentences of a text stand, as offsets; a line break ends a sentence.

    Raises:
        MissingExtraError: `sentencex` is not installed.
    """
    found = []
    at = 0
    for line in text.splitlines(keepends=True):
        if not line.isspace():
            found += [(at + start, at + end) for start, end in _spans(line)]
        at += len(line)
    return found


def _spans(text: str) -> list[tuple[int, int]]:
    segment = _segmenter()
    even = _SURROGATE.sub("?", re.sub(r"\s", " ", text))
    found: list[tuple[int, int]] = []
    at = 0
    while at < len(even):
        window = even[at : at + _WINDOW]
        lengths = [len(part) for part in segment("en", window)]
        if at + len(window) < len(even) and len(lengths) > 1:
            lengths.pop()  # the last one may go on behind the window
        for length in lengths:
            found.append((at, at + length))
            at += length
    return found


def _segmenter() -> Callable[[str, str], list[str]]:
    try:
        from sentencex import segment
    except ImportError as error:
        raise MissingExtraError("Taking answers apart into claims", extra="judge") from error
    return cast("Callable[[str, str], list[str]]", segment)
