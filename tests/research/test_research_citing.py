"""Citations: keys for code, numbers for people, and none that leads nowhere."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from coreact.host.messages import StateReader
from coreact.judge.grounding import audit
from coreact.research import Document, documents, numbered, resolve
from coreact.rubric import State


def seen(text: str, artifact: Any = None, *, id: str = "m1", **more: Any) -> list[AnyMessage]:  # noqa: A002
    call = {"name": "search", "args": {"query": "x"}, "id": f"c-{id}"}
    return [
        AIMessage("", tool_calls=[call]),
        ToolMessage(text, artifact=artifact, tool_call_id=f"c-{id}", id=id, **more),
    ]


def read(*messages: list[AnyMessage]) -> tuple[tuple[Document, ...], State]:
    flat = [message for some in messages for message in some]
    state = StateReader().read([HumanMessage("Where?"), *flat])
    return documents(flat, state), state


TWO = seen("[p1] Kingston: It is the capital of Jamaica.\n[p2] Gold: Gold is a metal.", ["p1", "p2"])
PAGE = seen("The page says that gold is heavy.", id="m2")
WEB = seen("https://a.example/x\nA page on gold that says it is heavy.", ["https://a.example/x"], id="m3")


def test_documents_are_what_tools_name_or_the_whole_result() -> None:
    known, _ = read(TWO, PAGE, WEB)
    assert [(one.number, one.key, one.messages) for one in known] == [
        (1, "p1", ("m1",)),
        (2, "p2", ("m1",)),
        (3, "m2", ("m2",)),
        (4, "https://a.example/x", ("m3",)),
    ]
    assert known[0].text == "[p1] Kingston: It is the capital of Jamaica."
    assert known[2].text == "The page says that gold is heavy."


def test_ids_that_read_as_one_label_give_way_to_the_message() -> None:
    known, state = read(
        seen("[a-1] Kingston: It is the capital.\n[A.1] Gold: Gold is a metal.", ["a-1", "A.1"])
    )
    assert [(one.key, one.messages) for one in known] == [("m1", ("m1",))]
    assert resolve("It is the capital [1].", known, state).text == "It is the capital [m1]."


def test_errors_refusals_and_empty_results_are_no_documents() -> None:
    refused = seen("No.", id="r", additional_kwargs={"lc_source": "coreact"})
    known, _ = read(seen("boom", id="e", status="error"), seen("Nothing fits.", [], id="n"), refused)
    assert known == ()


def test_a_document_that_was_shown_twice_is_one() -> None:
    known, _ = read(TWO, seen("[p1] Kingston: It is the capital of Jamaica.", ["p1"], id="m9"))
    assert [(one.key, one.messages) for one in known] == [("p1", ("m1", "m9")), ("p2", ("m1",))]


@pytest.mark.parametrize("key", ["12", "a,b", "x" * 81, "never shown"])
def test_ids_that_cannot_be_cited_give_way_to_the_message(key: str) -> None:
    known, _ = read(seen(f"[{key[:80]}] Gold: Gold is heavy." if key != "never shown" else "Gold.", [key]))
    assert [one.key for one in known] == ["m1"]


@pytest.mark.parametrize(
    ("text", "resolved", "invented"),
    [
        ("Gold is a metal [2].", "Gold is a metal [p2].", ()),
        ("Gold is a metal [p2].", "Gold is a metal [p2].", ()),
        ("Both [1, 2].", "Both [p1][p2].", ()),
        ("Heavy [3] and [4].", "Heavy [m2] and [4](https://a.example/x).", ()),
        ("Gold is blue [9].", "Gold is blue.", ("[9]",)),
        ("Gold is blue [1, 9].", "Gold is blue [p1].", ("[9]",)),
        ("Gold is blue [p77].", "Gold is blue .", ("[p77]",)),
        ("See https://evil.example/y now.", "See  now.", ("https://evil.example/y",)),
        ("See [this](https://evil.example/y) now.", "See this now.", ("[this](https://evil.example/y)",)),
        (
            "An address https://a.example/x that was seen.",
            "An address https://a.example/x that was seen.",
            (),
        ),
        ("He said [sic] that `a[9]` is [...] gold.", "He said [sic] that `a[9]` is [...] gold.", ()),
        ("Give [3H]thymidine.", "Give [3H]thymidine.", ()),
        ("Gold is a metal [2].\n\n## References\n\n[2] My own list", "Gold is a metal [p2].", ()),
    ],
)
def test_resolving(text: str, resolved: str, invented: tuple[str, ...]) -> None:
    known, state = read(TWO, PAGE, WEB)
    found = resolve(text, known, state)
    assert found.text.replace(" .", ".") == resolved.replace(" .", ".")
    assert found.invented == invented


def test_numbers_come_in_the_order_of_citing_and_lead_back() -> None:
    known, state = read(TWO, PAGE, WEB)
    text = resolve(
        "It is heavy [4]. Gold is a metal [2]. It is heavy, says a page [3][4].", known, state
    ).text
    final = numbered(text, known, state)
    assert final == (
        "It is heavy [1]. Gold is a metal [2]. It is heavy, says a page [3][1].\n\n## Sources\n\n"
        "[1] https://a.example/x\n[2] [p2]\n[3] [m2]"
    )
    cited = [[one.key for one in claim.citations] for claim in audit(final, state).claims]
    assert cited == [["https://a.example/x"], ["p2"], ["m2", "https://a.example/x"]]


def test_a_text_without_citations_gets_no_list() -> None:
    known, state = read(TWO)
    assert numbered("Nothing was found.", known, state) == "Nothing was found."


@given(
    st.lists(
        st.one_of(
            st.sampled_from(["Gold is a metal", " ", ". ", "[sic]", "\n\n", "## Sources\n", "`x`"]),
            st.integers(1, 12).map(lambda n: f"[{n}]"),
            st.sampled_from(
                ["[p1]", "[p9]", "https://evil.example/y", "https://a.example/x", "[m2]", "[1](x)"]
            ),
        ),
        max_size=12,
    )
)
def test_nothing_invented_is_left_and_resolving_again_changes_nothing(parts: list[str]) -> None:
    known, state = read(TWO, PAGE, WEB)
    once = resolve("".join(parts), known, state)
    assert "evil.example" not in once.text
    assert "[p9]" not in once.text
    assert not audit(numbered(once.text, known, state), state).standing("invented")
    again = resolve(once.text, known, state)
    assert again.invented == ()


@pytest.mark.parametrize(
    ("text", "resolved", "invented"),
    [
        ("Big [study](www.made-up.org/x) [1].", "Big study [p1].", ("[study](www.made-up.org/x)",)),
        ("So [a](doi:10.1/x) is.", "So a is.", ("[a](doi:10.1/x)",)),
        ("Go [here](javascript:alert(1)).", "Go here.", ("[here](javascript:alert(1))",)),
        ("![cat](https://evil.example/?q=1) It.", "cat It.", ("![cat](https://evil.example/?q=1)",)),
        ("![gold](https://a.example/x) It.", "gold It.", ()),
        ("Code `[x](y)` stays.", "Code `[x](y)` stays.", ()),
        ("Said [here](https://a.example/x).", "Said [here](https://a.example/x).", ()),
    ],
)
def test_links_and_images_that_show_nothing_observed_are_taken_out(
    text: str, resolved: str, invented: tuple[str, ...]
) -> None:
    known, state = read(TWO, PAGE, WEB)
    assert resolve(text, known, state) == (resolved, invented)


def test_hostile_brackets_cost_their_length() -> None:
    known, state = read(TWO)
    for text in ("[" * 20_000, "![a](" * 8_000, "[a](" + "(" * 20_000, "[a](" + "x()" * 9_000):
        assert len(resolve(text, known, state).text) <= len(text)
