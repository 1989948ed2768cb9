"""Demonstrations are the prompts that the embedded server gets, with the action that was right in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Thread
from typing import Any

import pytest
from coreact_tools import corpus_tools

from coreact.local import LocalChatModel
from coreact.train.searcher.demonstrations import Demonstration, Mix, Searcher, demonstrations, episode
from coreact.worlds import Corpus, Question, gold_share

FAULTLESS = Mix(mistakes=0.0, both_tools=0.0, passages=(3,), tool_calls=(4,))


@pytest.fixture(scope="module")
def corpus(world: Any) -> Corpus:
    return Corpus(world.passages)


@pytest.fixture(scope="module")
def bridges(world: Any) -> list[Question]:
    return [one for one in world.questions if one.kind == "bridge" and one.hops == 2]


@contextmanager
def replaying(replies: list[str], seen: list[Any]) -> Iterator[str]:
    """An OpenAI-compatible server that says these replies and remembers the messages of each request."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"])
            choice = {"message": {"content": replies[len(seen) - 1]}, "finish_reason": "stop"}
            body = json.dumps({"choices": [choice]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("guided", [False, True])
def test_training_prompts_are_those_that_the_served_model_gets(
    build: Any, corpus: Corpus, bridges: list[Question], guided: bool
) -> None:
    """The same run twice: with the demonstrator, and through `LocalChatModel` and HTTP with its replies."""
    for question in bridges[:6]:
        tools = corpus_tools(corpus)[:1]
        shown = Searcher(question=question, corpus=corpus, passages=3)
        ask = {"messages": [{"role": "user", "content": question.question}]}
        build(shown, tools, guided, 4).invoke(ask)
        seen: list[Any] = []
        replies = [one.turns[-1]["content"] for one in shown.decisions]
        with replaying(replies, seen) as url:
            build(LocalChatModel(base_url=url), tools, guided, 4).invoke(ask)
        assert seen == [list(one.turns[:-1]) for one in shown.decisions]
        assert len(seen) >= 3


def test_a_faultless_searcher_finds_the_proof_and_says_the_answer(
    build: Any, corpus: Corpus, bridges: list[Question]
) -> None:
    for question in bridges[:30]:
        searcher = Searcher(question=question, corpus=corpus, passages=3)
        result = build(searcher, corpus_tools(corpus)[:1], False, 4).invoke(
            {"messages": [{"role": "user", "content": question.question}]}
        )
        found = [one for m in result["messages"] for one in getattr(m, "artifact", None) or ()]
        assert gold_share(found, question) == 1
        assert result["messages"][-1].text == question.answer


def test_advice_is_followed_where_it_finds_what_is_due(
    build: Any, corpus: Corpus, bridges: list[Question]
) -> None:
    followed = ignored = 0
    for one in demonstrations(
        build, _world(corpus, bridges), bridges[:25], Random(0), FAULTLESS._replace(guided=1)
    ):
        asked, reply = one.turns[-2]["content"], json.loads(one.turns[-1]["content"])
        if 'Search for "' not in asked:
            continue
        advised = asked.rpartition('Search for "')[2].partition('".')[0]
        if "tool" in reply:
            followed += reply["arguments"]["query"] == advised
        else:
            ignored += 1
    assert followed > 10
    assert ignored > 0  # the proof is there: the right action is to answer, whatever is advised


def _world(corpus: Corpus, questions: list[Question]) -> Any:
    from coreact.worlds import World

    return World(name="test", passages=corpus._passages, questions=tuple(questions))


def test_mistakes_stand_in_the_history_and_are_not_learned(
    build: Any, corpus: Corpus, bridges: list[Question]
) -> None:
    mix = FAULTLESS._replace(mistakes=0.6, guided=0)
    mistaken = 0
    for number, question in enumerate(bridges[:40]):
        (shown,) = episode(build, corpus, question, Random(number), mix) or [None]
        right = {f"{hop.entity} {hop.relation}" for hop in question.chain}
        for place, turn in enumerate(shown.turns):
            if turn["role"] != "assistant":
                assert place not in shown.learned
                continue
            reply = json.loads(turn["content"])
            if "answer" in reply:
                wrong = reply["answer"] != question.answer
            else:
                wrong = reply["arguments"]["query"] not in right
            mistaken += wrong
            assert not (wrong and place in shown.learned)
    assert mistaken > 15


def test_an_answer_forced_before_the_proof_is_found_is_not_learned(
    build: Any, corpus: Corpus, world: Any
) -> None:
    three = next(one for one in world.questions if one.hops == 3)
    searcher = Searcher(question=three, corpus=corpus, passages=3)
    ask = {"messages": [{"role": "user", "content": three.question}]}
    build(searcher, corpus_tools(corpus)[:1], False, 2).invoke(ask)
    assert ["tool" in json.loads(one.turns[-1]["content"]) for one in searcher.decisions] == [True, True]


def test_the_seed_draws_everything(build: Any, world: Any, bridges: list[Question]) -> None:
    def draw(seed: int) -> list[Demonstration]:
        return list(demonstrations(build, world, bridges[:15], Random(seed)))

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
