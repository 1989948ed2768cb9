from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from coreact_tools import PassageIndex, PassageIndexError, _words, corpus_tools
from coreact_tools import index as index_module
from hypothesis import given, settings
from hypothesis import strategies as st

from coreact.worlds import Corpus, Passage
from coreact.worlds import _words as world_words

_ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
WORDS = st.sampled_from("river Rivers Łódź 東京都 the of capital city café Café ocean's ox 12 Å".split())
TEXTS = st.lists(WORDS, max_size=6).map(" ".join)
PASSAGES = [
    Passage(id="p2", title="Ouagadougou", text="The capital of Burkina Faso."),
    Passage(id="p10", title="Łódź", text="A city in Poland with many mills."),
    Passage(id="p1", title="Tokyo", text="東京都 is the capital of Japan."),
    Passage(id="é", title="", text="Mills and capitals."),
]


@given(st.text())
def test_words_are_cut_as_in_the_worlds(text):
    assert _words.words(text) == world_words.words(text)
    assert _words.query_words(text) == world_words.query_words(text)


@settings(max_examples=15)
@given(
    st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=12), st.lists(TEXTS, min_size=1, max_size=4),
    st.integers(1, 5), st.booleans(),
)  # fmt: skip
def test_finds_what_a_corpus_in_memory_finds(tmp_path_factory, texts, queries, k, in_memory):
    passages = [Passage(id=f"p{at}", title=title, text=f"{text}.") for at, (title, text) in enumerate(texts)]
    folder = tmp_path_factory.mktemp("indexes") / "index"
    if not any(_words.words(f"{one.title} {one.text}") for one in passages):
        with pytest.raises(PassageIndexError, match="no passage has a word"):
            PassageIndex.build(folder, passages)
        return
    PassageIndex.build(folder, passages).close()
    corpus = Corpus(passages)
    with PassageIndex.open(folder, in_memory=in_memory) as index:
        assert len(index) == len(passages)
        for query in queries:
            found = [(hit.passage.id, pytest.approx(hit.score)) for hit in index.search(query, k)]
            assert found == [(hit.passage.id, hit.score) for hit in corpus.search(query, k)]
        for passage in passages:
            assert index.passage(passage.id) == (passage.id, passage.title, passage.text)
        for unknown in ("", "p", "p99", "zzz", "東"):
            assert index.passage(unknown) is None


def test_equal_scores_are_in_the_order_of_ids_whatever_the_order_of_writing(tmp_path):
    passages = [{"id": one, "text": "the same words"} for one in ("b", "c", "a", "B", "ä")]
    with PassageIndex.build(tmp_path / "i", passages) as index:
        assert [hit.passage.id for hit in index.search("words", 3)] == ["B", "a", "b"]
        assert [hit.passage.id for hit in index.search("words", 99)] == ["B", "a", "b", "c", "ä"]
        assert index.search("nothing of this") == ()
        with pytest.raises(ValueError, match="at least 1"):
            index.search("words", 0)


@pytest.mark.parametrize("kind", ["objects", "mappings", "lines", "tuples"])
def test_passages_come_in_any_of_these_forms(tmp_path, kind):
    if kind == "lines":
        file = tmp_path / "passages.jsonl"
        rows = [json.dumps(one.model_dump(include={"id", "title", "text"})) for one in PASSAGES]
        file.write_text("\n\n".join(rows) + "\n\n", encoding="utf-8")
        with file.open(encoding="utf-8") as lines:
            index = PassageIndex.build(tmp_path / "deep" / "index", lines)
    else:
        named = namedtuple("Named", "id title text")
        made = {
            "objects": PASSAGES,
            "mappings": [one.model_dump() for one in PASSAGES],
            "tuples": [named(one.id, one.title, one.text) for one in PASSAGES],
        }
        index = PassageIndex.build(tmp_path / "index", iter(made[kind]))
    with index:
        assert [hit.passage.id for hit in index.search("capital", 9)] == ["é", "p2", "p1"]
        assert index.passage("p10").title == "Łódź"


