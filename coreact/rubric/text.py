"""The text form of a rubric: `1. [0.4] Should use search …`, one criterion a line.

Language models write rubrics as text, so reading is tolerant about markers, bold, headers and
scripts, and strict about what matters: every criterion has a positive weight and a text of its
own. Text that is not a rubric is an error with line and reason; it never becomes an empty
rubric, and a list item is never dropped in silence. Checks have no text form: use JSON to keep them.
"""

from __future__ import annotations

import math
import re

from pydantic import ValidationError

from coreact.errors import RubricParseError
from coreact.rubric.rubric import MAX_CRITERION_CHARS, Criterion, Provenance, Rubric, Scope
from coreact.rubric.words import fold

MAX_CRITERIA = 50
"""Most criteria that a rubric text may hold."""

_REMEDY = "Write one criterion a line, like `1. [0.4] Should search for the river's source`."
_MARKER = r"(?:[(（]?\d{1,3}[.)）．、:：]|[-*+•·‣–—](?=[\s*_\[【［])|[\u2460-\u2473])"
_ITEM = re.compile(
    rf"^(?P<indent>\s*)(?P<outer>\*\*|__)?\s*(?P<marker>{_MARKER})?\s*(?P<inner>\*\*|__)?\s*"
    r"[\[【［](?P<weight>[^\]】］]*)[\]】］](?P<rest>.*)$",
    re.DOTALL,
)
_BARE_ITEM = re.compile(rf"^(?P<indent>\s*)(?:\*\*|__)?\s*{_MARKER}\s*(?P<rest>\S.*)$", re.DOTALL)
_NUMBER = re.compile(r"^[+-]?(?:\d+(?:[.,٫]\d*)?|[.,٫]\d+)(?:[eE][+-]?\d+)?\s*[%％]?$")
_FENCE = re.compile(r"^\s*(?:```|~~~)")
_HEADER = re.compile(r"^\s*#{1,6}\s")


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
    continues it.

    Args:
        text: the text; bytes must be UTF-8.
        scope: what the rubric judges.
        source: who wrote it, stored as the provenance of every criterion.

    Raises:
        RubricParseError: with the 1-based line and the reason.
    """
    items = _items(_decoded(text))
    if not items:
        raise RubricParseError("there is no criterion in it", line=1, remedy=_REMEDY)
    if len(items) > MAX_CRITERIA:
        raise RubricParseError(
            f"there are more than {MAX_CRITERIA} criteria", line=items[MAX_CRITERIA][0], remedy=_REMEDY
        )
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
        key = fold(words) or words
        if key in seen:
            raise RubricParseError(f"it repeats criterion {seen[key]}", line=line, remedy="Leave it out.")
        seen[key] = number
        try:
            criteria.append(
                Criterion(
                    id=f"c{number}",
                    text=words,
                    weight=weight,
                    provenance=Provenance(source=source) if source else None,
                )
            )
        except ValidationError as error:
            raise RubricParseError(error.errors()[0]["msg"], line=line, remedy=_REMEDY) from error
    return Rubric(criteria=tuple(criteria), scope=scope)


def _decoded(text: str | bytes) -> str:
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1
        raise RubricParseError("it is not UTF-8 text", line=line, remedy="Save it as UTF-8.") from error


def _items(text: str) -> list[tuple[int, float, str]]:
    items: list[tuple[int, float, str]] = []
    continues = False  # whether an unmarked line would belong to the criterion above
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or _FENCE.match(line) or _HEADER.match(line):
            continues = False
            continue
        found = _ITEM.match(line)
        if found and (found["marker"] or _NUMBER.match(found["weight"].strip())):
            items.append((number, _weight(found["weight"], number), _text(found)))
            continues = True
            continue
        bare = _BARE_ITEM.match(line)
        if bare and not (continues and bare["indent"]):
            raise RubricParseError("the list item has no weight in brackets", line=number, remedy=_REMEDY)
        if continues:
            first, weight, above = items[-1]
            items[-1] = (first, weight, f"{above} {line}")
    return items


def _text(found: re.Match[str]) -> str:
    rest: str = found["rest"].strip()
    opened = found["inner"] or found["outer"]
    if opened:  # bold around the weight, or around the whole line: take its closing mark away
        rest = rest[len(opened) :] if rest.startswith(opened) else rest.removesuffix(opened)
    return rest.strip()


def _weight(raw: str, line: int) -> float:
    written = raw.strip()
    if not _NUMBER.match(written):
        raise RubricParseError(f"the weight [{written[:20]}] is not a number", line=line, remedy=_REMEDY)
    number = written.rstrip("%％ ").replace(",", ".").replace("٫", ".")
    weight = float(number) / (100 if written[-1] in "%％" else 1)
    if not math.isfinite(weight) or weight <= 0:
        raise RubricParseError(
            f"the weight [{written[:20]}] is not a positive number", line=line, remedy="Weights are positive."
        )
    return weight
