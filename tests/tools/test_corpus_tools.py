from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import coreact_tools
import pytest
from coreact_tools import corpus_tools, searching_tools
from coreact_tools.corpus import is_cut
from langchain_core.messages import ToolMessage

from coreact.worlds import Corpus, Passage

LONG = "Ouagadougou is the capital of Burkina Faso. " + "It is a large city with many markets. " * 30
PASSAGES = [
    Passage(id="g0012", title="Ouagadougou", text=LONG),
    Passage(id="g0013", title="", text="Kaduna is a city\nin Nigeria."),
    Passage(id="g0014", title="東京", text="東京は日本の首都です。" * 60),
]


def tools(**options: int) -> dict[str, object]:
    return {tool.name: tool for tool in corpus_tools(Corpus(PASSAGES), **options)}


def call(tool, **arguments: str) -> ToolMessage:
    message = tool.invoke({"name": tool.name, "args": arguments, "id": "1", "type": "tool_call"})
    assert isinstance(message, ToolMessage)
    return message


def test_search_shows_lines_and_returns_the_ids_shown():
    message = call(tools()["search"], query="city")
    lines = message.content.split("\n")
    assert [line.split()[0].strip("[]") for line in lines] == message.artifact
    assert sorted(message.artifact) == ["g0012", "g0013"]
    assert "[g0013] Kaduna is a city in Nigeria." in lines
    assert any(line.startswith("[g0012] Ouagadougou: Ouagadougou is the capital") for line in lines)


def test_cut_text_is_marked_and_whole_text_is_not():
    message = call(tools(snippet_chars=60)["search"], query="Ouagadougou")
    shown = message.content.removeprefix("[g0012] Ouagadougou: ")
    assert shown.endswith("…")
    assert len(shown) <= 60
    assert LONG.startswith(shown[:-1])
    assert LONG[len(shown) - 1] == " "  # Cut at the end of a word.
    assert "…" not in call(tools(snippet_chars=60)["search"], query="Nigeria").content


def test_text_without_spaces_is_cut_too():
    shown = call(tools(snippet_chars=60)["search"], query="日本").content.removeprefix("[g0014] 東京: ")
    assert len(shown) == 60
    assert shown.endswith("…")


def test_read_shows_the_whole_passage():
    message = call(tools(snippet_chars=10)["read"], passage_id="g0012")
    assert message.content == f"[g0012] Ouagadougou: {LONG.strip()}"
    assert message.artifact == ["g0012"]
    assert call(tools()["read"], passage_id=" [g0012] ").artifact == ["g0012"]


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("search", {"query": "zzz"}, "Try other words"),
        ("search", {"query": "  "}, "query is empty"),
        ("read", {"passage_id": "g9999"}, "No passage has the id 'g9999'"),
    ],
)
def test_nothing_found_is_advice(name, arguments, says):
    message = call(tools()[name], **arguments)
    assert says in message.content
    assert message.artifact == []
    assert message.status == "success"


def test_reading_is_offered_where_a_search_cuts_something():
    short = [Passage(id="a", title="", text="words  \n" * 60), Passage(id="b", title="", text="A city.")]
    assert len(short[0].text) > 400, "blanks are not shown, so nothing of it is cut"
    for passages, chars, names in (
        (PASSAGES, 400, ["search", "read"]),
        (short, 400, ["search"]),
        (short, 6, ["search", "read"]),
    ):
        made = searching_tools(Corpus(passages), passages, snippet_chars=chars)
        assert [tool.name for tool in made] == names
        cut = {passage.id for passage in passages if is_cut(passage.text, chars)}
        shown = call(made[0], query="words city 日本").content.split("\n")
        assert {line[1:].split("]")[0] for line in shown if line.endswith("…")} == cut


def test_k_bounds_a_search():
    assert len(call(tools(k=1)["search"], query="city").artifact) == 1
    for options in ({"k": 0}, {"snippet_chars": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            tools(**options)


def test_schema_and_metadata():
    made = tools()
    assert made["search"].metadata == {"role": "search", "read_only": True, "cost": 0.0}
    assert made["read"].metadata == {"role": "read", "read_only": True, "cost": 0.0}
    for name, argument in (("search", "query"), ("read", "passage_id")):
        schema = made[name].tool_call_schema.model_json_schema()
        assert schema["required"] == [argument]
        assert schema["properties"][argument]["type"] == "string"
        assert schema["properties"][argument]["description"]


async def test_async_calls_give_the_same():
    made = tools()
    assert await made["search"].ainvoke({"query": "Nigeria"}) == made["search"].invoke({"query": "Nigeria"})


@dataclass
class OwnPassage:
    id: str
    title: str
    text: str


@dataclass
class OwnHit:
    passage: OwnPassage


class OwnCorpus:
    def search(self, query: str, k: int) -> list[OwnHit]:
        return [OwnHit(OwnPassage("x", "T", query))][:k]

    def passage(self, passage_id: str) -> OwnPassage | None:
        return None


def test_any_corpus_will_do():
    search, read = corpus_tools(OwnCorpus())
    assert search.invoke({"query": "hello"}) == "[x] T: hello"
    assert "No passage" in read.invoke({"passage_id": "x"})


def test_the_tools_do_not_import_the_library():
    sources = sorted(Path(coreact_tools.__file__).parent.rglob("*.py"))
    assert len(sources) > 10
    wrong = [
        one for one in sources if re.search(r"^\s*(?:from|import) coreact\b", one.read_text("utf-8"), re.M)
    ]
    assert wrong == []
