"""What ran an experiment: command line, versions of the packages that decide results, git revision."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import coreact
from coreact.bench.experiment.records import Session

PACKAGES = (
    "bm25s",
    "langchain",
    "langchain-core",
    "langchain-openai",
    "langgraph",
    "numpy",
    "pydantic",
    "scipy",
    "xllamacpp",
)


def this_session(command: Sequence[str]) -> Session:
    """This start of the command."""
    packages = {"coreact": coreact.__version__}
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return Session(
        command=tuple(command),
        began=datetime.now(UTC).isoformat(timespec="seconds"),
        python=platform.python_version(),
        packages=packages,
        revision=_revision(Path(coreact.__file__).parent),
    )


def _revision(folder: Path) -> str | None:
    """Of the checkout the package runs from; None where it is installed, or there is no git."""
    git = shutil.which("git")
    if git is None:
        return None
    tracked = _git(git, folder, "ls-files", "--error-unmatch", "__init__.py")
    head = _git(git, folder, "rev-parse", "HEAD")
    if tracked is None or head is None:
        return None
    return f"{head}+changes" if _git(git, folder, "status", "--porcelain", "-uno") else head


def _git(git: str, folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            [git, *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
