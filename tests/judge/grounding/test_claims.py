"""Answers taken apart: what is a claim, what it cites, where it stands; for any text, in linear steps."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.errors import MissingExtraError
from coreact.judge.grounding.claims import sentences, split

U = "https://a.org/x"


def cited(answer: str, **known: object) -> list[tuple[str, tuple[str, ...]]]:
    return [(claim.text, claim.cites) for claim in split(answer, **known).claims]  # type: ignore[arg-type]


# --- what is a claim ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "claims"),
    [
        ("It rained. It poured.", ["It rained.", "It poured."]),
        ("Dr. Smith moved to the U.S. in 1990.", ["Dr. Smith moved to the U.S. in 1990."]),
        ("He paid $3.50, e.g. for tea. See Fig. 3.", ["He paid $3.50, e.g. for tea.", "See Fig. 3."]),
        ("J. K. Rowling wrote it. It sold.", ["J. K. Rowling wrote it.", "It sold."]),
        ("It is v1.2.3 of x.py. Yes.", ["It is v1.2.3 of x.py.", "Yes."]),
        ("这座坝很高。它建于1936年。", ["这座坝很高。", "它建于1936年。"]),
        ("これは文です。次です。", ["これは文です。", "次です。"]),
        ("वह आया। वह गया।", ["वह आया।", "वह गया।"]),
        ("- One.\n- Two\n* Three", ["One.", "Two", "Three"]),
        ("1. One.\n2) Two\n(3) Three", ["One.", "Two", "Three"]),
        ("# Title\n\nText.", ["Text."]),
        ("**Title**\n\nText.", ["Text."]),
        ("Title\n=====\nText.", ["Text."]),
        ("Text.\n\n---\n\nMore.", ["Text.", "More."]),
        ("> Quoted text.\n> More.", ["Quoted text.", "More."]),
        ("| a | b |\n|---|:-:|\n| x. y | 3 |", ["x. y 3"]),
        ("```python\nx = 1. y\n```\nText.", ["Text."]),
        ("```markdown\n# T\nHello there.\n```", ["Hello there."]),
        ("```\nnever closed. So it is text.", ["never closed.", "So it is text."]),
        ("Why is it so? Because.", ["Because."]),
        ("The causes are:\n- Rain.", ["Rain."]),
        ("Name: X\nBorn: 1936", ["Name: X", "Born: 1936"]),
        (
            "This line was wrapped by somebody's editor at some column or other\nand goes on here.",
            ["This line was wrapped by somebody's editor at some column or other and goes on here."],
        ),
        ("It is **very** _high_ and ~~low~~ `ok.x`.", ["It is very _high_ and low ok.x."]),
        ("Torpedo boats", ["Torpedo boats"]),
        ("", []),
        (" \n\t\n", []),
        ("***\n???\n🎉", []),
    ],
)
def test_claims(answer: str, claims: list[str]) -> None:
    assert [text for text, _ in cited(answer)] == claims


# --- what it cites -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "claims"),
    [
        (f"It is high ({U}).", [("It is high.", (U,))]),
        (f"It is high <{U}>. Low.", [("It is high.", (U,)), ("Low.", ())]),
        (f"The [dam]({U}) is high.", [("The dam is high.", (U,))]),
        (f'The [dam]({U} "A title") is high.', [("The dam is high.", (U,))]),
        (f"[CNN]({U}) says so. Yes.", [("CNN says so.", (U,)), ("Yes.", ())]),
        (f"It is high. [CNN]({U}) says so.", [("It is high.", ()), ("CNN says so.", (U,))]),
        (f"It is high. ([CNN]({U})) It is low.", [("It is high.", (U,)), ("It is low.", ())]),
        (f"It is high. [CNN]({U})", [("It is high.", (U,))]),
        (f"It is high [1]({U}), [[2]]({U}). Low.", [("It is high.", (U,)), ("Low.", ())]),
        (f"It is high. See {U}.", [("It is high.", (U,))]),
        (f"It is high, as {U} says.", [("It is high, as says.", (U,))]),
        (f"- It is high.\n  Source: [CNN]({U})\n- Low.", [("It is high.", (U,)), ("Low.", ())]),
        (f"It is **{U}** and *high*, or <{U}>.", [("It is and high, or.", (U,))]),
        (f"The causes are ({U}):\n- Rain.", [("The causes are:", (U,)), ("Rain.", ())]),
        (f"Is it high ({U})?", [("Is it high?", (U,))]),
        (f"它很高（{U}）。它很低。", [("它很高。", (U,)), ("它很低。", ())]),
        (f"参见{U}。它很低。", [("参见。", (U,)), ("它很低。", ())]),
        ("See https://en.org/A_(b).", [("See.", ("https://en.org/A_(b)",))]),
        ("A (see https://en.org/A_(b)).", [("A (see).", ("https://en.org/A_(b)",))]),
        (f"![a picture]({U}) Text.", [("![a picture](https://a.org/x) Text.", ())]),
        (f"Run `curl {U}` now.", [(f"Run curl {U} now.", ())]),
    ],
)
def test_addresses(answer: str, claims: list[tuple[str, tuple[str, ...]]]) -> None:
    assert cited(answer) == claims


LIST = """

