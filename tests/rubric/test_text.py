"""The text form: read what models write, refuse what is no rubric, and never fail in a third way."""

# ruff: noqa: RUF001 - other scripts are what is tested

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coreact.errors import RubricParseError
from coreact.rubric import (
    MAX_CRITERIA,
    MAX_CRITERION_CHARS,
    Criterion,
    Rubric,
    parse_rubric,
    render_rubric,
)
from coreact.rubric.words import fold

TEXTS = (
    st.text(min_size=1, max_size=40)
    .map(lambda text: " ".join(text.split()))
    .filter(lambda text: bool(text) and len(text) <= MAX_CRITERION_CHARS)
)
LISTS = st.lists(
    st.tuples(TEXTS, st.floats(min_value=0, exclude_min=True, allow_infinity=False)),
    min_size=1,
    max_size=8,
    unique_by=(
        lambda item: fold(item[0]) or item[0],
        lambda item: unicodedata.normalize("NFKC", item[0]).casefold().rstrip(".。! "),
    ),
)


def read(text: str | bytes) -> list[tuple[float, str]]:
    return [(criterion.weight, criterion.text) for criterion in parse_rubric(text)]


@given(LISTS)
@example([("**bold** text", 0.4), ("[0.5] nested", 1e-300), ("```", 1e308), ("# head", 3.0), ("1. x", 0.1)])
def test_what_is_written_reads_back_equal(items: list[tuple[str, float]]) -> None:
    rubric = Rubric(
        criteria=tuple(
            Criterion(id=f"c{number}", text=text, weight=weight)
            for number, (text, weight) in enumerate(items, start=1)
        )
    )
    again = parse_rubric(render_rubric(rubric))
    assert again == rubric
    assert again.lock == rubric.lock
    assert parse_rubric(render_rubric(rubric).encode()) == rubric


@pytest.mark.parametrize(
    "line",
    [
        "1. [0.4] Use search",
        "1.[0.4]Use search",
        "  1. [0.4]   Use   search  ",
        "1) [0.4] Use search",
        "(1) [0.4] Use search",
        "1: [0.4] Use search",
        "- [0.4] Use search",
        "* [0.4] Use search",
        "+ [0.4] Use search",
        "• [0.4] Use search",
        "– [0.4] Use search",
        "① [0.4] Use search",
        "[0.4] Use search",
        "a) [0.4] Use search",
        "B. [0.4] Use search",
        "iv. [0.4] Use search",
        "C1: [0.4] Use search",
        "Criterion 1: [0.4] Use search",
        "**Criterion 1:** [0.4] Use search",
        "1. **[0.4]** Use search",
        "1. **[0.4] Use search**",
        "**1. [0.4]** Use search",
        "**1. [0.4] Use search**",
        "**1.** [0.4] Use search",
        "__1.__ [0.4] Use search",
        "- **[0.4]** Use search",
        "> 1. [0.4] Use search",
        "### 1. [0.4] Use search",
        "\ufeff1. [0.4] Use search",
        "\u200f1. \u200e[0.4] Use search",
        "\u200b- [0.4] Use search",
        "１．［０．４］Use search",
        "１）【0.4】Use search",
        "（1）[0.4] Use search",
        "1、[0.4] Use search",
        "1. [40%] Use search",
        "1. [40 ％] Use search",
        "١. [٤٠٪] Use search",
        "1. [0,4] Use search",
        "1. [.4] Use search",
        "1. [+0.40] Use search",
        "1. [4e-1] Use search",
        "1. [ 0.4 ] Use search",
        "१. [०.४] Use search",
        "١. [٠٫٤] Use search",
        "1. [0.4] Use search\r",
        "1. [0.4]\nUse search",
        "1. [0.4] Use\n   search",
        "1. [0.4] Use\nsearch\n\nThese are all.",
        "Here is the rubric:\n\n1. [0.4] Use search\n\nI hope it helps [1].",
        "```markdown\n1. [0.4] Use search\n```\nDone.",
        "~~~\n# Rubric\n1. [0.4] Use search\n~~~",
        "## Rubric 1.\n- [0.4] Use search\n## Notes [sic]\nnothing",
    ],
)
def test_forms_that_mean_one_criterion(line: str) -> None:
    expected = "Use search"
    if line.startswith("１．［"):  # a full stop of full width inside the number is no decimal point
        with pytest.raises(RubricParseError, match="is not a number"):
            parse_rubric(line)
        line = line.replace("．４", ".４")
    assert read(line) == [(pytest.approx(0.4), expected)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1. [0.3] 应该搜索电影\n2. [0.7] 不要重复查询。", [(0.3, "应该搜索电影"), (0.7, "不要重复查询。")]),
        ("1、【0.5】先搜索\n2、【0.5】再回答", [(0.5, "先搜索"), (0.5, "再回答")]),
        ("١. [٠٫٥] ابحث أولا\n٢. [٠٫٥] ثم أجب", [(0.5, "ابحث أولا"), (0.5, "ثم أجب")]),
        ("1. [1] a\r\n2. [2] b\r3. [3] c\u20284. [4] d", [(1, "a"), (2, "b"), (3, "c"), (4, "d")]),
        ("1. [1] a\n  - with care\n  - and speed\n2. [2] b", [(1, "a - with care - and speed"), (2, "b")]),
        ("1. [1] Use `[0.5]` as it is", [(1, "Use `[0.5]` as it is")]),
        ("1. **[1]** Use **bold** words", [(1, "Use **bold** words")]),
        ("**1.** [1] Use **bold**", [(1, "Use **bold**")]),
        ("1. **[1] Lead:** Use **bold**", [(1, "Lead: Use **bold**")]),
        ("1. [1] price ≥ 5\n2. [1] price ≤ 5", [(1, "price ≥ 5"), (1, "price ≤ 5")]),
        ("1. [1] Search C++\n2. [1] Search C#", [(1, "Search C++"), (1, "Search C#")]),
        ("1. [1] a\n# Part two\ncontinued?\n2. [1] b", [(1, "a"), (1, "b")]),
        ("1. [0.5] a\n1. [0.5] b", [(0.5, "a"), (0.5, "b")]),
    ],
)
def test_lists_of_criteria(text: str, expected: list[tuple[float, str]]) -> None:
    assert read(text) == expected
    assert [criterion.id for criterion in parse_rubric(text)] == [f"c{n + 1}" for n in range(len(expected))]


