"""The text form of a rubric: `1. [0.4] Should use search …`, one criterion a line.

Language models write rubrics as text, so reading is tolerant about markers, bold, headers and
scripts, and strict about what matters: every criterion has a positive weight and a text of its
own. Text that is not a rubric is an error with line and reason; it never becomes an empty
rubric, and a list item is never dropped in silence. Checks have no text form: use JSON to keep them.
"""

from __future__ import annotations

import math
import re
import unicodedata

from coreact.errors import RubricParseError
from coreact.rubric.rubric import MAX_CRITERION_CHARS, Criterion, Provenance, Rubric, Scope

MAX_CRITERIA = 50
"""Most criteria that a rubric text may hold."""

NO_CRITERION = "there is no criterion in it"
"""Reason of the error for a text without one."""

TOO_MANY = f"there are more than {MAX_CRITERIA} criteria"
"""Reason of the error for a text with too many; its line is that of the first one too many."""

_REMEDY = "Write one criterion a line, like `1. [0.4] Should search for the river's source`."
# White space and what looks like nothing: zero-width space, direction marks, byte order mark. Every
# optional part of a pattern below begins with a sign of its own, so that no input makes it backtrack.
_BLANK = r"[\s\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]*"
_LEAD = re.compile(rf"{_BLANK}(?:>{_BLANK})*")
_HEADER = re.compile(rf"#{{1,6}}\s{_BLANK}")
_FENCE = re.compile(r"```|~~~")
_MARKER = r"(?:[(（]?\d{1,3}[.)）．、:：]|[-*+•·‣–—](?=[\s*_\[【［])|[\u2460-\u2473])"
# Marks that count as such only in front of a weight: `a)`, `iv.`, `C1:`, `Criterion 1.`.
_LABEL = r"(?:[(（]?[a-zA-Z][.)）]|[ivxIVX]{2,5}[.)）]|[^\W\d_]{1,20}[ #]?\d{1,3}[.)）．、:：])"
_ITEM = re.compile(
    rf"(?:(?P<outer>\*\*|__){_BLANK})?(?:(?P<marker>{_MARKER}|{_LABEL}){_BLANK})?"
    rf"(?:(?P<inner>\*\*|__){_BLANK})?[\[【［](?P<weight>[^\]】］]*)[\]】］](?P<rest>.*)$",
    re.DOTALL,
)
_BARE_ITEM = re.compile(rf"(?:\*\*|__)?{_MARKER}{_BLANK}\S", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,٫]\d*)?|[.,٫]\d+)(?:[eE][+-]?\d+)?\s*[%％\u066a]?$")
# A weight behind a mark that is none of these, as in a table: to be told, not to be left out.
_STRAY = re.compile(
    r"[^\[【［]{0,40}?[.)）．、:：|–—-]\s{0,9}"
    r"[\[【［]\s{0,9}\d{0,3}(?:[.,٫]\d+|\d\s?[%％\u066a])\s{0,9}[\]】］]"
)


def render_rubric(rubric: Rubric) -> str:
    """Write a rubric as text: number, weight as it stands, text; `judge_only` criteria included.

    Reading the text again gives the same weights and texts in the same order.
    """
    return "\n".join(
        f"{number}. [{_weight_text(criterion.weight)}] {criterion.text}"
        for number, criterion in enumerate(rubric, start=1)
    )


def _weight_text(weight: float) -> str:
    return repr(weight).removesuffix(".0")