@pytest.mark.parametrize(
    ("rows", "line", "says"),
    [
        (['{"id": "a", "text": "x"}', "{"], 2, "no JSON"),
        (['{"id": "a", "text": "x"}', "", '{"id": "b"}'], 3, "no passage"),
        (['{"id": "", "text": "x"}'], 1, "no passage"),
        (['{"id": 7, "text": "x"}'], 1, "no passage"),
        (['{"id": "a", "title": null, "text": "x"}'], 1, "no passage"),
        (["[1, 2]"], 1, "no passage"),
        (['{"id": "a", "text": "x"}', '{"id": "a", "text": "y"}'], 2, "taken twice"),
        (['{"id": "a", "text": "x \\ud800"}'], 1, "half a surrogate"),
        (["[" * 100_000], 1, "no JSON"),
        ([], None, "no passages"),
        (['{"id": "a", "text": "?!"}'], None, "no passage has a word"),
    ],
)
def test_bad_passages_are_named_by_line_and_leave_nothing(tmp_path, rows, line, says):
    with pytest.raises(PassageIndexError, match=says) as raised:
        PassageIndex.build(tmp_path / "index", rows)
    assert raised.value.line == line
    assert raised.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_bad_encoding_is_named_by_line(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b'{"id": "a", "text": "x"}\n' + '{"id": "b", "text": "é"}'.encode("latin-1"))
    with file.open(encoding="utf-8") as lines, pytest.raises(PassageIndexError, match="utf-8") as raised:
        PassageIndex.build(tmp_path / "index", lines)
    assert raised.value.line in (1, 2)  # Files are decoded ahead of their lines.


def test_an_error_in_the_middle_of_the_passages_leaves_nothing(tmp_path):
    def broken():
        yield PASSAGES[0]
        raise RuntimeError("the database went away")

    with pytest.raises(RuntimeError, match="went away"):
        PassageIndex.build(tmp_path / "index", broken())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_not_touched(tmp_path):
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "thesis.txt").write_text("mine")
    with pytest.raises(PassageIndexError, match="something here already"):
        PassageIndex.build(tmp_path / "index", PASSAGES)
    assert [one.name for one in (tmp_path / "index").iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PassageIndexError, match="cannot be made"):
        PassageIndex.build(tmp_path / "file" / "index", PASSAGES)


def test_killed_in_the_middle_there_is_no_index_and_importing_changed_nothing(tmp_path):
    code = """if True:
        import logging, os, sys
        from coreact_tools import PassageIndex
        heavy = {"numpy", "bm25s", "mcp", "hishel", "trafilatura", "coreact"} & set(sys.modules)
        def passages():
            yield {"id": "a", "text": "words"}
            print(sorted(heavy), logging.getLogger("bm25s").level, flush=True)
            os._exit(9)
        PassageIndex.build(sys.argv[1], passages())
    """
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "index"], capture_output=True, text=True, env=_ENVIRONMENT
    )
    assert (done.returncode, done.stdout) == (9, f"[] {logging.NOTSET}\n"), done.stderr
    assert [one.name[:18] for one in tmp_path.iterdir()] == [".index.unfinished-"]
    with pytest.raises(PassageIndexError, match="no such folder"):
        PassageIndex.open(tmp_path / "index")
    with pytest.raises(PassageIndexError, match="no index here"):
        PassageIndex.open(next(tmp_path.iterdir()))


def damage_nothing(folder: Path) -> None:
    pass


def cut(name: str):
    def damage(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[:-1])

    return damage


def scribble(name: str):
    """As many bytes, but others: what the sizes do not show."""

    def damage(folder: Path) -> None:
        size = (folder / name).stat().st_size
        (folder / name).write_bytes(b"#" * size)

    return damage


