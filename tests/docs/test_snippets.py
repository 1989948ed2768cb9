"""Every Python block of README and docs runs, and every command line in them exists.

The blocks of one page share a namespace and run in order. A block after the comment
`<!-- not run: REASON -->` is left out. Command lines are read against the command itself, not run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

from coreact.cli.main import app

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [page for page in (README, *sorted(ROOT.joinpath("docs").glob("**/*.md"))) if page.exists()]

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>[^`\n]*)$")
_NOT_RUN = re.compile(r"^<!--\s*not run\b:?(?P<reason>.*?)-->$")
_BETWEEN = {"|", "&&", "||", ";", "&"}


class Block(NamedTuple):
    page: Path
    line: int
    """1-based line of its first line of code."""
    language: str
    code: str
    not_run: str | None
    """Why it is left out; None where it runs."""

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path, text: str) -> Iterator[Block]:
    lines = text.splitlines()
    at, comment = 0, None
    while at < len(lines):
        opened = _FENCE.match(lines[at])
        if opened is None:
            found = _NOT_RUN.match(lines[at].strip())
            if found is not None:
                comment = found["reason"].strip()
            elif lines[at].strip():
                comment = None
            at += 1
            continue
        start = at = at + 1
        while at < len(lines) and lines[at].strip() != opened["fence"]:
            at += 1
        code = "\n".join(line.removeprefix(opened["indent"]) for line in lines[start:at])
        language = (opened["info"].split() or [""])[0]
        yield Block(page, start + 1, language, code, comment)
        comment = None
        at += 1


ALL = [block for page in PAGES for block in blocks(page, page.read_text(encoding="utf-8"))]


def command_lines(block: Block) -> Iterator[list[str]]:
    """The words after `coreact` of every call in a shell block."""
    for line in block.code.replace("\\\n", " ").splitlines():
        words = shlex.split(line.removeprefix("$ ").removeprefix("> "), comments=True)
        while words:
            end = next(
                (at for at, word in enumerate(words) if word in {"|", "&&", "||", ";", "&"}), len(words)
            )
            part, words = words[:end], words[end + 1 :]
            while part and re.fullmatch(r"\w+=.*", part[0]):  # variables in front
                part = part[1:]
            if part and Path(part[0]).name == "coreact":
                yield part[1:]


COMMANDS = [
    pytest.param(words, id=f"{block}-{' '.join(words)}")
    for block in ALL
    if block.language in {"console", "sh", "bash", "shell"}
    for words in command_lines(block)
]


def test_there_is_a_readme() -> None:
    assert README.is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COREACT_STORE", raising=False)
    namespace: dict[str, Any] = {"__name__": page.stem}
    for block in ALL:
        if block.page == page and block.language == "python" and block.not_run is None:
            # Padding, so that a traceback names the line of the page.
            code = compile("\n" * (block.line - 1) + block.code, str(page), "exec", dont_inherit=True)
            exec(code, namespace)


def test_what_is_not_run_says_why() -> None:
    assert [str(block) for block in ALL if block.not_run == ""] == []


def check(words: list[str]) -> None:
    """Follow the words to a command and compare the options with those it has."""
    known = command = typer.main.get_command(app)
    rest = list(words)
    while hasattr(command, "commands"):
        if not rest:
            return  # a group alone shows its help
        if rest[0].startswith("-"):
            break
        assert rest[0] in command.commands, f"there is no command {rest[0]!r}"
        command = command.commands[rest.pop(0)]
    assert command is not known or rest, words
    options = {name: p for p in command.params for name in (*p.opts, *p.secondary_opts) if name[:1] == "-"}
    for word in rest:
        name, _, value = word.partition("=")
        if word.startswith("-") and name != "--help" and not re.fullmatch(r"-\d+", name):
            assert name in options, f"{' '.join(words)}: there is no option {name!r}"
            assert not (value and options[name].is_flag), f"{name!r} takes no value"


@pytest.mark.parametrize("words", COMMANDS)
def test_command_lines_exist(words: list[str]) -> None:
    check(words)


# --- the reader itself ----------------------------------------------------------------------------

PAGE = """\
Text.

<!-- not run: needs a key -->

```python
a = 1
```

<!-- not run: -->
```python
b = 1
```

  ```sh
  $ make demo  # and then
  $ COREACT_STORE=x coreact trace list -n 3 && coreact run "Who is who?" \\
      --retries 1 | less
  ```

<!-- not run: belongs to no block -->
Words between.

````python
c = '''
```
'''
````
"""


def test_the_reader_of_pages() -> None:
    first, second, shell, last = blocks(Path("page.md"), PAGE)
    assert (first.code, first.not_run, first.line) == ("a = 1", "needs a key", 6)
    assert (second.code, second.not_run) == ("b = 1", "")
    assert list(command_lines(shell)) == [
        ["trace", "list", "-n", "3"],
        ["run", "Who is who?", "--retries", "1"],
    ]
    assert (last.code, last.not_run) == ("c = '''\n```\n'''", None)


@pytest.mark.parametrize(
    "line", ["nonsense", "trace nonsense", "run --nonsense", "trace list --retries 1", "run --json=yes"]
)
def test_a_command_line_that_does_not_exist(line: str) -> None:
    with pytest.raises(AssertionError):
        check(line.split())


@pytest.mark.parametrize("line", ["", "--version", "run", "run --json", "trace show RUN --prompts", "bench"])
def test_a_command_line_that_exists(line: str) -> None:
    check(line.split())
