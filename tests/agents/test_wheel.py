"""What an installed package carries beside its own modules: agents and tools."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    missing = [name for name in ("build", "hatchling") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed, so no wheel can be built offline")
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return zipfile.Path(built)


@pytest.mark.parametrize(
    "member",
    [
        "coreact/py.typed",
        "coreact/cli/main.py",
        "coreact/_recipes/agents/react/graph.py",
        "coreact_tools/__init__.py",
        "coreact_tools/corpus.py",
    ],
)
def test_the_wheel_carries(wheel: zipfile.Path, member: str) -> None:
    assert wheel.joinpath(member).read_text(encoding="utf-8") is not None


def test_the_wheel_carries_neither_tests_nor_models_nor_caches(wheel: zipfile.Path) -> None:
    names = wheel.root.namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"coreact", "coreact_tools"}
    assert [name for name in names if name.endswith((".pyc", ".db"))] == []
    # One small model travels along, four megabytes; the embedded one is fetched where it is wanted.
    assert [name for name in names if name.endswith(".gguf")] == [
        "coreact/_recipes/agents/react/searcher/searcher.gguf",
        "coreact/_recipes/rubric_models/tiny/model.gguf",
    ]


def test_an_agent_is_found_where_the_wheel_is_installed(wheel: zipfile.Path, tmp_path: Path) -> None:
    wheel.root.extractall(tmp_path)
    code = "from coreact.cli.recipes import agents, load_agent; load_agent('react'); print(agents()['react'])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stderr == ""
    assert Path(done.stdout.strip()) == tmp_path / "coreact" / "_recipes" / "agents" / "react" / "graph.py"