def parse_rubric(text: str | bytes, *, scope: Scope = "step", source: str | None = None) -> Rubric:
    """Read a rubric from text.

    Criteria get the ids `c1`, `c2`, … in order. Weights may be numbers or percentages, in any
    decimal digits; they are kept as written and normalised by `Rubric.share`. Headers, code
    fences and prose around the list are skipped; an unmarked line right below a criterion
    continues it. Two criteria that differ in case or closing punctuation alone are a repeat.

    Args:
        text: the text; bytes must be UTF-8.
        scope: what the rubric judges.
        source: who wrote it, stored as the provenance of every criterion.

    Raises:
        RubricParseError: with the 1-based line and the reason.
    """
    items = _items(_decoded(text))
    if not items:
        raise RubricParseError(NO_CRITERION, line=1, remedy=_REMEDY)
    if len(items) > MAX_CRITERIA:
        raise RubricParseError(TOO_MANY, line=items[MAX_CRITERIA][0], remedy=_REMEDY)
    seen: dict[str, int] = {}
    criteria = []
    for number, (line, weight, raw) in enumerate(items, start=1):
        words = " ".join(raw.split())
        if not words:
            raise RubricParseError("the criterion has no text", line=line, remedy=_REMEDY)
        if len(words) > MAX_CRITERION_CHARS:
            raise RubricParseError(
                f"the criterion is longer than {MAX_CRITERION_CHARS} characters",
                line=line,
                remedy="Split it.",
            )
        key = unicodedata.normalize("NFKC", words).casefold().rstrip(".。! ") or words
        if key in seen:
            raise RubricParseError(f"it repeats criterion {seen[key]}", line=line, remedy="Leave it out.")
        seen[key] = number
        criteria.append(
            Criterion(
                id=f"c{number}",
                text=words,
                weight=weight,
                provenance=Provenance(source=source) if source else None,
            )
        )
    return Rubric(criteria=tuple(criteria), scope=scope)


def _decoded(text: str | bytes) -> str:
    try:
        if isinstance(text, bytes):
            return text.decode()
        text.encode()
    except UnicodeDecodeError as error:
        raise _not_unicode(error.object[: error.start].decode(), "it is not UTF-8 text") from error
    except UnicodeEncodeError as error:
        raise _not_unicode(error.object[: error.start], "it holds half a character") from error
    return text


def _not_unicode(before: str, reason: str) -> RubricParseError:
    line = len(f"{before}.".splitlines())
    return RubricParseError(reason, line=line, remedy="Save it as UTF-8.")


def _items(text: str) -> list[tuple[int, float, str]]:
    items: list[tuple[int, float, str]] = []
    continues = False  # whether an unmarked line would belong to the criterion above
    for number, line in enumerate(text.splitlines(), start=1):
        lead = _LEAD.match(line)
        body = line[lead.end() :] if lead else line
        header = _HEADER.match(body)
        if not body or _FENCE.match(body):
            continues = False
            continue
        found = _ITEM.match(body[header.end() :] if header else body)
        if found and (found["marker"] or _NUMBER.match(found["weight"].strip())):
            items.append((number, _weight(found["weight"], number), _text(found)))
            continues = True
            continue
        if header:
            continues = False
            continue
        if _BARE_ITEM.match(body) and not (continues and len(body) < len(line)):
            raise RubricParseError("the list item has no weight in brackets", line=number, remedy=_REMEDY)
        if _STRAY.match(body):
            raise RubricParseError("the weight stands behind an unknown mark", line=number, remedy=_REMEDY)
        if continues:
            first, weight, above = items[-1]
            items[-1] = (first, weight, f"{above} {body}")
    return items


def _text(found: re.Match[str]) -> str:
    rest: str = found["rest"].strip()
    opened = found["inner"] or found["outer"]
    if opened and not (found["inner"] and found["outer"]):
        # Bold around the weight or the whole line: its closing mark goes too. Bold around the
        # number alone was closed before the weight.
        rest = rest.replace(opened, "", 1)
    return rest.strip()


def _weight(raw: str, line: int) -> float:
    written = raw.strip()
    if not _NUMBER.match(written):
        raise RubricParseError(f"the weight [{written[:20]}] is not a number", line=line, remedy=_REMEDY)
    number = written.rstrip("%％\u066a ").replace(",", ".").replace("٫", ".")
    weight = float(number) / (100 if written[-1] in "%％\u066a" else 1)
    if not math.isfinite(weight) or weight <= 0:
        raise RubricParseError(
            f"the weight [{written[:20]}] is not a positive number", line=line, remedy="Weights are positive."
        )
    return weight
