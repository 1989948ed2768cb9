"""The outline of an answer: which stretches are prose, and where its reference list stands.

Line by line and in one pass: paragraphs, list items and table rows are blocks; headings, rules and
fenced code are not. No Markdown parser is used: it would read too much into what is not Markdown,
and it gives lines where offsets are needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from coreact.rubric.words import fold

_FENCE = re.compile(r"\s{0,3}(?P<ticks>`{3,}|~{3,})\s*(?P<language>[^\s`]*)\s*$")
_PROSE = frozenset(("markdown", "md", "text", "txt", "plaintext"))
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(?P<title>.*?)[\s#]*$")
_BOLD_LINE = re.compile(r"\s*(?:\*\*|__)(?P<title>[^*_]{1,200})(?:\*\*|__)\s*[:：]?\s*$")
_RULE = re.compile(r"\s{0,3}(?:[-*_=]\s?){3,}$")
_ITEM = re.compile(r"\s*(?:[-*+•·‣–—]\s+|[(（]?\d{1,3}[.)）]\s+|\d{1,3}[、．]\s*|[a-zA-Z][)]\s+)")
_QUOTED = re.compile(r"\s{0,3}(?:>\s?)+")
_ROW = re.compile(r"\s*\|.*\|\s*$")
_ROW_RULE = re.compile(r"\s*\|(?:\s*:?-+:?\s*\|)+\s*$")
_DEFINITION = re.compile(r"\s{0,3}\[\^?(?P<label>[^\]\s]{1,40})\]:\s*(?P<text>\S.*)$")
_ENTRY = re.compile(
    r"\s*(?:[-*+•·‣–—]\s+)?"
    r"(?:\[\^?(?P<bracket>[^\]\s]{1,40})\](?!\():?|【(?P<lens>\d{1,3})】|\^?(?P<number>\d{1,3})(?:[.)]\s|[、．]))?"
    r"\s*(?P<text>\S.*)?$"
)
_ONE_LINE = re.compile(
    r"\s*[*_]{0,3}(?P<title>[^\W\d][^:：*_]{0,30})[*_]{0,3}[:：][*_]{0,3}\s*(?P<text>\S.*)$"
)
_WRAPPED = 60  # characters; a shorter line was ended on purpose
TITLES = frozenset(
    fold(title)
    for title in (
        "references|reference|reference list|sources|source|bibliography|works cited|citations|cited sources"
        "|sources cited|footnotes|notes and references|quellen|literatur|références|sources citées"
        "|bibliographie|referencias|fuentes|bibliografía|riferimenti|fonti|referências|литература|источники"
        "|参考文献|参考资料|参考資料|来源|來源|引用|出典|참고문헌|출처|المراجع"
    ).split("|")
)
"""Folded titles of reference lists."""


class Block(NamedTuple):
    """A stretch of prose: a paragraph, a list item, a table row or a line of sources."""

    start: int
    end: int
    kind: Literal["prose", "row", "sources"] = "prose"
    """`row`: one claim, whatever stops stand in it. `sources`: says where the claim before it is from."""


class Entry(NamedTuple):
    """One entry of a reference list."""

    label: str | None
    """How the text refers to it; None where it has no number or name."""
    text: str


class Layout(NamedTuple):
    """What an answer consists of."""

    blocks: tuple[Block, ...]
    entries: tuple[Entry, ...]
    listed: tuple[tuple[int, int], ...]
    """Lines of the reference list, as offsets."""


class _Line(NamedTuple):
    start: int
    text: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def blank(self) -> bool:
        return not self.text.strip()


def layout(text: str) -> Layout:
    """Find the blocks and the reference list of an answer."""
    lines = list(_lines(text))
    body, tail = _without_tail(lines)
    reading = _Reading()
    for line in body:
        reading.take(line)
    reading.close()
    for line in tail:
        reading.enter(line)
    return Layout(tuple(reading.blocks), tuple(reading.entries), tuple(reading.listed))


def _lines(text: str) -> Iterator[_Line]:
    """The lines that are no code, without the marks of quotations."""
    found = []
    at = 0
    for written in text.splitlines(keepends=True):
        quoted = _QUOTED.match(written)
        skip = quoted.end() if quoted else 0
        found.append(_Line(at + skip, written[skip:].rstrip("\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029")))
        at += len(written)
    fences = [(n, fence) for n, line in enumerate(found) if (fence := _FENCE.match(line.text))]
    hidden: set[int] = set()
    opened: tuple[int, re.Match[str]] | None = None
    for n, fence in fences:
        if opened is None:
            opened = (n, fence)
        elif fence["ticks"].startswith(opened[1]["ticks"]) and not fence["language"]:
            first, opener = opened
            # A report wrapped whole in a fence is still a report; an unclosed fence hides nothing.
            inside = range(first, n + 1) if opener["language"].lower() not in _PROSE else (first, n)
            hidden.update(inside)
            opened = None
    if opened is not None:
        hidden.add(opened[0])
    for n, line in enumerate(found):
        yield _Line(line.start, "") if n in hidden else line


def _without_tail(lines: list[_Line]) -> tuple[list[_Line], list[_Line]]:
    """Split off a reference list without a title: lines at the very end that begin with a label."""
    at = len(lines)
    while at and (lines[at - 1].blank or _labelled(lines[at - 1].text)):
        at -= 1
    tail = [line for line in lines[at:] if not line.blank]
    return (lines[:at], tail) if at and tail else (lines, [])


def _labelled(text: str) -> bool:
    entry = _ENTRY.match(text)
    label = entry and (entry["bracket"] or entry["lens"])
    return bool(entry and label and entry["text"] and (label.isdigit() or "[^" in text[:8]))


class _Reading:
    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.entries: list[Entry] = []
        self.listed: list[tuple[int, int]] = []
        self._start: int | None = None
        self._last: _Line | None = None
        self._listing: bool | None = None  # in a list under a heading (True) or a mere line (False)
        self._gap = False

    def take(self, line: _Line) -> None:
        """Read one line of the body."""
        if self._listing is not None and self._continues_list(line):
            return
        heading = _HEADING.match(line.text) or _BOLD_LINE.match(line.text)
        title = fold(heading["title"] if heading else line.text.strip(" \t:：*_"))
        if heading or title in TITLES:
            self.close()
            if title in TITLES:
                self._listing, self._gap = _HEADING.match(line.text) is not None, False
                self.listed.append((line.start, line.end))
        elif line.blank or _RULE.match(line.text):
            if not line.blank and self._start is not None and self._last is not None and self._single:
                self._start = None  # a line above a rule is a heading
            self.close()
        elif definition := _DEFINITION.match(line.text):
            self.close()
            self._add(Entry(definition["label"], definition["text"].strip()), line)
        elif _ROW.match(line.text):
            self.close()
            if not _ROW_RULE.match(line.text):
                self.blocks.append(Block(line.start, line.end, "row"))
            elif self.blocks and self.blocks[-1].kind == "row":
                self.blocks.pop()  # the row above a rule names the columns
        else:
            self._prose(line)

    def _prose(self, line: _Line) -> None:
        one_line = _ONE_LINE.match(line.text)
        if one_line and fold(one_line["title"]) in TITLES:
            if self._start is None:
                self._add(Entry(None, one_line["text"].strip()), line)
            else:
                self.close()
                self.blocks.append(Block(line.start + one_line.start("text"), line.end, "sources"))
            return
        item = _ITEM.match(line.text)
        goes_on = self._last is not None and (
            len(self._last.text) >= _WRAPPED or line.text.lstrip()[:1].islower()
        )
        if self._start is None or item or not goes_on:
            self.close()
            self._start = line.start + (item.end() if item else 0)
            self._single = True
        else:
            self._single = False
        self._last = line

    def _continues_list(self, line: _Line) -> bool:
        if line.blank:
            self._gap = True
            return True
        if _HEADING.match(line.text) or _BOLD_LINE.match(line.text):
            self._listing = None
            return False
        entry = _ENTRY.match(line.text)
        named = entry is not None and (entry["bracket"] or entry["lens"] or entry["number"])
        if self._listing or not self._gap or named or _ITEM.match(line.text) or "http" in line.text:
            self.enter(line)
            return True
        self._listing = None
        return False

    def enter(self, line: _Line) -> None:
        """Read one line of the reference list."""
        entry = _ENTRY.match(line.text)
        label = (entry["bracket"] or entry["lens"] or entry["number"]) if entry else None
        content = ((entry["text"] if entry else None) or "").strip()
        fresh = label is not None or _ITEM.match(line.text) or self._gap or not self.entries
        if fresh or not line.text[:1].isspace():
            self._add(Entry(label, content), line)
        else:
            last = self.entries[-1]
            self.entries[-1] = last._replace(text=f"{last.text} {content}".strip())
            self.listed.append((line.start, line.end))
        self._gap = False

    def _add(self, entry: Entry, line: _Line) -> None:
        self.entries.append(entry)
        self.listed.append((line.start, line.end))

    def close(self) -> None:
        """End the open block."""
        if self._start is not None and self._last is not None and self._start < self._last.end:
            self.blocks.append(Block(self._start, self._last.end))
        self._start = self._last = None
