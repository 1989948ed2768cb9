"""`coreact bench report`, `arms` and `suites`: what was measured, and what there is to measure with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from coreact.cli.recipes import load_agent
from coreact.errors import MissingExtraError

if TYPE_CHECKING:  # a command line that starts quickly imports NumPy and its kin only to measure
    from coreact.bench.experiment import Notebook

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def report(
    folder: Annotated[Path, typer.Argument(help="What `coreact bench run … --out` wrote.")],
    as_json: JsonFlag = False,
) -> None:
    """Add an experiment up, write report.html and report.json beside it, and print the tables."""
    require_extra()
    from coreact.bench.experiment import read_notebook

    show(read_notebook(folder), as_json=as_json)


def show(notebook: Notebook, *, as_json: bool, left: int = 0, why: str | None = None) -> None:
    """Write both reports into the experiment's folder and print one.

    Args:
        notebook: the experiment.
        as_json: print JSON instead of tables.
        left: episodes that were not run.
        why: why they were not.
    """
    from coreact.bench.report import report as added_up
    from coreact.bench.report import tables, write_report

    assert notebook.manifest is not None  # noqa: S101 - whoever read or ran it saw to it
    found = added_up(notebook.manifest, notebook.outcomes)
    write_report(found, notebook.folder)
    if as_json:
        whole = {**found.model_dump(mode="json"), "folder": str(notebook.folder), "left": left, "why": why}
        print(json.dumps(whole))
        return
    console = Console()
    for part in tables(found):
        console.print(part)
    console.print(Text(f"Report  {notebook.folder / 'report.html'}"), soft_wrap=True)


def arms(as_json: JsonFlag = False) -> None:
    """The arms: ways to work that can be compared."""
    require_extra()
    from coreact.bench.arms import known_arms

    known = known_arms(lambda name: load_agent(name).build)
    if as_json:
        print(
            json.dumps([{"name": a.name, "about": a.about, "settings": a.settings} for a in known.values()])
        )
        return
    _print("arm", {arm.name: arm.about for arm in known.values()})


def suites(as_json: JsonFlag = False) -> None:
    """The suites: tasks, and how they are measured."""
    require_extra()
    from coreact.bench.suites import suite_names, suite_options

    names = suite_names()
    if as_json:
        rows = [{"name": n, "about": about, "options": suite_options(n)} for n, about in names.items()]
        print(json.dumps(rows))
        return
    _print(
        "suite",
        {name: f"{about} Options: {', '.join(suite_options(name))}." for name, about in names.items()},
    )


def require_extra() -> None:
    """Refuse to go on without the bench's packages.

    Raises:
        MissingExtraError: one is not installed.
    """
    from importlib.util import find_spec

    if any(find_spec(name) is None for name in ("bm25s", "jinja2", "matplotlib", "scipy")):
        raise MissingExtraError("The bench", extra="bench")


def _print(what: str, rows: dict[str, str]) -> None:
    shown = Table(box=box.SIMPLE_HEAD)
    shown.add_column(what, no_wrap=True)
    shown.add_column("what it is")
    for name, about in rows.items():
        shown.add_row(Text(name), Text(about))
    Console().print(shown)
