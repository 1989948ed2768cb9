"""The chat model against a scripted server on loopback: what it sends, and what it makes of replies."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from pydantic import ValidationError

from coreact.errors import ConfigError, CoReActError, LocalServerError, ToolSchemaError
from coreact.local import LocalChatModel


@tool
def search(query: str) -> str:
    """Search."""
    return query


class Script:
    """Replies the server gives, in turn, and the requests it got."""

    def __init__(self) -> None:
        self.replies: list[tuple[int, str]] = []
        self.requests: list[dict[str, Any]] = []
        self.delay_seconds = 0.0
        self.base_url = ""

    def say(self, text: str, *, finish: str = "stop") -> None:
        choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}
        usage = {
            "prompt_tokens": 7,
            "completion_tokens": 3,
            "total_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 5},
        }
        self.replies.append((200, json.dumps({"choices": [choice], "usage": usage})))


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/chat/completions"
            script.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            time.sleep(script.delay_seconds)
            code, body = script.replies.pop(0)
            self.send_response(code)
            self.end_headers()
            with suppress(BrokenPipeError):
                self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        script.base_url = f"http://127.0.0.1:{http.server_address[1]}/v1"
        yield script
        http.shutdown()
        thread.join()


Ask = Callable[[Any, str], Any]


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Ask a model in both colours; each asynchronous call runs in an event loop of its own."""
    if request.param == "sync":
        return lambda model, text: model.invoke(text)
    return lambda model, text: asyncio.run(model.ainvoke(text))


def test_a_call_and_an_answer_are_read_with_usage_and_fresh_ids(script: Script, ask: Ask) -> None:
    call = json.dumps({"tool": "search", "arguments": {"query": "x"}}, indent=2)
    for text in (call, call, '{"answer": "y"}'):
        script.say(text)
    model = LocalChatModel(base_url=script.base_url, seed=4, max_tokens=9).bind_tools([search])
    first, second, last = (ask(model, "Q") for _ in range(3))
    assert first.content == ""
    assert [(c["name"], c["args"]) for c in first.tool_calls] == [("search", {"query": "x"})]
    assert first.tool_calls[0]["id"] != second.tool_calls[0]["id"]
    assert first.response_metadata["finish_reason"] == "stop"
    assert first.usage_metadata == {
        "input_tokens": 7,
        "output_tokens": 3,
        "total_tokens": 10,
        "input_token_details": {"cache_read": 5},
    }
    assert (last.content, last.tool_calls) == ("y", [])

    sent = script.requests[0]
    assert (sent["temperature"], sent["seed"], sent["max_tokens"]) == (0.0, 4, 9)
    assert sent["response_format"]["type"] == "json_schema"
    assert script.requests[0] == script.requests[1]


@pytest.mark.parametrize(
    "text",
    [
        '{"tool": "search", "arguments": {"query": "a b',
        '{"tool": "browse", "arguments": {}}',
        '{"tool": "search", "arguments": []}',
        '{"tool": "search", "arguments": {}, "why": ""}',
        '{"answer": 3}',
        '["search"]',
        "I think so.",
        "",
    ],
)
def test_a_reply_that_is_not_of_the_schema_stays_the_text_it_is(script: Script, ask: Ask, text: str) -> None:
    script.say(text, finish="length")
    reply = ask(LocalChatModel(base_url=script.base_url).bind_tools([search]), "Q")
    assert (reply.content, reply.tool_calls) == (text, [])
    assert reply.response_metadata["finish_reason"] == "length"


def test_a_string_that_reached_its_bound_is_told(script: Script, ask: Ask) -> None:
    script.say(json.dumps({"tool": "search", "arguments": {"query": "12345"}}))
    script.say(json.dumps({"tool": "search", "arguments": {"query": "1234"}}))
    script.say(json.dumps({"answer": "x" * 20}))
    model = LocalChatModel(base_url=script.base_url, max_argument_chars=5).bind_tools([search])
    assert [ask(model, "Q").response_metadata["finish_reason"] for _ in range(3)] == [
        "length",
        "stop",
        "length",
    ]


