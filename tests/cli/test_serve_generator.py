"""`coreact serve-generator` and `--generator` from the shell."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from coreact.trace import SQLiteTraceStore

_AT = Path(__file__).parents[1] / "generate" / "trained" / "conftest.py"
_SPEC = importlib.util.spec_from_file_location("trained_conftest_cli", _AT)
assert _SPEC is not None
assert _SPEC.loader is not None
_MODULE: Any = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
points = _MODULE.points
trained = _MODULE.trained

# Servers in processes of their own, each of which imports torch: minutes on a busy machine.
pytestmark = pytest.mark.timeout(1200)

Coreact = Callable[..., Any]


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[dict[str, str]]:
    """The command in a process of its own, up to Ctrl-C, which must end it quietly."""
    # A shell in the background starts its children with Ctrl-C ignored; a terminal does not.
    heeds = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    command = [sys.executable, "-c", f"{heeds}from coreact.cli.main import main; main()", "serve-generator"]
    process = subprocess.Popen(
        [*command, str(folder), "--json", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()
        yield json.loads(line)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
        assert (process.returncode, "Traceback" in err) == (0, False), err
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("engine", ["llama.cpp", "transformers"])
def test_one_interface_whatever_runs_the_weights(trained: Path, points: Any, engine: str) -> None:
    needed = "xllamacpp" if engine == "llama.cpp" else "uvicorn"
    pytest.importorskip(needed)
    from coreact.generate.trained import open_generator

    with serving(trained, "--engine", engine) as said:
        assert (said["model"], said["form"]) == ("by-heart", "sheet")
        root = said["base_url"].removesuffix("/v1")
        assert httpx.get(f"{root}/health", trust_env=False).is_success
        (model,) = httpx.get(f"{said['base_url']}/models", trust_env=False).json()["data"]
        assert model["id"] == "by-heart"
        with open_generator(said["base_url"], form="sheet") as generator:
            assert len(generator.write(points[0].state).rubric) == 2


def test_a_run_is_guided_by_a_folder(coreact: Coreact, serve: Any, trained: Path) -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra `local`")
    ended = coreact(
        "run", "--world", "world", *serve().options, "--generator", str(trained), "--retries", "0"
    )
    assert ended.code == 0, ended.err
    store = SQLiteTraceStore(Path(".coreact/traces.db"))
    try:
        (summary,) = store.runs()
        generators = {step.generator.split("@")[0] for step in store.trajectory(summary.id).steps}
    finally:
        store.close()
    # What a model that learned one rubric by heart cannot say in a state, the heuristic says.
    assert generators <= {"trained:by-heart", "heuristic.1"}


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (["--generator", "nobody"], "Give a folder, a URL ending in /v1, or one of:"),
        (["--generator", "world"], "`coreact train fit`"),
        (["--generator", "nobody", "--plain"], "Leave out --plain or --generator."),
        (["--generator", "http://127.0.0.1:9/v1", "--generator-form", "prose"], "Forms are:"),
        (["--generator-form", "lines"], "Give --generator URL too."),
    ],
)
def test_a_wrong_generator(
    coreact: Coreact, complaint: Any, serve: Any, options: list[str], remedy: str
) -> None:
    server = serve()
    complaint(coreact("run", "--world", "world", *server.options, *options), code=2, remedy=remedy)
    assert not server.requests


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (["--engine", "magic"], "It is one of: auto"),
        (["--device", "tpu"], "It is one of: auto, cpu"),
        (["--adapter", "x"], "Write NAME=FOLDER"),
        (["--engine", "transformers", "--adapter", "by-heart=."], "not the generator's own name"),
        (["--engine", "llama.cpp", "--adapter", "x=y"], "Use --engine vllm or transformers."),
        (["--engine", "llama.cpp", "--host", "10.1.2.3"], "or use vLLM"),
    ],
)
def test_a_wrong_setting_of_the_server(
    coreact: Coreact, complaint: Any, trained: Path, options: list[str], remedy: str
) -> None:
    ended = coreact("serve-generator", str(trained), *options)
    ended = ended._replace(err=ended.err.splitlines(keepends=True)[-1])  # a warning may stand before it
    complaint(ended, code=2, remedy=remedy)


def test_a_generator_that_is_not_there(coreact: Coreact, complaint: Any) -> None:
    complaint(coreact("serve-generator", "nobody"), code=2, remedy="one of:")
