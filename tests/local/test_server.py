"""The server process: it starts, it explains why it does not, and it never outlives its parent."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from coreact.errors import ConfigError, LocalServerError, MissingExtraError, ModelFileError
from coreact.local import LocalServer, open_local_model

ROOT = Path(__file__).parents[2]


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but is not yet collected does not."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat").read_text()
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self").exists()  # gone in between, or a system without /proc
    return stat.rpartition(")")[2].split()[0] != "Z"


def wait_until_gone(pid: int, *, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(pid)


@pytest.fixture
def torn_model(tmp_path: Path) -> Path:
    path = tmp_path / "torn.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    return path


def test_a_missing_file_and_a_wrong_magic_are_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"{}")
    for name in ("none.gguf", "x.safetensors"):
        with pytest.raises(ModelFileError):
            LocalServer(tmp_path / name).start()


@pytest.mark.parametrize(
    "setting", [{"threads": 0}, {"parallel": 0}, {"context_tokens": 255}, {"port": -1}, {"port": 65536}]
)
def test_numbers_out_of_range_are_refused(torn_model: Path, setting: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(setting))):
        LocalServer(torn_model, **setting)  # type: ignore[arg-type]


def test_a_start_without_time_is_refused(torn_model: Path) -> None:
    with pytest.raises(ConfigError, match="startup_seconds"):
        LocalServer(torn_model, startup_seconds=0)


def test_a_taken_port_is_named(torn_model: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(LocalServerError, match=f"port {port}") as caught:
            LocalServer(torn_model, port=port).start()
    assert caught.value.port == port
    assert "another port" in caught.value.remedy


def test_the_missing_library_is_named(torn_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"coreact\[local\]"):
        LocalServer(torn_model).start()


def test_a_torn_model_is_explained_by_the_log_of_the_server(torn_model: Path) -> None:
    pytest.importorskip("xllamacpp")
    server = LocalServer(torn_model)
    with pytest.raises(LocalServerError, match="failed to load model"):
        server.start()
    assert server.pid is None
    with pytest.raises(LocalServerError, match="not running"):
        _ = server.base_url


def test_a_start_that_takes_too_long_leaves_no_process(
    torn_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xllamacpp")
    stuck = tmp_path / "serve.py"
    pid_file = tmp_path / "pid"
    stuck.write_text(
        f"import os, sys, time\nprint('reading', file=sys.stderr, flush=True)\n"
        f"open({str(pid_file)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
    )
    monkeypatch.setattr("coreact.local.server._SERVE", stuck)
    with pytest.raises(LocalServerError, match=r"not ready within 2 s.*(?s:.*)reading"):
        LocalServer(torn_model, startup_seconds=2).start()
    assert wait_until_gone(int(pid_file.read_text()))


@pytest.mark.local_model
def test_it_serves_on_the_chosen_port_until_closed(model_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
    server = LocalServer(model_file, port=port, parallel=2, context_tokens=256)
    with server:
        assert server.base_url == f"http://127.0.0.1:{port}/v1"
        assert server.start() is server
        slots = httpx.get(f"http://127.0.0.1:{port}/slots", trust_env=False).json()
        assert [slot["n_ctx"] for slot in slots] == [256, 256]
        pid = server.pid
    assert pid is not None
    assert not alive(pid)
    assert server.pid is None
    server.close()


@pytest.mark.local_model
def test_a_server_nobody_holds_any_more_ends(model_file: Path) -> None:
    pid = LocalServer(model_file, context_tokens=256).start().pid
    assert pid is not None
    assert wait_until_gone(pid)


PARENT = """
import sys, time
from pathlib import Path
from coreact.local import LocalServer
server = LocalServer(Path(sys.argv[1]), context_tokens=256).start()
print(server.pid, flush=True)
{then}
"""


def start_parent(model_file: Path, then: str) -> tuple[subprocess.Popen[str], int]:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(then=then), str(model_file)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline())


@pytest.mark.local_model
def test_the_server_ends_when_its_parent_is_killed(model_file: Path) -> None:
    parent, child = start_parent(model_file, "time.sleep(60)")
    with parent:
        assert alive(child)
        parent.send_signal(signal.SIGKILL)
    assert wait_until_gone(child)


@pytest.mark.local_model
def test_the_server_ends_when_its_parent_is_killed_while_a_fork_holds_the_pipe(model_file: Path) -> None:
    fork = "import os\nfork = os.fork()\nif fork == 0: time.sleep(8); os._exit(0)\ntime.sleep(60)"
    parent, child = start_parent(model_file, fork)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert wait_until_gone(child, seconds=6)
    with parent:
        pass


@pytest.mark.local_model
def test_the_server_ends_with_a_parent_that_forgot_to_close_it(model_file: Path) -> None:
    parent, child = start_parent(model_file, "")
    with parent:
        assert parent.wait(timeout=20) == 0
        assert not alive(child)


@pytest.mark.local_model
def test_open_local_model_answers_and_cleans_up(model_file: Path) -> None:
    with open_local_model(model_file, seed=3) as model:
        assert "Paris" in model.invoke("Name the capital of France.").text
    with pytest.raises(LocalServerError, match="cannot be reached"):
        model.invoke("Hi")
