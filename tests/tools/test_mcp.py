from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator

import httpx
import pytest
import uvicorn
from coreact_tools import McpServerError, PassageIndex, ToolSettingsError, calculator, contract, corpus_tools
from coreact_tools.mcp import http_app, mcp_server, mcp_tools, serve_mcp
from coreact_tools.serve import main
from langchain_core.tools import StructuredTool, ToolException
from langgraph.prebuilt import ToolNode
from mcp.server.fastmcp import FastMCP
from mcp.types import ImageContent, TextContent, ToolAnnotations

_ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
PASSAGES = [
    {"id": "p1", "title": "Danube", "text": "A river of Europe."},
    {"id": "p2", "title": "Łódź", "text": "A city in Poland."},
]


def call(tool, **arguments):
    return tool.invoke({"name": tool.name, "args": arguments, "id": "1", "type": "tool_call"})


class Running:
    """A uvicorn in a thread, which can go away and come back at the same port."""

    def __init__(self, app: Callable[[], object]) -> None:
        self._app = app
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self.start()

    def start(self) -> None:
        config = uvicorn.Config(
            self._app(),
            host="127.0.0.1",
            port=self.port,
            log_level="error",
            timeout_graceful_shutdown=1,
            ws="none",
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            self._thread.join(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture
def running() -> Iterator[Callable[..., Running]]:
    made: list[Running] = []

    def run(app: Callable[[], object]) -> Running:
        made.append(Running(app))
        return made[-1]

    yield run
    for one in made:
        one.stop()


def http(server: Running, **more):
    return {"transport": "http", "url": server.url, **more}


def failing(city: str) -> str:
    """Fails."""
    raise ToolException(f"no such city: {city}\u202e")


def broken(city: str) -> str:
    """Breaks."""
    raise KeyError("a bug")


def odd_tools():
    return [
        StructuredTool.from_function(
            failing, handle_tool_error=str, metadata=contract(None, read_only=False, cost=None)
        ),
        StructuredTool.from_function(broken),
        StructuredTool.from_function(lambda: "x" * 30_000, name="long", description="Long."),
    ]


def foreign():
    """A server that is not ours."""
    server = FastMCP("foreign")

    @server.tool(annotations=ToolAnnotations(readOnlyHint=True))
    def look(what: str) -> list[TextContent | ImageContent]:
        return [
            TextContent(type="text", text=f"seen\u200b {what}"),
            ImageContent(type="image", data="aGk=", mimeType="image/png"),
            TextContent(type="text", text="the end"),
        ]

    @server.tool()
    def change(what: str) -> str:
        if what == "fail":
            raise ValueError("it cannot be changed")
        return f"changed {what}"

    @server.tool()
    async def sleep() -> str:
        await asyncio.sleep(20)
        return "late"

    return server.streamable_http_app()


@pytest.fixture
def index(tmp_path) -> Iterator[PassageIndex]:
    with PassageIndex.build(tmp_path / "index", PASSAGES) as made:
        yield made


def test_ours_served_and_used_over_http(running, index):
    ours = [*corpus_tools(index), calculator]
    server = running(lambda: http_app(ours))
    with mcp_tools({"corpus": http(server)}) as tools:
        assert [one.name for one in tools] == ["search", "read", "calculator"]
        assert [one.metadata for one in tools] == [one.metadata for one in ours]
        assert [one.description for one in tools] == [one.description for one in ours]
        for mine, theirs in zip(ours, tools, strict=True):
            arguments = {"search": {"query": "lodz"}, "read": {"passage_id": "p1"}}.get(
                mine.name, {"expression": "6*7"}
            )
            here, there = call(mine, **arguments), call(theirs, **arguments)
            assert there.content == here.content
            assert there.artifact == (here.artifact or [])


async def test_from_a_loop_and_in_a_graph_and_at_once(running, index):
    server = running(lambda: http_app(corpus_tools(index)))
    with mcp_tools({"corpus": http(server)}) as tools:
        search = tools[0]
        answers = await asyncio.gather(*(search.ainvoke({"query": "river"}) for _ in range(8)))
        assert set(answers) == {search.invoke({"query": "river"})} == {"[p1] Danube: A river of Europe."}
        assert set(ToolNode(tools).tools_by_name) == {"search", "read"}


def test_failures_of_a_tool_are_told(running):
    server = running(lambda: http_app(odd_tools()))
    with mcp_tools({"odd": http(server)}) as tools:
        failing_, broken_, long_ = tools
        assert [one.metadata["read_only"] for one in tools] == [False, None, None]
        assert [one.metadata["cost"] for one in tools] == [None] * 3
        told = call(failing_, city="Ys")
        assert (told.status, told.content) == ("error", "no such city: Ys")
        assert call(broken_, city="Ys").status == "error"
        wrong = call(failing_, town="Ys")
        assert (wrong.status, wrong.artifact) == ("error", None)
        assert "'city' is a required property" in wrong.content
        cut = call(long_).content
        assert cut.endswith("[Cut at character 20000 of 30000.]")
        assert len(cut) < 20_100


def test_a_foreign_server(running):
    server = running(foreign)
    told = {"change": {"role": "answer", "cost": 0.5}}
    with mcp_tools({"f": http(server)}, told=told, seconds=2.0) as tools:
        look, change, sleep = tools
        assert look.metadata == {"role": None, "read_only": True, "cost": None}
        assert change.metadata == {"role": "answer", "read_only": None, "cost": 0.5}
        assert call(look, what="it").content == "seen it\n[image left out]\nthe end"
        assert call(change, what="this").content == "changed this"
        failed = call(change, what="fail")
        assert failed.status == "error"
        assert "it cannot be changed" in failed.content
        late = call(sleep)
        assert late.status == "error"
        assert "TimeoutError" in late.content
        assert call(change, what="still").content == "changed still"


def test_a_server_that_goes_away_and_comes_back(running, index):
    server = running(lambda: http_app(corpus_tools(index)))
    with mcp_tools({"corpus": http(server)}, seconds=2.0) as (search, _):
        assert call(search, query="river").status == "success"
        server.stop()
        gone = call(search, query="river")
        assert gone.status == "error"
        assert "'corpus'" in gone.content
        server.start()
        answers = [call(search, query="river").status for _ in range(2)]
        assert answers[-1] == "success"


MORTAL = """
import json, os, sys
for line in sys.stdin:
    asked = json.loads(line)
    params = asked.get("params", {})
    if asked["method"] == "initialize":
        about = {"name": "mortal", "version": "1"}
        version = params["protocolVersion"]
        result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about}
    elif asked["method"] == "tools/list":
        schema = {"type": "object", "properties": {}}
        result = {"tools": [{"name": name, "inputSchema": schema} for name in ("die", "pid")]}
    elif asked["method"] == "tools/call":
        if params["name"] == "die":
            os._exit(1)
        result = {"content": [{"type": "text", "text": str(os.getpid())}]}
    else:
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""


def test_a_server_that_dies_is_started_anew_for_the_next_call():
    how = {"transport": "stdio", "command": sys.executable, "args": ["-S", "-c", MORTAL]}
    with mcp_tools({"mortal": how}, seconds=20.0) as (die, pid):
        first = call(pid).content
        assert call(pid).content == first
        gone = call(die)
        assert (gone.status, "Connection closed" in gone.content) == ("error", True)
        again = call(pid)
        assert again.status == "success"
        assert again.content != first


def test_over_standard_input_and_output(tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"id": "p1", "title": "Łódź", "text": "A city."}\n', encoding="utf-8")
    arguments = ["-m", "coreact_tools.serve", str(tmp_path / "index"), "--build", str(rows), "-k", "1"]
    how = {"transport": "stdio", "command": sys.executable, "args": arguments, "env": _ENVIRONMENT}
    with mcp_tools({"corpus": how}, prefix=True) as tools:
        assert [one.name for one in tools] == ["corpus_search", "corpus_read", "corpus_calculator"]
        answer = call(tools[0], query="łódź")
        assert (answer.content, answer.artifact) == ("[p1] Łódź: A city.", ["p1"])
    assert len(PassageIndex.open(tmp_path / "index")) == 1


@pytest.mark.parametrize(
    "how",
    [
        {"transport": "stdio", "command": "/no/such/program", "args": []},
        {"transport": "stdio", "command": sys.executable, "args": ["-c", "import sys; sys.exit(3)"]},
        {"transport": "http", "url": "http://127.0.0.1:1/mcp"},
        {"transport": "carrier pigeon"},
        {"transport": "stdio"},
    ],
)
def test_servers_that_cannot_be_reached(how):
    with pytest.raises(McpServerError, match="'gone'") as raised, mcp_tools({"gone": how}, seconds=20.0):
        pass
    assert raised.value.server == "gone"
    assert raised.value.remedy


def test_a_server_that_says_nothing():
    silent = {"transport": "stdio", "command": sys.executable, "args": ["-c", "import time; time.sleep(30)"]}
    with pytest.raises(McpServerError, match="TimeoutError"), mcp_tools({"silent": silent}, seconds=0.3):
        pass


def test_a_web_page_is_no_mcp_server(site):
    site.page("/mcp", "<html>hello</html>")
    how = {"transport": "http", "url": site.url("/mcp")}
    with pytest.raises(McpServerError), mcp_tools({"page": how}, seconds=1.0):
        pass


def test_settings(running, index):
    server = running(lambda: http_app(corpus_tools(index)))
    two = {"a": http(server), "b": http(server)}
    with pytest.raises(ToolSettingsError, match="same name"), mcp_tools(two):
        pass
    with mcp_tools(two, prefix=True) as tools:
        assert [one.name for one in tools] == ["a_search", "a_read", "b_search", "b_read"]
        assert call(tools[3], passage_id="p1").artifact == ["p1"]
    with pytest.raises(ToolSettingsError, match="'find'"), mcp_tools({"a": http(server)}, told={"find": {}}):
        pass
    with pytest.raises(ToolSettingsError, match="seconds"), mcp_tools({}, seconds=0):
        pass
    with mcp_tools({}) as none:
        assert none == []


def test_only_those_who_know_its_name_may_call(running):
    server = running(lambda: http_app([calculator]))
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"Accept": "application/json, text/event-stream"}
    with httpx.Client(trust_env=False) as client:
        assert client.post(server.url, json=body, headers=accept).status_code == 200
        evil = client.post(server.url, json=body, headers={**accept, "Host": "evil.test"})
        page = client.post(server.url, json=body, headers={**accept, "Origin": "http://evil.test"})
    assert evil.status_code == 421
    assert page.status_code == 403


def test_what_cannot_be_served():
    with pytest.raises(ToolSettingsError, match="same name"):
        mcp_server([calculator, calculator])
    with pytest.raises(ToolSettingsError, match="no log-in"):
        serve_mcp([calculator], port=8000, host="0.0.0.0")
    with pytest.raises(ToolSettingsError, match="no port 99999"):
        serve_mcp([calculator], port=99_999)

    def unspeakable(thing: threading.Thread) -> str:
        """No schema."""
        return ""

    with pytest.raises(ToolSettingsError, match="unspeakable"):
        mcp_server([StructuredTool.from_function(unspeakable)])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "no such folder"),
        (["nowhere", "-k", "0"], "at least one passage"),
        (["nowhere", "--build", "missing.jsonl"], "missing.jsonl"),
    ],
)
def test_the_command_line_says_what_is_wrong(arguments, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert says in capsys.readouterr().err


CHANGING = """
import json, os, sys
flag = sys.argv[1]
names = ("die", "echo") if os.path.exists(flag) else ("die", "echo", "gone")
open(flag, "w").close()
for line in sys.stdin:
    asked = json.loads(line)
    params = asked.get("params", {})
    if asked["method"] == "initialize":
        about = {"name": "changing", "version": "1"}
        version = params["protocolVersion"]
        result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about}
    elif asked["method"] == "tools/list":
        result = {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in names]}
    elif asked["method"] == "tools/call":
        if params["name"] == "die":
            os._exit(1)
        result = {"content": [{"type": "text", "text": json.dumps(params["arguments"])}]}
    else:
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""


def test_arguments_and_tools_of_any_name_and_the_end_of_the_block(tmp_path):
    arguments = ["-S", "-c", CHANGING, str(tmp_path / "started")]
    how = {"transport": "stdio", "command": sys.executable, "args": arguments}
    with mcp_tools({"changing": how}, seconds=20.0) as (die, echo, gone):
        for name in ("config", "run_manager", "callbacks", "self", "arguments", "name", "tool_name"):
            said = echo.invoke({"name": "echo", "args": {name: "v"}, "id": "1", "type": "tool_call"})
            assert json.loads(said.content) == {name: "v"}
        kept = call(echo, runtime="v")
        assert (kept.status, "'runtime'" in kept.content) == ("error", True), "and not silently left out"
        call(die)
        missing = call(gone)
        assert (missing.status, "no tool 'gone' any more" in missing.content) == ("error", True)
        assert call(echo).status == "success"
    threads = threading.active_count()
    over = call(echo)
    assert (over.status, "is over" in over.content) == ("error", True)
    assert threading.active_count() == threads, "nothing was started for it"