def test_without_tools_json_is_only_text(script: Script, ask: Ask) -> None:
    script.say('{"answer": "y"}')
    reply = ask(LocalChatModel(base_url=script.base_url), "Q")
    assert reply.content == '{"answer": "y"}'
    assert "response_format" not in script.requests[0]


def test_a_slow_server_is_a_typed_error(script: Script, ask: Ask) -> None:
    script.delay_seconds = 0.6
    script.say("late")
    with pytest.raises(LocalServerError, match=r"did not answer within 0\.2 s") as caught:
        ask(LocalChatModel(base_url=script.base_url, timeout_seconds=0.2), "Q")
    assert "timeout_seconds" in caught.value.remedy


def test_a_server_that_is_not_there_is_a_typed_error(ask: Ask) -> None:
    with pytest.raises(LocalServerError, match="cannot be reached") as caught:
        ask(LocalChatModel(base_url="http://127.0.0.1:9/v1"), "Q")
    assert "LocalServer" in caught.value.remedy


OVERFLOW = {"code": 400, "message": "request (9 tokens) exceeds 4", "type": "exceed_context_size_error"}


@pytest.mark.parametrize(
    ("code", "body", "match"),
    [
        (400, json.dumps({"error": OVERFLOW}), r"does not fit the model's context: request \(9 tokens\)"),
        (400, json.dumps({"error": {"code": "context_length_exceeded", "message": "m"}}), "does not fit"),
        (
            400,
            json.dumps({"error": {"type": "invalid_request_error", "message": "no"}}),
            "invalid_request.*no",
        ),
        (404, '{"detail": "Not Found"}', "HTTP 404.*Not Found"),
        (422, '{"error": "plain"}', "HTTP 422: plain"),
        (500, "<html>oops</html>", "HTTP 500.*oops"),
        (503, "", "HTTP 503: no explanation"),
        (200, "hello", "HTTP 200"),
        (200, "{}", "no chat completion"),
        (200, '{"choices": []}', "no chat completion"),
        (200, '{"choices": [{"message": null}]}', "no chat completion"),
    ],
)
def test_a_refusal_says_what_the_server_said(
    script: Script, ask: Ask, code: int, body: str, match: str
) -> None:
    script.replies.append((code, body))
    with pytest.raises(LocalServerError, match=match) as caught:
        ask(LocalChatModel(base_url=script.base_url), "Q")
    assert caught.value.remedy


def test_an_unknown_setting_is_refused_and_a_known_one_is_sent(script: Script) -> None:
    script.say("ok")
    model = LocalChatModel(base_url=script.base_url)
    model.invoke("Q", temperature=0.5, stop=["."])
    assert script.requests[0]["temperature"] == 0.5
    assert script.requests[0]["stop"] == ["."]
    with pytest.raises(ConfigError, match="'top_p'"):
        model.invoke("Q", top_p=0.5)
    with pytest.raises(ConfigError, match="exclude each other"):
        model.bind_tools([search], response_format={"type": "json_object"}).invoke("Q")


def test_a_tool_that_cannot_be_offered_is_refused_when_it_is_bound() -> None:
    model = LocalChatModel(base_url="http://127.0.0.1:9/v1")
    broken = {
        "name": "broken",
        "description": "",
        "parameters": {"type": "object", "properties": {"x": {"$ref": "#/$defs/X"}}},
    }
    refused: list[tuple[type[CoReActError], Callable[[], object]]] = [
        (ToolSchemaError, lambda: model.bind_tools([broken])),
        (ConfigError, lambda: model.bind_tools([search], tool_choice="browse")),
    ]
    for kind, bind in refused:
        with pytest.raises(kind):
            bind()


@pytest.mark.parametrize(
    "field", [{"temperature": -1}, {"max_tokens": 0}, {"max_argument_chars": 501}, {"top_k": 1}]
)
def test_settings_out_of_range_are_refused(field: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LocalChatModel(base_url="http://127.0.0.1:9/v1", **field)


async def test_requests_at_the_same_time_share_the_client(script: Script) -> None:
    for number in range(4):
        script.say(str(number))
    model = LocalChatModel(base_url=script.base_url)
    replies = await asyncio.gather(*(model.ainvoke([HumanMessage("Q")]) for _ in range(4)))
    assert sorted(reply.text for reply in replies) == ["0", "1", "2", "3"]
