"""What the trace store costs, as ratios to bare sqlite3 measured in the same run.

    python tests/bench/store.py                     # 20,000 steps, one process and eight
    python tests/bench/store.py --steps 5000
    python tests/bench/store.py --runs 100000       # and how long a list of that many runs takes

The step that is stored: a judged one of about 2 kB, one attempt, four verdicts, 1.3 kB of new messages,
and a rubric that is either the same for all steps or a new one for each. Bare sqlite3 stores the step,
without its rubric, as one JSON text of that size with its SHA-256 in one row of one table without index,
50 rows a transaction: less than any trace store can do. Disks and neighbours differ, so read the ratios.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import sqlite3
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from coreact.judge import Cost, Judgement, Verdict
from coreact.rubric import Action, Criterion, Rubric, ToolCall, ToolIs
from coreact.trace import Attempt, RunRecord, SQLiteTraceStore, StepRecord

STEPS_A_RUN = 20
PROCESSES = 8


def rubric(number: int = 0) -> Rubric:
    """Four criteria with a check each."""
    return Rubric(
        criteria=tuple(
            Criterion(id=f"c{k}", text=f"Criterion {k} of {number}", check=ToolIs(tools=("search",)))
            for k in range(4)
        )
    )  # fmt: skip


def steps(count: int, *, name: str, fresh_rubric: bool) -> Iterator[StepRecord]:
    """Judged steps of runs with 20 each; whatever differs between steps differs here."""
    shared = rubric()
    verdicts = tuple(
        Verdict(criterion=f"c{k}", reason="search is one of search", status="met") for k in range(4)
    )
    template = StepRecord(
        run="", index=0, node="model", generator="heuristic@1", guidance="Next step:\n1. Search",
        dispositions=("run",), cost=Cost(calls=1, input_tokens=900, output_tokens=40, seconds=0.8),
    )  # fmt: skip
    attempt = Attempt(index=0, source="first", message={}, selected=True)
    for number in range(count):
        last = f"call-{number - 1}"
        guided_by = rubric(number) if fresh_rubric else shared
        index, query = number % STEPS_A_RUN, f"{name} {number} " + "w" * 90
        judged = Judgement(
            rubric=guided_by.lock, verdicts=verdicts, score=1.0, passed=True, judged=4, total=4
        )
        call = {"name": "search", "args": {"query": query}, "id": f"call-{number}", "type": "tool_call"}
        action = Action(call=ToolCall(name="search", arguments={"query": query}, id=call["id"]))
        tried = {
            "message": {"type": "ai", "data": {"content": "", "tool_calls": [call]}},
            "actions": (action,),
            "judgements": (judged,),
        }
        yield template.model_copy(
            update={
                "run": f"{name}-{number // STEPS_A_RUN}",
                "index": index,
                "state_digest": f"coreact.json.1:{number:064d}",
                "rubric": guided_by,
                "prompt_kept": 2 * index,
                "prompt_added": (
                    {"type": "tool", "data": {"content": f"{query} " + "y" * 900, "tool_call_id": last}},
                    {"type": "human", "data": {"content": f"{number} " + "z" * 200}},
                ),
                "attempts": (attempt.model_copy(update=tried),),
            }
        )


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")


def timed(work: Callable[[], object]) -> float:
    """Seconds that it took."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def store_steps(path: Path, count: int, *, name: str = "run", fresh_rubric: bool = False) -> float:
    """Seconds from the first record to the last one being in the file, without making the records."""
    making = timed(lambda: [None for _ in steps(count, name=name, fresh_rubric=fresh_rubric)])
    store = SQLiteTraceStore(path)

    def work() -> None:
        for step in steps(count, name=name, fresh_rubric=fresh_rubric):
            if step.index == 0:
                store.start(RunRecord(id=step.run, question="Which river?"))
            store.step(step)
        store.flush()

    seconds = timed(work) - making
    store.close()
    return seconds


