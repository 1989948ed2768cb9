"""Every Python block of README.md and docs/ runs, and every command that they show exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from coreact.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>[^>]*?) -->\s*)?```(?P<kind>\w+)\n(?P<body>.*?)```", re.DOTALL
)


def blocks(page: Path, *kinds: str) -> list[re.Match[str]]:
    return [found for found in BLOCK.finditer(page.read_text("utf-8")) if found["kind"] in kinds]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "snippet"}
    for block in blocks(page, "python"):
        if block["reason"] is not None:
            assert block["reason"].strip(), "a block that is not run needs a reason"
            compile(block["body"], page.name, "exec")
            continue
        exec(compile(block["body"], page.name, "exec"), namespace)


def test_there_are_pages_with_code() -> None:
    assert sum(len(blocks(page, "python")) for page in PAGES) >= 5


def _lines() -> list[str]:
    found = []
    for page in PAGES:
        for block in blocks(page, "sh", "console"):
            found += [line.lstrip("$ ").split("#")[0].strip() for line in block["body"].splitlines()]
    return [line for line in found if line.startswith("coreact ")]


@pytest.mark.parametrize("line", _lines())
def test_commands_exist(line: str) -> None:
    command = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    while words and hasattr(command, "commands"):
        assert words[0] in command.commands, f"{line!r}: there is no command {words[0]!r}"
        command = command.commands[words.pop(0)]
    known = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    for word in words:
        if word.startswith("--"):
            assert word.split("=")[0] in known, f"{line!r}: there is no option {word!r}"
