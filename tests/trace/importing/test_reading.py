"""Files that cannot be trusted are refused with their line; what may be left out is said."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from coreact.errors import ConfigError, TraceFileError
from coreact.trace.importing import read_traces

GOOD = json.dumps({"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]})


def line(number: int) -> str:
    return GOOD.replace("?", f"question {number}")


def read(path: Path, *arguments: Any, **settings: Any) -> tuple[int, list[Any]]:
    imported = read_traces(path, *arguments, **settings)
    return sum(1 for _ in imported.trajectories), imported.left_out


@pytest.mark.parametrize(
    "broken",
    ['{"messages": [', "{}}", "\ufffd{", '{"a": 1' + "0" * 5000 + "}", "[" * 100_000, "nonsense"],
)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_broken_line_refuses_the_file(broken: str, at: int, tmp_path: Path) -> None:
    lines = [line(1), line(2), line(3)]
    lines.insert(at, broken)
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(TraceFileError, match=f"line {at + 1}: ") as caught:
        read(path)
    assert (caught.value.path, caught.value.line, caught.value.exit_code) == (path, at + 1, 2)
    count, left = read(path, skip_broken=True)
    assert count == 3
    assert [one.where for one in left] == [f"line {at + 1}"]


def test_a_torn_last_line_is_left_out_and_said(tmp_path: Path) -> None:
    whole = (line(1) + "\n" + line(2) + "\n").encode()
    path = tmp_path / "t.jsonl"
    for cut in range(len(line(1)) + 2, len(whole) - 2):
        path.write_bytes(whole[:cut])
        count, left = read(path)
        assert count == 1
        assert [one.where for one in left] == ["line 2"]
    path.write_bytes(whole[:-1])  # whole but for the line break
    assert read(path) == (2, [])


def test_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(line(1).encode() + b"\n" + line(2).encode().replace(b"question", b"\xff\xfe") + b"\n")
    with pytest.raises(TraceFileError, match="line 2: no valid UTF-8"):
        read(path)


def test_a_byte_order_mark_and_other_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + f"{line(1)}\r\n\r\n{line(2)}\r\n".encode())
    assert read(path) == (2, [])
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps([json.loads(line(1))], indent=1).encode())
    assert read(path) == (1, [])


def test_line_separators_inside_of_strings_end_no_line(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(GOOD.replace("?", "a\u2028b\u0085c") + "\n" + line(2) + "\n", encoding="utf-8")
    assert read(path) == (2, [])


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (gzip.compress(b"{}", mtime=0), "is compressed"),
        (GOOD.encode("utf-16"), "UTF-16"),
        (b"SQLite format 3\0", "SQLite"),
        (b"[]", "has no traces"),
        (b"3", "begins with a int"),
        (b'{"spam": 1}', "has the keys 'spam'"),
        (b'[["user", "hello"]]', "begins with a list"),
        (b'{"conversations": [{"from": "human", "value": "?"}]}', "has the keys 'conversations'"),
        (b'{\n "messages": [\n  oh\n ]\n}', "line 3"),
        (b"not json at all", "no valid JSON"),
    ],
)
def test_what_is_no_trace_file(content: bytes, what: str, tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_bytes(content)
    with pytest.raises(TraceFileError, match=what):
        read(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TraceFileError, match="No such file"):
        read(tmp_path / "none.jsonl")
    with pytest.raises(TraceFileError, match="directory"):
        read(tmp_path)


def test_an_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no trace format 'sharegpt'"):
        read(tmp_path / "t.jsonl", "sharegpt")


@pytest.mark.parametrize("form", ["otlp", "openinference", "langsmith", "atif"])
def test_a_file_of_another_format_than_was_said(form: str, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(line(1) + "\n")
    with pytest.raises(TraceFileError, match="line 1"):
        read(path, form)


def test_a_large_file_is_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with path.open("w") as file:
        for number in range(300):
            file.write(GOOD.replace("?", f"{number} " + "x" * 100_000) + "\n")
    assert path.stat().st_size > 30_000_000
    tracemalloc.start()
    try:
        assert read(path) == (300, [])
        assert tracemalloc.get_traced_memory()[1] < 6_000_000
    finally:
        tracemalloc.stop()