def bare(path: Path, count: int, *, name: str = "run") -> float:
    """Seconds that sqlite3 alone takes for the same content in one table."""
    documents = [
        step.model_dump(exclude={"rubric"}, exclude_defaults=True)
        for step in steps(min(count, 2000), name=name, fresh_rubric=False)
    ]
    with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS step (run TEXT, idx INTEGER, sha TEXT, body TEXT) STRICT"
        )

        def work() -> None:
            for at in range(0, count, 50):
                connection.execute("BEGIN IMMEDIATE")
                for number in range(at, min(at + 50, count)):
                    body = json.dumps(documents[number % len(documents)], sort_keys=True)
                    sha = hashlib.sha256(body.encode()).hexdigest()
                    connection.execute("INSERT INTO step VALUES (?, ?, ?, ?)", (name, number, sha, body))
                connection.execute("COMMIT")

        return timed(work)


def _process(kind: str, path: Path, count: int, number: int) -> None:
    warnings.simplefilter("error")  # a busy file would warn
    if kind == "bare":
        bare(path, count, name=f"p{number}")
    else:
        store_steps(path, count, name=f"p{number}")


def together(kind: str, path: Path, count: int) -> float:
    """Seconds for eight processes that write one file at once, start-up left out.

    Raises:
        RuntimeError: one of them failed.
    """
    if kind == "bare":  # SQLite does not wait for a lock while it changes the mode of a new file
        bare(path, 0)
    context = multiprocessing.get_context("fork")
    running = [
        context.Process(target=_process, args=(kind, path, count // PROCESSES, n)) for n in range(PROCESSES)
    ]
    started = time.perf_counter()
    for one in running:
        one.start()
    for one in running:
        one.join()
    if any(one.exitcode for one in running):
        raise RuntimeError(f"writing together failed: {[one.exitcode for one in running]}")
    return time.perf_counter() - started


def listing(folder: Path, runs: int) -> None:
    """How long the newest 20 of many runs take to list."""
    store = SQLiteTraceStore(folder / "many.db")
    for number, step in enumerate(steps(runs, name="m", fresh_rubric=False)):
        store.start(RunRecord(id=f"many-{number}", question=f"Question {number}?", started_ns=number))
        store.step(step.model_copy(update={"run": f"many-{number}", "index": 0}))
    store.flush()
    seconds = [timed(lambda: store.runs(20)) for _ in range(5)]
    say(f"list the newest 20 of {runs:,} runs: {1000 * min(seconds):.1f} to {1000 * max(seconds):.1f} ms")
    store.close()


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    count = arguments.steps
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for round_ in range(arguments.rounds):
            files = [folder / f"{round_}-{what}.db" for what in ("bare", "same", "fresh", "bare8", "store8")]
            alone = bare(files[0], count)
            same = store_steps(files[1], count)
            fresh = store_steps(files[2], count, fresh_rubric=True)
            for what, seconds in (("one rubric", same), ("a new rubric each step", fresh)):
                say(
                    f"one process, {what}: {count / seconds:,.0f} judged steps/s,"
                    f" {seconds / alone:.2f} x the time of bare sqlite3 ({count / alone:,.0f} rows/s)"
                )
            alone, same = together("bare", files[3], count), together("store", files[4], count)
            say(
                f"{PROCESSES} processes, one file: {count / same:,.0f} judged steps/s (making them included),"
                f" {same / alone:.2f} x bare sqlite3 ({count / alone:,.0f} rows/s)"
            )
            with closing(sqlite3.connect(files[4])) as connection:
                stored = connection.execute("SELECT count(*) FROM step").fetchone()[0]
            say(f"  {stored:,} of {count // PROCESSES * PROCESSES:,} steps in the file, no busy error")
            own, bare_ = (files[at].stat().st_size / count for at in (1, 0))
            say(f"  bytes a step: {own:,.0f}, bare {bare_:,.0f}")
        if arguments.runs:
            listing(folder, arguments.runs)


if __name__ == "__main__":
    main()
