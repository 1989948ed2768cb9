"""The child process that holds the model: it serves until its standard input ends.

The server library lives and dies with the process it runs in, and a crash in its native code must
not take the user's program along, so it gets a process of its own. The process ends when its
standard input ends, which the kernel brings about however the parent dies; a parent whose other
children hold the pipe open is noticed by the change of the parent's process id.

It announces itself with one JSON line on standard output, `{"address": "http://127.0.0.1:PORT"}`;
all else that is printed, by native code too, goes to standard error. It imports nothing of ours,
so that it runs as a plain file.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading

_PARENT_POLL_SECONDS = 1.0
_PROMPT_CACHE_MIB = 256
"""Memory for prompts that no slot holds any more; the library's default would be 8 GiB."""


def main(arguments: list[str] | None = None) -> None:
    """Load the model, announce the address, serve until the parent goes.

    Exits with code 1 when the server does not start (the reason stands on standard error).
    """
    parser = argparse.ArgumentParser(description="Serve one GGUF file on the loopback interface.")
    parser.add_argument("--gguf", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--parallel", type=int, required=True)
    parser.add_argument("--context-tokens", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--name", default="")
    options = parser.parse_args(arguments)

    parent = os.getppid()
    announcement = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = options.gguf
    params.hostnames = ["127.0.0.1"]
    params.port = options.port
    params.n_parallel = options.parallel
    params.n_ctx = options.context_tokens * options.parallel
    params.fit_params = False  # else the context shrinks silently on a machine short of memory
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads
    params.use_jinja = True
    params.cache_prompt = True
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    params.ui = False
    params.cors_origins = "http://127.0.0.1"  # no page in the user's browser may read the answers
    params.verbosity = 2
    if options.name:
        params.model_alias = {options.name}
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        sys.exit(f"{error}")
    announcement.write(json.dumps({"address": server.listening_address}) + "\n")
    announcement.flush()
    _wait_for_parent(parent)
    # The native shutdown waits for running requests; nothing here is worth waiting for.
    os._exit(0)


def _wait_for_parent(parent: int) -> None:
    ended = threading.Event()

    def drain() -> None:
        while os.read(0, 4096):
            pass
        ended.set()

    threading.Thread(target=drain, daemon=True).start()
    while not ended.wait(_PARENT_POLL_SECONDS):
        if os.getppid() != parent:
            return


if __name__ == "__main__":
    main()
