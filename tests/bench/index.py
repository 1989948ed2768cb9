"""What a `PassageIndex` costs: seconds to build, milliseconds to search, memory in memory and mapped.

    python tests/bench/index.py [--sizes 2000 100000] [--queries 300]

Passages are synthetic: a hundred words each, drawn from 50 000 by Zipf's law, so that common words have long
lists as in real text. A query is three words of one passage. Each way to open runs in a process of its own;
`private` is memory that is the process's alone, what is mapped and can be given back is not in it.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from coreact_tools import PassageIndex

_VOCABULARY = 50_000
_WORDS = 100


def passages(count: int, seed: int = 0) -> Iterator[dict[str, str]]:
    draw = random.Random(seed)
    vocabulary = [f"w{at}x" for at in range(_VOCABULARY)]
    weights = list(accumulate(1 / (at + 10) for at in range(_VOCABULARY)))
    for at in range(count):
        words = draw.choices(vocabulary, cum_weights=weights, k=_WORDS)
        yield {"id": f"p{at:07}", "title": words[0], "text": " ".join(words)}


def queries(index: PassageIndex, count: int, seed: int = 1) -> list[str]:
    draw = random.Random(seed)
    texts = (index.passage(f"p{draw.randrange(len(index)):07}").text.split() for _ in range(count))
    return [" ".join(draw.sample(words, 3)) for words in texts]


def memory() -> dict[str, float]:
    """MB by kind, of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    kinds = {"VmRSS": "resident", "RssAnon": "private"}
    found = {
        line.partition(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.startswith(tuple(kinds))
    }
    return {name: found[kind] for kind, name in kinds.items()}


def opened(folder: Path, in_memory: bool, count: int) -> dict[str, float]:
    """Open, search, and look: in a process of its own."""
    import bm25s  # noqa: F401 - what it takes to load is not the index's

    before = memory()
    start = time.perf_counter()
    with PassageIndex.open(folder, in_memory=in_memory) as index:
        ready = time.perf_counter() - start
        asked = queries(index, count)
        times = []
        for query in asked:
            start = time.perf_counter()
            hits = index.search(query, 5)
            times.append(1000 * (time.perf_counter() - start))
            assert hits
        after = memory()
    times.sort()
    grown = {name: after[name] - before[name] for name in after}
    return {"open": ready, "median": times[len(times) // 2], "p95": times[int(len(times) * 0.95)], **grown}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[2_000, 100_000])
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--opened", nargs=2, metavar=("FOLDER", "WAY"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.opened:
        folder, way = given.opened
        sys.stdout.write(json.dumps(opened(Path(folder), way == "memory", given.queries)))
        return
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "index"
            rows = list(passages(size))
            start = time.perf_counter()
            PassageIndex.build(folder, rows).close()
            seconds = time.perf_counter() - start
            disk = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
            sys.stdout.write(f"{size:,} passages: built in {seconds:.1f} s, {disk:.0f} MB on disk\n")
            for way in ("memory", "mapped"):
                command = [
                    sys.executable,
                    __file__,
                    "--queries",
                    str(given.queries),
                    "--opened",
                    str(folder),
                    way,
                ]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                got = json.loads(done.stdout)
                sys.stdout.write(
                    f"  {way}: opened in {got['open']:.2f} s; a search {got['median']:.2f} ms (95 %: "
                    f"{got['p95']:.2f} ms); memory +{got['resident']:.0f} MB resident, "
                    f"+{got['private']:.0f} MB private\n"
                )


if __name__ == "__main__":
    main()