## References
[1] Smith. https://a.org/1
[2] https://a.org/2
3. [Jones](https://a.org/3)
[^n]: https://a.org/n"""


@pytest.mark.parametrize(
    ("marks", "numbers"),
    [
        ("[1]", "1"),
        ("[1][2]", "12"),
        ("[1, 3]", "13"),
        ("[1-3]", "123"),
        ("[1–2], [3]", "123"),
        ("[^n]", "n"),
        ("[^1]", "1"),
        ("【2†source】", "2"),
        ("【2:0†file.md】", "2"),
        ("[1] [1]", "1"),
        ("[9]", None),
    ],
)
@pytest.mark.parametrize("shape", ["High {}. Low.", "High.{} Low.", "High. {} Low."])
def test_marks_stand_for_entries_of_the_reference_list(marks: str, numbers: str | None, shape: str) -> None:
    first, *_ = cited(shape.format(marks) + LIST)
    assert first[1] == (("[9]",) if numbers is None else tuple(f"https://a.org/{n}" for n in numbers))
    assert cited(shape.format(marks) + LIST)[-1] == ("Low.", ())


@pytest.mark.parametrize("bracket", ["[0, 1]", "[sic]", "`a[1]`", "[1", "1]", "[1.5]", "[]", "[^ ]"])
def test_other_brackets_are_none(bracket: str) -> None:
    assert cited(f"High {bracket} so. Low." + LIST)[0][1] == ()


def test_a_mark_at_the_very_start_belongs_to_the_first_sentence() -> None:
    assert cited("[1] It is high. Low." + LIST) == [("It is high.", ("https://a.org/1",)), ("Low.", ())]


@pytest.mark.parametrize(
    ("answer", "cites"),
    [
        ("High [o1].", ("o1",)),
        ("High [O1, o2].", ("O1", "o2")),
        ("High [o1, aside].", ()),
        ("High [sic].", ()),
        ("High [3].", ("[3]",)),
    ],
)
def test_observed_labels_are_citations_and_other_words_in_brackets_are_not(
    answer: str, cites: tuple[str, ...]
) -> None:
    assert cited(answer, labels={"o1", "o2"})[0][1] == cites


def test_a_number_that_is_not_in_the_reference_list_is_no_observed_label() -> None:
    assert cited("High [9]." + LIST, labels={"9"})[0][1] == ("[9]",)
    assert cited("High [9].", labels={"9"})[0][1] == ("9",)


# --- the reference list --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tail", "entries"),
    [
        ("## References\n[1] A. https://a.org/1\n[2] B", [("1", ("https://a.org/1",)), ("2", ("B",))]),
        ("**Sources:**\n1. https://a.org/1\n2. B", [("1", ("https://a.org/1",)), ("2", ("B",))]),
        (
            "Sources\n- https://a.org/1\n- *Dune*, 1965.",
            [(None, ("https://a.org/1",)), (None, ("Dune, 1965",))],
        ),
        ("参考文献：\n[1] https://a.org/1", [("1", ("https://a.org/1",))]),
        ("Sources: [A](https://a.org/1), https://a.org/2", [(None, ("https://a.org/1", "https://a.org/2"))]),
        ("[1]: https://a.org/1", [("1", ("https://a.org/1",))]),
        ("[^1]: See https://a.org/1.", [("1", ("https://a.org/1",))]),
        ("[1] https://a.org/1\n[2] B", [("1", ("https://a.org/1",)), ("2", ("B",))]),
        (
            "## References\n[1] A very long title\n    that goes on. https://a.org/1",
            [("1", ("https://a.org/1",))],
        ),
        ("## References\n[1] Passage [o1]", [("1", ("o1",))]),
    ],
)
def test_reference_lists_are_read_and_are_no_claims(
    tail: str, entries: list[tuple[str | None, tuple[str, ...]]]
) -> None:
    report = split(f"It is high [1].\n\n{tail}", labels={"o1"})
    assert [(reference.label, reference.keys) for reference in report.references] == entries
    assert [claim.text for claim in report.claims] == ["It is high."]
    assert report.body.strip() == "It is high [1]."


