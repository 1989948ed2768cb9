"""What citations lead to: standings, and the stretches of observations that belong to a source."""

from __future__ import annotations

import pytest

from coreact.judge.grounding.sources import Passage, Sources, place
from coreact.rubric import Observation, State, Step, ToolCall, ToolContract

TOOLS = (
    ToolContract(name="search", role="search"),
    ToolContract(name="read", role="read"),
    ToolContract(name="other"),
)


def taken(tool: str, argument: str, text: str | None, *, failed: bool = False, id: str = "") -> Step:  # noqa: A002
    observation = None if text is None else Observation(text=text, failed=failed, id=id)
    return Step(
        call=ToolCall(name=tool, arguments={"x": argument}, id=f"call-{tool}"), observation=observation
    )


def sources(*steps: Step, question: str = "q") -> Sources:
    return Sources(State.start(question, tools=TOOLS).after(*steps))


RESULTS = """Dams of the Elbe
https://a.org/dam
The dam was finished in 1936 by engineers.

Other dams
https://b.org/dam
The other dam was finished in 1938."""


@pytest.mark.parametrize(
    ("key", "standing"),
    [
        ("https://a.org/dam", "opened"),
        ("http://www.A.org/dam/", "opened"),
        ("https://a.org/dam?utm_source=x#part", "opened"),
        ("https://a.org/dam?page=2", "invented"),
        ("https://b.org/dam", "never_opened"),
        ("https://c.org/linked", "never_opened"),
        ("https://q.org/asked", "never_opened"),
        ("https://d.org/gone", "dead"),
        ("https://e.org/pending", "invented"),
        ("https://f.org/none", "invented"),
        ("https://g.org/searched", "invented"),
        ("https://h.org/twice", "opened"),
        ("m7", "opened"),
        ("observation-1", "opened"),
        ("Dams of the Elbe", "never_opened"),
        ("A Book Nobody Saw", "invented"),
        ("[7]", "invented"),
        ("", "invented"),
        ("...", "invented"),
    ],
)
def test_standing(key: str, standing: str) -> None:
    found = sources(
        taken("search", "dams", RESULTS),
        taken("read", "https://a.org/dam", "The dam. See https://c.org/linked.", id="m7"),
        taken("read", "https://d.org/gone", "404 for https://d.org/gone", failed=True),
        taken("read", "https://e.org/pending", None),
        taken("search", "https://g.org/searched", "nothing found"),
        taken("read", "https://h.org/twice", "busy", failed=True),
        taken("read", "https://h.org/twice", "here it is"),
        question="What does https://q.org/asked say?",
    )
    assert found.find(key).standing == standing
    assert found.find(key).key == key


LINES = "[o1] Dune: A novel of 1965 by Herbert.\n[o2] Arrakis: A desert planet in that novel.\n[o3] X"


def test_a_result_that_was_never_opened_is_its_own_line_or_paragraph() -> None:
    found = sources(taken("search", "dune", LINES), taken("search", "dams", RESULTS))
    assert found.labels == {"o1", "o2", "o3", "call search", "observation 1", "observation 2"}
    (line,) = found.find("o2").passages
    assert line == Passage(0, "observation-1", LINES.splitlines()[1], LINES.index("[o2]"), pure=True)
    (paragraph,) = found.find("https://b.org/dam").passages
    assert paragraph.text == RESULTS[RESULTS.index("Other") :]
    assert RESULTS[paragraph.start :] == paragraph.text
    assert paragraph.pure


def test_a_paragraph_of_several_results_is_not_pure() -> None:
    text = "A\nhttps://a.org/1\nSnippet of the first result here.\nB\nhttps://b.org/2\nSnippet two."
    (passage,) = sources(taken("search", "x", text)).find("https://b.org/2").passages
    assert (passage.text, passage.pure) == (text, False)


def test_reading_by_label_opens_and_adds_the_whole_page() -> None:
    found = sources(taken("search", "dune", LINES), taken("read", "[O1]", "[o1] Dune: the whole text."))
    source = found.find("o1")
    assert source.standing == "opened"
    assert [passage.text for passage in source.passages] == [
        LINES.splitlines()[0],
        "[o1] Dune: the whole text.",
    ]


def test_footnotes_inside_a_page_are_no_labels() -> None:
    found = sources(taken("read", "https://a.org", "It is high.[1] Some say low [2].\n [3] Third."))
    assert {"1", "2"}.isdisjoint(found.labels)
    assert "3" in found.labels


def test_a_tool_that_nobody_declared_opens_what_it_names() -> None:
    assert sources(taken("other", "https://a.org", "text")).find("https://a.org/").standing == "opened"


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("https://a.org/x", "http://www.a.org/x/", True),
        ("https://a.org/x?b=1&utm_medium=y", "https://a.org/x?b=1", True),
        ("https://a.org/x?b=1", "https://a.org/x?b=2", False),
        ("https://a.org/x", "https://a.org/X", False),
        ("https://a.org/x", "https://b.org/x", False),
    ],
)
def test_places(left: str, right: str, same: bool) -> None:
    assert (place(left) == place(right)) is same


def test_an_address_that_cannot_be_read_is_compared_as_it_stands() -> None:
    assert place("https://[::1") == "//https://[::1"


def test_where_a_sentence_comes_from() -> None:
    found = sources(taken("search", "x", RESULTS), taken("read", "https://a.org/dam", RESULTS))
    first, second = RESULTS.index("1936"), RESULTS.index("1938")
    assert found.origin(0, first) != found.origin(0, second)
    assert found.origin(1, first) == found.origin(1, second) == "observation-2"
    assert found.origin(0, 0) == "observation-1"