MANY = "\n".join(f"{n}. [1] criterion {n}" for n in range(1, MAX_CRITERIA + 2))


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "there is no criterion in it"),
        ("sorry, cannot", 1, "there is no criterion in it"),
        ("I cannot help with that [1].\nSorry.", 1, "there is no criterion in it"),
        ("对不起，我不能。", 1, "there is no criterion in it"),
        ("```\n```", 1, "there is no criterion in it"),
        ("null", 1, "there is no criterion in it"),
        ('{"criteria": []}', 1, "there is no criterion in it"),
        ("1. Search for it", 1, "the list item has no weight in brackets"),
        ("Intro\n\n1. [1] a\n2. b", 4, "the list item has no weight in brackets"),
        ("1. [1] a\n- b", 2, "the list item has no weight in brackets"),
        ("1. Search for it [0.4]", 1, "the list item has no weight in brackets"),
        ("- [ ] Search", 1, "the weight [] is not a number"),
        ("1. [-.-] Search", 1, "the weight [-.-] is not a number"),
        ("1. [nan] Search", 1, "the weight [nan] is not a number"),
        ("1. [inf] Search", 1, "the weight [inf] is not a number"),
        ("1. [high] Search", 1, "the weight [high] is not a number"),
        ("1. [0x1] Search", 1, "the weight [0x1] is not a number"),
        ("1. [1_0] Search", 1, "the weight [1_0] is not a number"),
        ("1. [1,000.5] Search", 1, "the weight [1,000.5] is not a number"),
        ("1. [½] Search", 1, "the weight [½] is not a number"),
        ("- [Name](https://x.org)", 1, "the weight [Name] is not a number"),
        ("1. [0] Search", 1, "the weight [0] is not a positive number"),
        ("1. [0%] Search", 1, "the weight [0%] is not a positive number"),
        ("1. [-1] Search", 1, "the weight [-1] is not a positive number"),
        ("1. [1e999] Search", 1, "the weight [1e999] is not a positive number"),
        ("1. [1e-999] Search", 1, "the weight [1e-999] is not a positive number"),
        (f"1. [{'9' * 9999}] Search", 1, f"the weight [{'9' * 20}] is not a positive number"),
        ("1. [0.4]", 1, "the criterion has no text"),
        ("1. [0.4] a\n2. [0.6]\n\n", 2, "the criterion has no text"),
        ("1. **[0.4]**", 1, "the criterion has no text"),
        ("1. [1] Use search\n2. [1] use  SEARCH.", 2, "it repeats criterion 1"),
        ("1. [1] 应该搜索电影\n2. [1] 别的\n3. [1] 应该搜索电影。", 3, "it repeats criterion 1"),
        ("1. [1] ...\n2. [1] ...", 2, "it repeats criterion 1"),
        (MANY, MAX_CRITERIA + 1, "there are more than 50 criteria"),
        ("1. [1] ok\n2. [1] " + "x" * 601, 2, "the criterion is longer than 600 characters"),
        ("1. [1] ok\n" + "more and more\n" * 60, 1, "the criterion is longer than 600 characters"),
        ("| 1 | [0.4] | Search |", 1, "the weight stands behind an unknown mark"),
        ("1. [1] a\nNext criterion: [0.4] b", 2, "the weight stands behind an unknown mark"),
        ("2024 - [40 %] Search", 1, "the weight stands behind an unknown mark"),
        (b"1. [0.4] a\n2. [0.6] \xff", 2, "it is not UTF-8 text"),
        (b"1. [1] a\r\n\r\n\xc3", 3, "it is not UTF-8 text"),
        ("1. [1] a\n\n2. [1] \ud800", 3, "it holds half a character"),
    ],
)
def test_errors_name_line_and_reason(text: str | bytes, line: int, reason: str) -> None:
    with pytest.raises(RubricParseError) as caught:
        parse_rubric(text)
    assert (caught.value.line, caught.value.reason) == (line, reason)
    assert caught.value.remedy
    assert f"Line {line}" in str(caught.value)


