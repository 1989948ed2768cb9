"""Run the embedded model server as a child process that cannot outlive its parent.

The child is a fresh interpreter (never a fork: the parent may hold threads and locks), its log is
kept in a temporary file so that a failed start can be explained, and it is ended on `close`, when
the object is collected, at interpreter exit, and by itself when the parent dies.

This module speaks HTTP only to ask whether the server is ready. Talking to the model is
`coreact.local.chat`'s job.
"""

from __future__ import annotations

import importlib.util
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import httpx

from coreact.errors import ConfigError, LocalServerError, MissingExtraError
from coreact.local.pull import check_gguf

_TAIL_CHARS = 1500
_END_SECONDS = 3.0
_SERVE = Path(__file__).with_name("serve.py")


class LocalServer:
    """One GGUF file behind an OpenAI-compatible HTTP server on 127.0.0.1.

        with LocalServer(pull()) as server:
            LocalChatModel(base_url=server.base_url).invoke("Hello")

    Prompts that share a prefix with an earlier one are not read again.
    """

    def __init__(
        self,
        gguf: Path,
        *,
        threads: int = 1,
        parallel: int = 1,
        context_tokens: int = 4096,
        port: int = 0,
        startup_seconds: float = 60.0,
        name: str = "",
    ) -> None:
        """Describe the server; `start` (or `with`) starts it.

        Args:
            gguf: The model file.
            threads: Processor threads that compute, at least 1. More threads than free cores make
                it many times slower, not faster.
            parallel: Requests answered at the same time, at least 1; each has its own context.
            context_tokens: Prompt and reply of one request, in tokens, at least 256; the server rounds
                up to a multiple of 256.
            port: TCP port on 127.0.0.1; 0 lets the system choose a free one.
            startup_seconds: Time the model may take to load.
            name: What the server calls its model in `/v1/models`; empty: the file's path.

        Raises:
            ConfigError: A number is out of its range.
        """
        for setting, value, least in (
            ("threads", threads, 1),
            ("parallel", parallel, 1),
            ("context_tokens", context_tokens, 256),
            ("port", port, 0),
        ):
            if value < least:
                raise ConfigError(f"{setting} is {value}.", remedy=f"Give at least {least}.")
        if port > 65535:
            raise ConfigError(f"port is {port}.", remedy="Give a port from 0 to 65535.")
        if startup_seconds <= 0:
            raise ConfigError(f"startup_seconds is {startup_seconds}.", remedy="Give more than 0.")
        self.gguf = gguf
        self.threads = threads
        self.parallel = parallel
        self.context_tokens = context_tokens
        self.port = port
        self.startup_seconds = startup_seconds
        self.name = name
        self._address: str | None = None
        self._process: subprocess.Popen[str] | None = None
        self._finalizer: weakref.finalize[..., LocalServer] | None = None

    @property
    def base_url(self) -> str:
        """The root that OpenAI clients take, such as `http://127.0.0.1:34241/v1`.

        Raises:
            LocalServerError: The server is not running.
        """
        if self._address is None:
            raise LocalServerError(
                "The model server is not running.", remedy="Call start(), or use it in a `with` statement."
            )
        return f"{self._address}/v1"

    @property
    def pid(self) -> int | None:
        """Process id of the child; None when the server is not running."""
        return None if self._process is None else self._process.pid

    def start(self) -> Self:
        """Start the child and wait until it answers. A running server is left alone.

        Raises:
            ModelFileError: The model file is missing or is no GGUF.
            MissingExtraError: The server library is not installed.
            LocalServerError: The port is taken, the child ended, or it was not ready in time.
        """
        if self._process is not None:
            return self
        check_gguf(self.gguf)
        if importlib.util.find_spec("xllamacpp") is None:
            raise MissingExtraError("The embedded model", extra="local")
        self._claim_port()
        deadline = time.monotonic() + self.startup_seconds
        log = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - lives as long as the child; `_end` closes it
        command = [sys.executable, "-P", str(_SERVE), f"--gguf={self.gguf}", f"--port={self.port}"]
        command += [f"--threads={self.threads}", f"--parallel={self.parallel}"]
        command += [f"--context-tokens={self.context_tokens}", f"--name={self.name}"]
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and file, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the parent, which ends the child in good order
        )
        self._process = process
        self._finalizer = weakref.finalize(self, _end, process, log)
        with ExitStack() as on_failure:
            on_failure.callback(self.close)
            self._address = self._announced(process, log, deadline=deadline)
            self._wait_until_healthy(process, log, deadline=deadline)
            on_failure.pop_all()
        return self

    def close(self) -> None:
        """End the child. Closing twice, or before the start, does nothing."""
        if self._finalizer is not None:
            self._finalizer()
        self._finalizer = self._process = self._address = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _claim_port(self) -> None:
        if self.port == 0:
            return
        try:
            socket.create_server(("127.0.0.1", self.port)).close()
        except OSError as error:
            raise LocalServerError(
                f"The model server cannot use port {self.port}: {error.strerror}.",
                port=self.port,
                remedy="Stop the program that listens there, choose another port, or give 0 for a free one.",
            ) from error

    def _announced(self, process: subprocess.Popen[str], log: IO[bytes], *, deadline: float) -> str:
        """Wait for the child's first line and return the address in it."""
        lines: list[str] = []
        stdout = process.stdout
        assert stdout is not None  # noqa: S101 - opened as a pipe above
        reader = threading.Thread(target=lambda: lines.append(stdout.readline()), daemon=True)
        reader.start()
        reader.join(max(0.0, deadline - time.monotonic()))
        if reader.is_alive():
            # The thread must let go of the pipe before anybody closes it.
            process.kill()
            reader.join()
            raise self._too_late(log)
        if not lines or not lines[0]:
            process.wait()
            raise self._failed(f"ended with exit code {process.returncode} while starting", log)
        return str(json.loads(lines[0])["address"])

    def _wait_until_healthy(self, process: subprocess.Popen[str], log: IO[bytes], *, deadline: float) -> None:
        with httpx.Client(trust_env=False) as client:
            while process.poll() is None:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise self._too_late(log)
                try:
                    if client.get(f"{self._address}/health", timeout=left).is_success:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.02)
        raise self._failed(f"ended with exit code {process.returncode} while starting", log)

    def _too_late(self, log: IO[bytes]) -> LocalServerError:
        return self._failed(f"was not ready within {self.startup_seconds:g} s", log)

    def _failed(self, what: str, log: IO[bytes]) -> LocalServerError:
        tail = _tail(log)
        return LocalServerError(
            f"The model server for {str(self.gguf)!r} {what}."
            + (f" It last wrote:\n{tail}\n" if tail else " It wrote nothing."),
            port=self.port or None,
            remedy="Check that the file is a whole GGUF model and that memory is free;"
            " raise startup_seconds on a slow machine.",
        )


def _tail(log: IO[bytes]) -> str:
    log.seek(0)
    return log.read().decode("utf-8", errors="replace")[-_TAIL_CHARS:].strip()


def _end(process: subprocess.Popen[str], log: IO[bytes]) -> None:
    """End the child by closing its input, then by signals; free its pipes and its log."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    for harder in (process.terminate, process.kill, None):
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            if harder is not None:
                harder()
        else:
            break
    log.close()