def manifest(**changes):
    def damage(folder: Path) -> None:
        path = folder / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return damage


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (cut("passages.jsonl"), "torn"),
        (cut("data.csc.index.npy"), "torn"),
        (lambda folder: (folder / "rank.npy").unlink(), "torn"),
        (lambda folder: (folder / "manifest.json").unlink(), "no index here"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "manifest is not readable"),
        (lambda folder: (folder / "manifest.json").write_text("[]"), "manifest is not readable"),
        (manifest(version=99), "version 99"),
        (manifest(files=3), "manifest is not readable"),
        (scribble("rank.npy"), "not readable"),
        (scribble("offsets.npy"), "not readable"),
        (scribble("params.index.json"), "not readable"),
        (scribble("vocab.index.json"), "not readable"),
    ],
)
@pytest.mark.parametrize("in_memory", [True, False])
def test_a_damaged_index_is_not_opened(tmp_path, damage, says, in_memory):
    PassageIndex.build(tmp_path / "index", PASSAGES).close()
    damage(tmp_path / "index")
    with pytest.raises(PassageIndexError, match=says) as raised:
        PassageIndex.open(tmp_path / "index", in_memory=in_memory)
    assert raised.value.remedy


def test_a_text_that_was_changed_is_named(tmp_path):
    PassageIndex.build(tmp_path / "index", PASSAGES).close()
    scribble("passages.jsonl")(tmp_path / "index")
    with PassageIndex.open(tmp_path / "index") as index, pytest.raises(PassageIndexError) as raised:
        index.search("Tokyo")
    assert raised.value.line == 3


def test_large_ones_are_mapped(tmp_path, monkeypatch):
    with PassageIndex.build(tmp_path / "index", PASSAGES) as index:
        assert index.in_memory
    monkeypatch.setattr(index_module, "IN_MEMORY_BYTES", 100)
    with PassageIndex.open(tmp_path / "index") as index:
        assert not index.in_memory
        assert index.search("mills", 1)[0].passage.id == "é"


def test_a_closed_index_says_so(tmp_path):
    index = PassageIndex.build(tmp_path / "index", PASSAGES)
    index.close()
    index.close()
    for use in (lambda: index.search("capital"), lambda: index.passage("p1"), lambda: len(index)):
        with pytest.raises(PassageIndexError, match="was closed"):
            use()


def test_threads_share_an_index(tmp_path):
    PassageIndex.build(
        tmp_path / "i", ({"id": f"{at:04}", "text": f"word{at} all"} for at in range(500))
    ).close()
    with PassageIndex.open(tmp_path / "i", in_memory=False) as index, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda at: index.search(f"word{at}", 1)[0].passage.id, range(500)))
    assert found == [f"{at:04}" for at in range(500)]


def test_the_corpus_tools_work_on_it(tmp_path):
    with PassageIndex.build(tmp_path / "index", PASSAGES) as index:
        search, read = corpus_tools(index, k=1)
        answer = search.invoke({"name": "search", "args": {"query": "東京"}, "id": "1", "type": "tool_call"})
        assert answer.artifact == ["p1"]
        assert read.invoke({"passage_id": "p1"}) == "[p1] Tokyo: 東京都 is the capital of Japan."
        assert search.metadata["cost"] == 0.0


@pytest.mark.parametrize("name", ["by_id.npy", "indices.csc.index.npy", "offsets.npy"])
@pytest.mark.parametrize("in_memory", [True, False])
def test_numbers_that_were_changed_are_no_bare_error(tmp_path, name, in_memory):
    """Same size, other contents: found when read, and named."""
    PassageIndex.build(tmp_path / "index", [{"id": f"p{at}", "text": "a river"} for at in range(9)]).close()
    path = tmp_path / "index" / name
    data = path.read_bytes()
    path.write_bytes(data[:128] + b"\x7f" * (len(data) - 128))
    with PassageIndex.open(tmp_path / "index", in_memory=in_memory) as index:
        ask = index.search if name.startswith("indices") else index.passage
        with pytest.raises(PassageIndexError, match="changed after it was built"):
            ask("river")


def test_a_header_that_was_changed(tmp_path):
    PassageIndex.build(tmp_path / "index", [{"id": "p", "text": "a river"}]).close()
    path = tmp_path / "index" / "rank.npy"
    data = path.read_bytes()
    path.write_bytes(data.replace(b"}", b"{", 1))
    with pytest.raises(PassageIndexError, match="not readable"):
        PassageIndex.open(tmp_path / "index")
