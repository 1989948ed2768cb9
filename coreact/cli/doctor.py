"""`coreact doctor`: what is installed, what is missing, what is known to be risky. It changes nothing."""

from __future__ import annotations

import json
import platform
import sqlite3
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from coreact.local import status
from coreact.trace import default_store_path, sqlite_advice

_PACKAGES = (
    "coreact",
    "langgraph",
    "langchain",
    "langchain-core",
    "pydantic",
    "opentelemetry-api",
    "deepagents",
    "xllamacpp",
    "bm25s",
    "torch",
    "vllm",
)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show versions, the embedded model, the store, and warnings."""
    report = _report()
    if as_json:
        print(json.dumps(report, ensure_ascii=False))
        return
    console = Console(soft_wrap=True)
    table = Table(show_header=False, box=None)
    for name, value in {"python": report["python"], "sqlite": report["sqlite"], **report["packages"]}.items():
        table.add_row(name, value or "not installed")
    table.add_row("store", Text(report["store"]))
    model = report["model"]
    where = model["path"] if model["present"] else "not there: run `coreact local pull`"
    table.add_row("model", Text(where))
    console.print(table)
    for advice in report["warnings"]:
        console.print(f"Warning: {advice}", style="yellow", markup=False, highlight=False)


def _report() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "packages": {name: _installed(name) for name in _PACKAGES},
        "store": str(default_store_path()),
        "model": status().model_dump(mode="json"),
        "warnings": sqlite_advice(default_store_path()),
    }


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
