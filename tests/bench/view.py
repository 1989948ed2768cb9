"""How quickly the viewer opens: a run of 1,000 steps in Chromium, and the list of 100,000 runs.

`python tests/bench/view.py` prints seconds and kilobytes; `--steps` and `--runs` make them smaller. The
browser's time is from the request to the end of loading, with layout and the next frame drawn. Without a
browser only the server is measured. Nothing here asserts on time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from starlette.testclient import TestClient

from coreact.testing.store_suite import record_into, sample_trajectory
from coreact.trace import RunEnd, RunRecord, SQLiteTraceStore
from coreact.view import create_app
from coreact.view.listing import facets
from coreact.view.server import serve

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update"]  # fmt: skip


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def browser() -> str | None:
    """A browser to measure with."""
    named = os.environ.get("COREACT_CHROMIUM")
    return named or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )


def timed(what: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Least and median seconds."""
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        what()
        taken.append(time.perf_counter() - started)
    return min(taken), statistics.median(taken)


def long_run(store: SQLiteTraceStore, steps: int) -> None:
    """Store one long judged run, its observations 2 kB each."""
    whole = sample_trajectory("long", steps=steps)
    seen = tuple(
        one.model_copy(update={"text": (one.text or "nothing ")[:9] * 220}) for one in whole.observations
    )
    record_into(store, whole.model_copy(update={"observations": seen}))
    store.flush()


def in_browser(store: SQLiteTraceStore, address: str, rounds: int) -> None:
    """Open the long run in Chromium."""
    path = browser()
    if path is None:
        say("browser       none found")
        return
    from playwright.sync_api import sync_playwright

    ready = threading.Event()
    root: list[str] = []
    threading.Thread(
        target=serve,
        args=(store,),
        kwargs={"reviewer": "bench", "ready": lambda url: (root.append(url), ready.set())},
        daemon=True,
    ).start()
    ready.wait(30)
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=path, args=FLAGS)
        seconds, sent, nodes, timing = [], 0, 0, [0, 0, 0]
        for _ in range(rounds):
            page = chromium.new_context().new_page()
            started = time.perf_counter()
            page.goto(root[0].rstrip("/") + address, wait_until="load")
            page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)))")
            seconds.append(time.perf_counter() - started)
            sent = page.evaluate(
                "() => performance.getEntriesByType('navigation')[0].transferSize"
                " + performance.getEntriesByType('resource').reduce((sum, one) => sum + one.transferSize, 0)"
            )
            timing = page.evaluate(
                "() => { const t = performance.getEntriesByType('navigation')[0];"
                " return [t.responseEnd, t.domContentLoadedEventEnd, t.loadEventEnd].map(Math.round) }"
            )
            nodes = page.evaluate("() => document.querySelectorAll('*').length")
            page.keyboard.press("j")
            page.context.close()
        chromium.close()
    say(
        f"browser       {seconds[0]:.2f} s the first time (the run is read),"
        f" then {min(seconds[1:] or seconds):.2f} s least,"
        f" {statistics.median(seconds):.2f} s median of all {rounds},"
        f" {sent / 1000:.0f} kB, {nodes:,} elements;"
        f" the last one: reply read after {timing[0]} ms, parsed {timing[1]} ms, loaded {timing[2]} ms"
    )


def many_runs(folder: Path, runs: int, rounds: int) -> None:
    """The first page of a long list."""
    store = SQLiteTraceStore(folder / "many.db")
    step = sample_trajectory("one", steps=1).steps[0]
    for number in range(runs):
        run = f"run-{number:07d}"
        store.start(
            RunRecord(
                id=run, question=f"Question {number % 5000}?", agent=f"agent-{number % 7}", started_ns=number
            )
        )
        store.step(step.model_copy(update={"run": run}))
        store.end(RunEnd(run=run, status="done", score=number % 11 / 10, ended_ns=number + 5))
    store.flush()
    size = store.path.stat().st_size / 1e6
    with TestClient(create_app(store, reviewer="bench"), base_url="http://127.0.0.1") as client:
        say(f"list          {runs:,} runs, {size:.0f} MB")
        for what, address in (
            ("first page", "/"),
            ("question", "/?question=Question+49"),
            ("no match", "/?question=nothing+like+it"),
            ("agent", "/?agent=agent-3"),
            ("score", "/?min_score=0.95"),
            ("review", "/review"),
        ):
            least, median = timed(lambda address=address: client.get(address).raise_for_status(), rounds)
            say(f"  {what:<12}{1000 * least:7.0f} ms least,{1000 * median:7.0f} ms median of {rounds}")
    least, median = timed(lambda: store.runs(51), rounds)
    say(f"  runs(51)    {1000 * least:7.0f} ms least,{1000 * median:7.0f} ms median (the store alone)")
    least, median = timed(lambda: facets(store), rounds)
    say(f"  facets      {1000 * least:7.0f} ms least,{1000 * median:7.0f} ms median")
    store.close()


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--steps", type=int, default=1_000)
    asked.add_argument("--runs", type=int, default=100_000)
    asked.add_argument("--rounds", type=int, default=5)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = SQLiteTraceStore(folder / "long.db")
        long_run(store, given.steps)
        with TestClient(create_app(store, reviewer="bench"), base_url="http://127.0.0.1") as client:
            for what, address in (
                ("read", None),
                ("run page", "/run?id=long"),
                ("one step", f"/step?id=long&step={given.steps // 2}"),
                ("raw prompt", f"/prompt?id=long&part=1&step={given.steps}"),
            ):
                act = (lambda: store.trajectory("long")) if address is None else (
                    lambda address=address: client.get(address).raise_for_status()
                )  # fmt: skip
                least, median = timed(act, given.rounds)
                size = "" if address is None else f", {len(client.get(address).content) / 1000:.0f} kB"
                say(f"{what:<14}{least:.2f} s least, {median:.2f} s median of {given.rounds}{size}")
        in_browser(store, "/run?id=long", given.rounds)
        store.close()
        if given.runs:
            many_runs(folder, given.runs, given.rounds)


if __name__ == "__main__":
    main()