def test_limits_themselves_are_allowed() -> None:
    longest = "x" * MAX_CRITERION_CHARS
    assert read(f"1. [1] {longest}") == [(1, longest)]
    assert len(parse_rubric("\n".join(MANY.splitlines()[:MAX_CRITERIA]))) == MAX_CRITERIA


def test_scope_and_source_are_kept() -> None:
    rubric = parse_rubric("1. [1] a", scope="answer", source="someone")
    assert rubric.scope == "answer"
    assert [c.provenance.source for c in rubric if c.provenance] == ["someone"]
    assert parse_rubric("1. [1] a").criteria[0].provenance is None


PIECES = st.sampled_from(
    [
        *"[]【】［］.,)(*_-+#>`~| \t\n\r\0０９٣٫%％",
        "1. ",
        "[0.4] ",
        "**",
        "\u200b",
        "\ufeff",
        "nan",
        "1e999",
        "①",
        "应该",
        "a",
    ]
)


@given(st.text(st.characters(codec=None)) | st.lists(PIECES, max_size=40).map("".join) | st.binary())
def test_anything_is_a_rubric_or_a_parse_error(text: str | bytes) -> None:
    try:
        rubric = parse_rubric(text)
    except RubricParseError as error:
        whole = text if isinstance(text, str) else text.decode(errors="replace")
        line, lines = error.line, len(whole.splitlines())
    else:
        line, lines = 1, 1
        assert 1 <= len(rubric) <= MAX_CRITERIA
        assert all(criterion.weight > 0 and criterion.text for criterion in rubric)
        assert rubric.lock
        # Reading is a projection: what was read, written out, reads the same.
        assert render_rubric(parse_rubric(render_rubric(rubric))) == render_rubric(rubric)
    assert 1 <= line <= max(1, lines)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece",
    [
        " ",
        "\t",
        "> ",
        "*",
        "**",
        "__",
        "#",
        "[",
        "1",
        "1.",
        "(",
        "\u200b",
        "- ",
        "[0.4",
        "[.",
        "a1",
        "．",
        "|",
    ],
)
def test_no_line_makes_reading_slow(piece: str) -> None:
    flood = piece * 50_000
    for text in (flood, f"1. [1] a\n{flood}x", f"1. [{flood}] a", f"1. {flood}", f"{flood}[0.4]{flood}"):
        try:
            parse_rubric(text)
        except RubricParseError:
            continue
