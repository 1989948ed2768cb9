"""A chat server that follows a plan, a small world, and the command line run in this process."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

Reply = str | tuple[str, dict[str, Any]]
"""An answer, or the name and arguments of a tool call."""

QUESTION = "Which currency is used in the country whose capital is Ouagadougou?"
ANSWER = "The West African CFA franc."
FIRST: Reply = ("search", {"query": "Ouagadougou capital"})
SECOND: Reply = ("search", {"query": "Burkina Faso currency"})
GOOD: tuple[Reply, ...] = (FIRST, SECOND, ANSWER)
STUBBORN: tuple[Reply, ...] = (FIRST, FIRST, SECOND, ANSWER)
"""Repeats its first search, which is rejected, and does better in the retry."""


class ChatServer:
    """An OpenAI-compatible server on loopback that replies by a plan, the last reply for ever."""

    def __init__(self, plan: Sequence[Reply]) -> None:
        self.plan = list(plan)
        self.requests: list[dict[str, Any]] = []
        self.arrived = threading.Semaphore(0)
        """Released once for every request, before it is answered."""
        self.hold_from: int | None = None
        """Requests from this one on (0-based) are not answered before `release`."""
        self.release = threading.Event()
        self.status = 200
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                at = len(owner.requests)
                owner.requests.append(body)
                owner.arrived.release()
                if owner.hold_from is not None and at >= owner.hold_from:
                    owner.release.wait(60)
                content = json.dumps(owner.completion(at)).encode()
                try:
                    self.send_response(owner.status)
                    self.send_header("content-type", "application/json")
                    self.send_header("content-length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                except OSError:  # the client is gone
                    return

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def options(self) -> list[str]:
        return ["--base-url", self.base_url, "--model", "scripted"]

    def completion(self, at: int) -> dict[str, Any]:
        if self.status != 200:
            return {"error": {"message": "no such model [red]x[/red]", "type": "invalid_request_error"}}
        reply = self.plan[min(at, len(self.plan) - 1)]
        message: dict[str, Any] = {"role": "assistant", "content": reply if isinstance(reply, str) else None}
        if not isinstance(reply, str):
            name, arguments = reply
            function = {"name": name, "arguments": json.dumps(arguments)}
            message["tool_calls"] = [{"id": f"call-{at}", "type": "function", "function": function}]
        return {
            "id": f"chat-{at}",
            "object": "chat.completion",
            "created": 0,
            "model": "scripted",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
        }

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[..., ChatServer]]:
    """Start a server with a plan; `GOOD` without one."""
    servers: list[ChatServer] = []

    def start(plan: Sequence[Reply] = GOOD) -> ChatServer:
        servers.append(ChatServer(plan))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def stubborn(serve: Callable[..., ChatServer]) -> ChatServer:
    return serve(STUBBORN)


class Ended(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory with a small world in `world`, and no setting from outside."""
    for name in ("COREACT_STORE", "OPENAI_API_KEY", "OPENAI_BASE_URL", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)
    write_world(tmp_path / "world", "Burkina Faso uses the West African CFA franc as its currency.")
    return tmp_path


def write_world(folder: Path, text: str, question: str = QUESTION) -> Path:
    passages = [
        {"id": "a", "title": "Ouagadougou", "text": "Ouagadougou is the capital of Burkina Faso."},
        {"id": "b", "title": "Burkina Faso", "text": text},
    ]
    asked = {
        "id": "q",
        "question": question,
        "answer": "West African CFA franc",
        "supporting_ids": ["a", "b"],
    }
    folder.mkdir()
    folder.joinpath("passages.jsonl").write_text("\n".join(map(json.dumps, passages)), encoding="utf-8")
    folder.joinpath("questions.jsonl").write_text(json.dumps(asked), encoding="utf-8")
    return folder


@pytest.fixture
def make_world() -> Callable[..., Path]:
    return write_world


@pytest.fixture
def coreact(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """Run the command as the shell would: `coreact("trace", "list")`."""
    from coreact.cli.main import main

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["coreact", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Ended(int(ended.value.code or 0), out, err)

    return run


def check_complaint(ended: Ended, *, code: int, remedy: str) -> str:
    """One line on standard error that names the remedy; no traceback."""
    assert ended.code == code, ended
    assert "Traceback" not in ended.err
    assert ended.err.startswith("Error: ")
    assert ended.err.count("\n") == 1, ended.err
    assert remedy in ended.err
    return ended.err


@pytest.fixture
def complaint() -> Callable[..., str]:
    return check_complaint


TOWNS = ("Bergen", "Lyon", "Quito", "Osaka", "Accra", "Perth", "Tarn", "Brenna", "Malmo", "Turin")


@pytest.fixture
def write_towns() -> Callable[..., Path]:
    """Writes a small world into a folder: who founded which town, and where the founder was born."""

    def written(folder: Path, *, towns: int = len(TOWNS), founded: str = "founded") -> Path:
        passages = [
            row
            for at, town in enumerate(TOWNS[:towns])
            for founder in [f"Ada {town}son"]
            for row in (
                {"id": f"t{at}", "title": town, "text": f"{town} was {founded} by {founder}."},
                {
                    "id": f"f{at}",
                    "title": f"Ada {town}son",
                    "text": f"Ada {town}son was born in {1500 + at}.",
                },
            )
        ]
        questions = [
            {
                "id": f"q{at}",
                "question": f"When was the founder of {town} born?",
                "answer": str(1500 + at),
                "supporting_ids": [f"t{at}", f"f{at}"],
            }
            for at, town in enumerate(TOWNS[:towns])
        ]
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in (("passages", passages), ("questions", questions)):
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
        return folder

    return written


@pytest.fixture
def killing() -> str:
    """The command line as a program that is killed after so many journal lines (its first argument)."""
    return """
import os, signal, sys
from coreact.trace.journal import Journal
add, left = Journal.add, [int(sys.argv.pop(1))]
def dying(self, record):
    if not left[0]:
        with self.path.open("a") as file:
            file.write('{"question_id": "q')
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    add(self, record)
Journal.add = dying
from coreact.cli.main import main
main()
"""
