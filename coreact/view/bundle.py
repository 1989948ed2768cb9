"""Runs as files: one self-contained page a run and an index, for issues and CI artifacts.

No page asks for anything: style and script stand in it, and its policy allows these two alone, by their
hashes. So it opens from a disk, and can be passed on as it is. It shows what the run holds; what needs a
server (review, filters, comparing) is left out.
"""

from __future__ import annotations

import base64
import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from coreact.errors import ConfigError
from coreact.trace import SQLiteTraceStore, summarize
from coreact.view.charts import heat_map, score_chart
from coreact.view.rendering import STATIC, environment
from coreact.view.timeline import Timeline

NEWEST = 100
"""Runs in a bundle where none are named."""


class Bundled(NamedTuple):
    """What was written."""

    path: Path
    """Its index."""
    runs: int
    left: int
    """Runs of the store that are not in it."""


def write_bundle(store: SQLiteTraceStore, folder: Path, *, runs: Sequence[str] = ()) -> Bundled:
    """Write runs as pages.

    Args:
        store: where the runs are.
        folder: where to; it is made, and pages of the same name in it are replaced.
        runs: ids, or their beginnings; empty: the newest ones.

    Returns:
        The index, and how many runs are in it and how many are not.

    Raises:
        ConfigError: the folder cannot be written.
        RunNotFoundError: an id means no run, or several; nothing is written.
        StoreError: the store cannot be read.
    """
    known = store.runs()
    chosen = [store.trajectory(one).run.id for one in runs] if runs else [one.id for one in known[:NEWEST]]
    style, script = (STATIC / "view.css").read_text("utf-8"), (STATIC / "view.js").read_text("utf-8")
    env = environment()
    env.globals.update(
        live=False,
        page_name=page_name,
        style=Markup(style),  # noqa: S704 - our own files
        script=Markup(script),  # noqa: S704
        policy=f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'",
    )
    page = env.get_template("run.html")
    summaries, scores = [], {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for run in dict.fromkeys(chosen):
            whole = store.trajectory(run)
            timeline = Timeline(whole)
            text = page.render(
                timeline=timeline,
                run=whole.run,
                end=whole.end,
                start=0,
                window=len(whole.steps),
                chart=score_chart(timeline),
                heat=heat_map(timeline),
            )
            _replace(folder / page_name(whole.run.id), text)
            summaries.append(summarize(whole))
            scores[whole.run.id] = [line.score for line in timeline.lines]
        index = folder / "index.html"
        summaries.sort(key=lambda one: (one.started_ns, one.id), reverse=True)
        text = env.get_template("index.html").render(
            runs=summaries, scores=scores, left=len(known) - len(summaries)
        )
        _replace(index, text)
    except OSError as error:
        raise ConfigError(
            f"The bundle cannot be written to {folder}: {error}.", remedy="Choose another folder."
        ) from error
    return Bundled(index, len(summaries), len(known) - len(summaries))


def page_name(run: str) -> str:
    """File name of a run's page: ids from elsewhere may hold anything, their hash may not."""
    return f"run-{hashlib.sha256(run.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}.html"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _replace(path: Path, text: str) -> None:
    """Write a page so that it is there whole or not at all."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", newline="\n", dir=path.parent, prefix=".view-", delete=False
    ) as file:
        file.write(text)
    written = Path(file.name)
    written.chmod(0o644)
    written.replace(path)