def test_text_after_a_reference_list_is_read_again() -> None:
    answer = "High.\n\n## References\n[1] A\n\n## Notes\nLow [1].\n\nSources:\n- B\n\nIt goes on."
    report = split(answer)
    assert [claim.text for claim in report.claims] == ["High.", "Low.", "It goes on."]
    assert [reference.text for reference in report.references] == ["A", "B"]


def test_an_answer_without_a_reference_list_is_its_own_body() -> None:
    assert split("High [1].\n\nLow.\n").body == "High [1].\n\nLow.\n"


def test_a_line_of_sources_without_a_claim_before_it_is_dropped() -> None:
    assert split("…\nSource: [1]").claims == ()


def test_a_lone_labelled_line_is_a_claim_and_no_reference_list() -> None:
    report = split("[1] The dam is high.")
    assert [claim.text for claim in report.claims] == ["The dam is high."]
    assert report.references == ()


# --- laws --------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    "The dam is high. ;It is low;。;它很高;[1]; [2, 3] ;[t](https://a.org/x);https://a.org/x; ".split(";")
    + "- ;1. ;# ;> ;```\n;| a | b |\n;|---|\n;References\n;[1] ;Source: ;e.g. ".split(";")
    + ["**", "`", "[", "](", "(", ")", "?", ":", "🎉", "\n", "\n\n", "\ud800", "\u200b", "\u2028"]
)
ANSWERS = st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=80)


@given(ANSWERS)
def test_claims_stand_in_order_where_they_say(answer: str) -> None:
    report = split(answer)
    last = 0
    for number, claim in enumerate(report.claims, 1):
        assert claim.id == f"c{number}"
        assert last <= claim.start < claim.end <= len(answer)
        written = answer[claim.start : claim.end]
        assert written == written.strip()
        assert claim.text
        assert "\n" not in claim.text
        # Every letter of the claim stands in its stretch, in order.
        letters = iter(written)
        assert all(char in letters for char in claim.text if char.isalnum())
        last = claim.end
    assert len(report.body) <= len(answer)


@given(st.text(max_size=300))
def test_sentences_cover_the_text_in_order(text: str) -> None:
    spans = sentences(text)
    assert all(start < end for start, end in spans)
    assert all(left[1] <= right[0] for left, right in pairwise(spans))
    covered = "".join(text[start:end] for start, end in spans)
    assert "".join(covered.split()) == "".join(text.split())


@pytest.mark.parametrize("size", [3999, 4000, 4001, 9000])
def test_sentences_around_the_edge_of_a_window_stay_whole(size: int) -> None:
    text = "a" * (size - 10) + " is high. It is low. And so on."
    assert [text[start:end].strip() for start, end in sentences(text)][-2:] == ["It is low.", "And so on."]


HOSTILE = (
    """“ | [1] | [ | ` | >  | (x | -  | ( | https://a( | [a](https://x | *  | ```\n | # | 【1† | **a""".split(
        " | "
    )
)


def steps_of(answer: str) -> int:
    """Lines of these modules that run for an answer: a measure of work that no machine changes."""
    count = 0

    def tracer(frame: Any, event: str, arg: object) -> Any:
        nonlocal count
        if "grounding" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return tracer

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        split(answer)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("piece", ["The dam is high [1]. ", "It is.\n\n", *HOSTILE])
def test_work_grows_with_the_length_and_not_with_its_square(piece: str) -> None:
    small, large = steps_of(piece * 200), steps_of(piece * 800)
    assert large <= 5 * small + 200


def test_a_long_report_is_taken_apart() -> None:
    answer = "The dam is high. [1] It was built in 1936 ([site](https://a.b/c)).\n\n" * 3000
    report = split(answer)
    assert len(report.claims) == 6000
    assert report.claims[-1].cites == ("https://a.b/c",)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentencex", None)
    with pytest.raises(MissingExtraError, match=r"coreact\[judge\]"):
        split("It rained.")
