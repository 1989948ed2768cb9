"""vLLM as a child process: how it is started, and when it is ready.

vLLM stands in an environment of its own more often than not (its pins exclude those of training), so it is
started by the interpreter of that environment and as a module: the CPU build has no working command. The
generator's folder says how long its contexts are; sampling settings in the model's folder are left out, as in
training. What is started is a pure function, `launch`, so that it can be looked at without vLLM.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, NamedTuple, Self

import httpx

from coreact.errors import ConfigError, LocalServerError, ModelFileError
from coreact.generate.trained import ADAPTER, GeneratorFolder
from coreact.generate.trained.adapters import checked_adapter

Device = Literal["auto", "cpu"]
"""`auto`: what vLLM finds; `cpu`: with the settings that its CPU build needs."""

_MAX_RANK = 64
_SPARE_ADAPTERS = 4  # places for adapters that are loaded later
_TAIL_CHARS = 3000
_END_SECONDS = 30.0  # more than `kept` gives it
_KEPT = Path(__file__).with_name("kept.py")


class Launch(NamedTuple):
    """A command and what it needs in its environment."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


def launch(
    folder: GeneratorFolder,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    adapters: Mapping[str, Path] | None = None,
    may_swap: bool = True,
    parallel: int = 8,
    device: Device = "auto",
    python: Path | None = None,
) -> Launch:
    """How vLLM is started for a generator.

    Args:
        folder: the generator.
        host: address to bind.
        port: port to bind.
        adapters: LoRA adapters by name, served from the start.
        may_swap: whether adapters can be loaded and unloaded by request.
        parallel: sequences in one batch.
        device: see `Device`.
        python: interpreter of the environment that has vLLM; None: this one.

    Raises:
        ModelFileError: the generator has no weights that vLLM reads, or an adapter is none.
        ConfigError: an adapter bears the generator's name.
    """
    record = folder.record
    named = {name: checked_adapter(path) for name, path in (adapters or {}).items()}
    if record.name in named:
        raise ConfigError(f"An adapter is called {record.name!r}, as the model is.", remedy="Rename it.")
    if folder.model is None and folder.adapter is None:
        raise ModelFileError(
            f"The generator {record.name!r} has no weights that vLLM reads.",
            path=folder.path,
            remedy="Serve its model.gguf with --engine llama.cpp.",
        )
    command = [str(python or sys.executable), "-m", "vllm.entrypoints.openai.api_server"]
    name = record.name
    if folder.model is not None:
        command += [f"--model={folder.model}"]
    else:
        # The adapter is what bears the generator's name; the base is served beside it.
        name = f"{record.name}-base"
        command += [f"--model={record.base}"]  # one word: a record of anybody's must not become an option
        named = {record.name: checked_adapter(folder.path / ADAPTER), **named}
    # No pickles; and no page in the user's browser may ask or read.
    command += ["--load-format", "safetensors", "--allowed-origins", '["http://127.0.0.1"]']
    command += ["--served-model-name", name, "--host", host, "--port", str(port)]
    command += ["--max-model-len", str(record.context_tokens), "--max-num-seqs", str(parallel)]
    command += ["--generation-config", "vllm", "--enable-prompt-tokens-details"]
    # A grammar that allows white space anywhere lets a small model write nothing else to the end.
    command += ["--structured-outputs-config", '{"backend": "guidance", "disable_any_whitespace": true}']
    if named or may_swap:
        command += ["--enable-lora", "--max-lora-rank", str(_MAX_RANK)]
        command += ["--max-loras", str(len(named) + (_SPARE_ADAPTERS if may_swap else 0))]
    if named:
        command += ["--lora-modules", *(f"{one}={path}" for one, path in named.items())]
    environment = {"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    if may_swap:
        environment["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "True"
    if device == "cpu":
        command += ["--dtype", "float32", "--enforce-eager"]  # compiling takes longer than it saves there
        environment["VLLM_CPU_KVCACHE_SPACE"] = "1"
    return Launch(tuple(command), environment)


class VllmServer:
    """A running vLLM.

        with VllmServer(launch(folder, port=8000), port=8000) as server:
            ...

    It ends with `close`, and with this process however that ends (`kept`).

    Args:
        started: how to start it.
        host: where it listens, as in the command.
        port: where it listens, as in the command.
        startup_seconds: time it may take to load; minutes for a large model.
    """

    def __init__(
        self, started: Launch, *, host: str = "127.0.0.1", port: int, startup_seconds: float = 900.0
    ) -> None:
        self._launch = started
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{port}"
        """Root of the server."""
        self.port = port
        self._startup_seconds = startup_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    @property
    def base_url(self) -> str:
        """The root that OpenAI clients take."""
        return f"{self.address}/v1"

    def start(self) -> Self:
        """Start it and wait until it answers.

        Raises:
            LocalServerError: it cannot be started, ended, or was not ready in time; with the end of its log.
        """
        self._log = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - lives as long as the child
        self._process = subprocess.Popen(  # noqa: S603 - no shell; the command is `launch`'s
            [sys.executable, "-P", str(_KEPT), *self._launch.command],
            env={**os.environ, **self._launch.environment},
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the parent, which ends it in good order
        )
        try:
            self._wait()
        except BaseException:  # whatever it was, also Ctrl-C: it goes on, but leaves no child behind
            self.close()
            raise
        return self

    def wait(self) -> int:
        """Wait until it ends; returns its exit code."""
        return self._process.wait() if self._process is not None else 0

    def close(self) -> None:
        """End it and all that it started."""
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._log is not None:
            self._log.close()
            self._log = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wait(self) -> None:
        deadline = time.monotonic() + self._startup_seconds
        process = self._process
        assert process is not None  # noqa: S101 - started above
        with httpx.Client(trust_env=False, timeout=5.0) as client:
            while time.monotonic() < deadline:
                if process.poll() is not None:
                    raise self._failed(f"ended with exit code {process.returncode} while starting")
                try:
                    if client.get(f"{self.address}/health").is_success:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.2)
        raise self._failed(f"was not ready within {self._startup_seconds:g} s")

    def _failed(self, what: str) -> LocalServerError:
        log = self._log
        assert log is not None  # noqa: S101 - lives as long as the child
        log.seek(0)
        tail = log.read().decode("utf-8", errors="replace")[-_TAIL_CHARS:].strip()
        return LocalServerError(
            f"vLLM {what}. It last wrote:\n{tail}\n",
            port=self.port,
            remedy="Check that the interpreter given by --python has vLLM, and that memory is free.",
        )
