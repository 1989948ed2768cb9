"""How vLLM is started, without vLLM; and a child that is not vLLM, started, watched and ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from coreact.errors import ConfigError, LocalServerError, ModelFileError
from coreact.generate.trained import GeneratorFolder, GeneratorRecord
from coreact.listening import bound, is_loopback
from coreact.serving import kept
from coreact.serving.running import engine_of, serve_generator
from coreact.serving.vllm import Launch, VllmServer, launch

RECORD = GeneratorRecord(
    name="gen", form="lines", base="Qwen/Qwen3-8B", prompt="x", reader=1, context_tokens=4096
)


def folder(path: Path, *parts: str) -> GeneratorFolder:
    for part in parts:
        (path / part).mkdir(parents=True)
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            (path / part / name).write_text('{"peft_type": "LORA", "r": 8}')
    return GeneratorFolder(path, RECORD)


def after(command: tuple[str, ...], option: str) -> str:
    return command[command.index(option) + 1]


def test_whole_weights_bear_the_generators_name(tmp_path: Path) -> None:
    found = launch(folder(tmp_path, "model"), port=8123, python=Path("/env/bin/python"))
    assert found.command[:3] == ("/env/bin/python", "-m", "vllm.entrypoints.openai.api_server")
    assert f"--model={tmp_path / 'model'}" in found.command
    assert after(found.command, "--served-model-name") == "gen"
    assert (after(found.command, "--host"), after(found.command, "--port")) == ("127.0.0.1", "8123")
    assert after(found.command, "--max-model-len") == "4096"
    assert after(found.command, "--generation-config") == "vllm"
    assert after(found.command, "--load-format") == "safetensors"
    assert json.loads(after(found.command, "--allowed-origins")) == ["http://127.0.0.1"]
    grammar = json.loads(after(found.command, "--structured-outputs-config"))
    assert grammar == {"backend": "guidance", "disable_any_whitespace": True}
    assert "--enable-prompt-tokens-details" in found.command
    assert "--enforce-eager" not in found.command
    assert found.environment["HF_HUB_OFFLINE"] == found.environment["VLLM_NO_USAGE_STATS"] == "1"


def test_an_adapter_bears_it_on_its_base(tmp_path: Path) -> None:
    found = launch(folder(tmp_path, "adapter"))
    assert "--model=Qwen/Qwen3-8B" in found.command
    assert after(found.command, "--served-model-name") == "gen-base"
    assert after(found.command, "--lora-modules") == f"gen={tmp_path / 'adapter'}"
    assert "--enable-lora" in found.command


def test_adapters_can_be_swapped_only_where_that_is_wanted(tmp_path: Path) -> None:
    made = folder(tmp_path, "model", "other")
    swaps = launch(made, adapters={"other": tmp_path / "other"})
    assert swaps.environment["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "True"
    assert (after(swaps.command, "--max-loras"), after(swaps.command, "--lora-modules")) == (
        "5",
        f"other={tmp_path / 'other'}",
    )
    fixed = launch(made, adapters={"other": tmp_path / "other"}, may_swap=False)
    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING" not in fixed.environment
    assert after(fixed.command, "--max-loras") == "1"
    assert "--enable-lora" not in launch(made, may_swap=False).command


def test_the_cpu_build_needs_it_said(tmp_path: Path) -> None:
    found = launch(folder(tmp_path, "model"), device="cpu")
    assert after(found.command, "--dtype") == "float32"
    assert "--enforce-eager" in found.command
    assert found.environment["VLLM_CPU_KVCACHE_SPACE"] == "1"


def test_what_cannot_be_served(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no weights that vLLM reads"):
        launch(folder(tmp_path / "empty"))
    made = folder(tmp_path / "full", "model", "other")
    with pytest.raises(ModelFileError, match="holds no adapter"):
        launch(made, adapters={"a": tmp_path})
    with pytest.raises(ConfigError, match="as the model is"):
        launch(made, adapters={"gen": tmp_path / "full" / "other"})


def test_engines(tmp_path: Path) -> None:
    made = folder(tmp_path, "model")
    assert engine_of(made, "auto", adapters={}) == "transformers"
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    assert engine_of(made, "auto", adapters={}) == "llama.cpp"
    assert engine_of(made, "auto", adapters={"a": tmp_path}) == "transformers"
    assert engine_of(made, "vllm", adapters={"a": tmp_path}) == "vllm"
    with pytest.raises(ConfigError, match="serves no adapters"):
        engine_of(made, "llama.cpp", adapters={"a": tmp_path})


def test_addresses() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("localhost")
    assert is_loopback("::1")
    assert not is_loopback("10.0.0.1")
    assert not is_loopback("gpu.example")
    with pytest.raises(ConfigError, match="every address"):
        bound("0.0.0.0", 0, who="The server")
    with pytest.raises(ConfigError, match=r"every address|cannot listen"):  # without IPv6 the second
        bound("::ffff:0.0.0.0", 0, who="The server")
    with bound("127.0.0.1", 0, who="The server") as first:
        first.listen()
        with pytest.raises(ConfigError, match="cannot listen"):
            bound("127.0.0.1", first.getsockname()[1], who="The server")


# --- a child process ------------------------------------------------------------------------------

SERVER = """
import http.server, subprocess, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("worker", child.pid, flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def free_port() -> int:
    with bound("127.0.0.1", 0, who="The server") as found:
        return int(found.getsockname()[1])


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (OSError, IndexError):
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes as Linux shows them")
def test_it_is_ready_when_it_answers_and_ends_with_all_it_started() -> None:
    port = free_port()
    server = VllmServer(Launch((sys.executable, "-c", SERVER, str(port)), {}), port=port)
    with server:
        assert server.base_url == f"http://127.0.0.1:{port}/v1"
        assert httpx.get(f"{server.address}/health", trust_env=False).is_success
        assert server._log is not None
        server._log.seek(0)
        worker = int(server._log.read().split()[1])
        assert is_running(worker)
    deadline = time.monotonic() + 10
    while is_running(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(worker)
    server.close()


HOLDER = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-P", *sys.argv[1:]], stdin=subprocess.PIPE)
time.sleep(120)
"""
STARTED = """
import pathlib, subprocess, sys, os, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
pathlib.Path(sys.argv[1] + ".part").write_text(f"{os.getpid()} {child.pid}")
os.replace(sys.argv[1] + ".part", sys.argv[1])
time.sleep(120)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes as Linux shows them")
def test_it_ends_with_whoever_started_it_however_that_ends(how: signal.Signals, tmp_path: Path) -> None:
    noted = tmp_path / "pids"
    command = [kept.__file__, sys.executable, "-c", STARTED, str(noted)]
    with subprocess.Popen([sys.executable, "-c", HOLDER, *command]) as holder:
        try:
            until(noted.exists)
            pids = [int(pid) for pid in noted.read_text().split()]
            assert len(pids) == 2
            assert all(map(is_running, pids))
            holder.send_signal(how)
            until(lambda: not any(map(is_running, pids)))
        finally:
            holder.kill()


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_record_cannot_become_an_option(tmp_path: Path) -> None:
    """The base comes from a file of anybody's."""
    made = folder(tmp_path, "adapter")
    hostile = made._replace(record=RECORD.model_copy(update={"base": "--trust-remote-code"}))
    assert "--trust-remote-code" not in launch(hostile).command


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"peft_type": "PROMPT_TUNING"}, "it is no LoRA"),
        ({"r": 10**9}, "its rank"),
        ({"r": True}, "its rank"),
        ({"rank_pattern": {"q_proj": 10**6}}, "its rank"),
        ({"rank_pattern": [1]}, "its rank"),
        ({"bias": "all"}, "overwrites the model's biases"),
        ({"init_lora_weights": "pissa"}, "recomputes the model's weights"),
        ({"layer_replication": [[0, 1], [0, 1]]}, "changes the model"),
        ({"megatron_config": {"a": 1}, "megatron_core": "antigravity"}, "changes the model"),
    ],
)
def test_an_adapter_that_would_do_more_than_add(tmp_path: Path, config: dict[str, Any], why: str) -> None:
    made = folder(tmp_path, "model", "other")
    (tmp_path / "other" / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "r": 8, "init_lora_weights": True, "bias": "none"} | config)
    )
    with pytest.raises(ModelFileError, match=why):
        launch(made, adapters={"other": tmp_path / "other"})


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"peft_type": "LORA"}', "[" * 100_000])
def test_a_configuration_of_an_adapter_that_is_none(tmp_path: Path, text: str) -> None:
    made = folder(tmp_path, "model", "other")
    (tmp_path / "other" / "adapter_config.json").write_text(text)
    with pytest.raises(ModelFileError, match="is not taken"):
        launch(made, adapters={"other": tmp_path / "other"})


@pytest.mark.parametrize("name", ["gen", "--x", "a b", "../up", "", "x\n"])
def test_names_of_adapters(tmp_path: Path, name: str) -> None:
    made = folder(tmp_path, "model", "other")
    with pytest.raises(ConfigError, match="cannot be called"):
        serve_generator(made, engine="vllm", adapters={name: tmp_path / "other"})


def test_a_child_that_ends_says_why() -> None:
    failing = Launch((sys.executable, "-c", "import sys; sys.exit('No module named vllm')"), {})
    with pytest.raises(
        LocalServerError, match=r"exit code 1 while starting.*\n.*No module named vllm"
    ) as failure:
        VllmServer(failing, port=1).start()
    assert "--python" in failure.value.remedy
    with pytest.raises(LocalServerError, match="cannot start"):
        VllmServer(Launch(("/nowhere/python",), {}), port=1).start()


def test_a_child_that_is_too_slow_is_ended() -> None:
    slow = Launch((sys.executable, "-c", "import time; time.sleep(60)"), {})
    started = time.monotonic()
    with pytest.raises(LocalServerError, match=r"not ready within 0\.5 s"):
        VllmServer(slow, port=free_port(), startup_seconds=0.5).start()
    assert time.monotonic() - started < 15
