"""A process between us and a server of others, which ends that server however we end.

A server that is our child outlives us if we are killed (SIGKILL, SIGTERM, no memory left), and keeps its
gigabytes and its port. So it is the child of this process, whose standard input is a pipe that we hold: the
kernel closes it with us, and then this process ends the server with all that the server started. It imports
nothing of ours, so that it runs as a plain file: `python -P kept.py COMMAND …`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

_END_SECONDS = 15.0
"""Time that the server has after SIGTERM."""


def main(command: list[str]) -> int:
    """Run the command until it ends or standard input does; returns its exit code, 127 if it cannot start."""
    try:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603
    except OSError as error:
        print(f"cannot start: {error}", file=sys.stderr)  # noqa: T201 - it goes to the log
        return 127
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _end(server))
    threading.Thread(target=_watch, args=(server,), daemon=True).start()
    code = server.wait()
    _signal(server, signal.SIGKILL)  # what it started and left behind
    return code if code >= 0 else 128 - code


def _watch(server: subprocess.Popen[bytes]) -> None:
    while os.read(0, 4096):
        pass
    _end(server)


def _end(server: subprocess.Popen[bytes]) -> None:
    _signal(server, signal.SIGTERM)
    timer = threading.Timer(_END_SECONDS, _signal, (server, signal.SIGKILL))
    timer.daemon = True
    timer.start()


def _signal(server: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(OSError):  # it has ended
        os.killpg(server.pid, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
