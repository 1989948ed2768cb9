"""What a run was made from and what happened in it: one file beside the weights, kept up to date.

Settings with all defaults, digests of points and rows, the revision of this library, versions of what it
stands on, and for each stage its rows and what became of its rewards. A folder whose record names another
recipe or other points is left alone.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from pydantic import ValidationError

from coreact import __version__
from coreact.errors import ConfigError, ExperimentMismatchError
from coreact.generate.prompt import step_version
from coreact.generate.reading import READER
from coreact.rubric import Record
from coreact.trace.lines import write_whole
from coreact.train.fitting.kept import Kept
from coreact.train.fitting.material import Material
from coreact.train.fitting.stages import Ended
from coreact.train.recipes import Recipe, parse_recipe, recipe_text
from coreact.train.saving import saving

RECORD = "run.json"
"""Name of the file."""
RECIPE = "recipe.toml"
"""Name of the recipe beside it, with all defaults filled in."""

_PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "tokenizers", "vllm")


class StageRecord(Record):
    """One stage of a run."""

    method: str
    material: Material | None = None
    ended: Ended | None = None


class RunRecord(Record):
    """A run, exactly enough to do it again and to see whether something was changed."""

    name: str
    coreact: str = __version__
    revision: str = ""
    """Git revision of this library, with `-dirty` where files were changed; empty outside a checkout."""
    versions: dict[str, str]
    """Of Python and of the packages that training stands on."""
    machine: str
    prompt: str
    """Version of the prompts."""
    reader: int
    """Version of the reader of replies."""
    points: int
    """Points that were trained on."""
    points_sha256: str
    """Digest of the file of those that can be learned from."""
    left_out: dict[str, int]
    """Points that were not, by reason."""
    sources: dict[str, str]
    """SHA-256 of the files that the points come from, by name."""
    stages: tuple[StageRecord, ...]
    finished: bool = False

    def with_stage(self, at: int, **told: Material | Ended) -> RunRecord:
        """The record with what is told of a stage: its `material`, or how it `ended`."""
        stage = self.stages[at].model_copy(update=told)
        return self.model_copy(update={"stages": (*self.stages[:at], stage, *self.stages[at + 1 :])})


def check_folder(recipe: Recipe, out: Path) -> RunRecord | None:
    """See that a folder is free, or holds a run of this recipe: before anything is written there.

    Returns:
        The record of the run that it holds, which goes on.

    Raises:
        ExperimentMismatchError: it holds a run with another recipe, other prompts or another reader.
        ConfigError: what is in the folder cannot be read.
    """
    known = read_run(out)
    if known is None:
        return None
    record, old = known
    differences = _differences(old.model_dump(), recipe.model_dump())
    now = {"prompt": step_version(recipe.prompt.form), "reader": READER}
    differences += [
        f"{name} was version {getattr(record, name)}, and is {version}"
        for name, version in now.items()
        if getattr(record, name) != version
    ]
    if differences:
        raise ExperimentMismatchError(out, tuple(differences))
    return record


def begin(recipe: Recipe, out: Path, points: Kept, *, sources: Mapping[str, str]) -> RunRecord:
    """Begin a run in a free folder: its recipe and its record.

    Raises:
        StoreError: the disk is full.
    """
    with saving(out / RECIPE):
        write_whole(out / RECIPE, recipe_text(recipe))
    record = RunRecord(
        name=recipe.name,
        revision=_revision(),
        versions=_versions(),
        machine=f"{platform.system()} {platform.machine()}",
        prompt=step_version(recipe.prompt.form),
        reader=READER,
        points=len(points),
        points_sha256=points.sha256,
        left_out=points.left_out,
        sources=dict(sorted(sources.items())),
        stages=tuple(StageRecord(method=stage.method) for stage in recipe.stage),
    )
    write_run(record, out)
    return record


def write_run(record: RunRecord, out: Path) -> None:
    """Write the record as it now stands.

    Raises:
        StoreError: the disk is full.
    """
    with saving(out / RECORD):
        write_whole(out / RECORD, record.model_dump_json(indent=1) + "\n")


def read_run(out: Path) -> tuple[RunRecord, Recipe] | None:
    """The record and the recipe of the run in a folder; None where there is none.

    Raises:
        ConfigError: they cannot be read.
    """
    path = out / RECORD
    if not path.is_file():
        return None
    try:
        record = RunRecord.model_validate_json(path.read_text(encoding="utf-8"))
        return record, parse_recipe((out / RECIPE).read_text(encoding="utf-8"), where=str(out / RECIPE))
    except (OSError, ValidationError) as failure:
        raise ConfigError(
            f"The run in {str(out)!r} cannot be read: {str(failure).splitlines()[0]}.",
            remedy="Give another folder, or remove this one.",
        ) from failure


def _differences(old: Mapping[str, object], new: Mapping[str, object], where: str = "") -> list[str]:
    found: list[str] = []
    for name in sorted({*old, *new}):
        before, now = old.get(name), new.get(name)
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            found += _differences(before, now, f"{where}{name}.")
        elif before != now:
            found.append(f"{where}{name} was {before!r}, and is {now!r}")
    return found


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _revision() -> str:
    git = shutil.which("git")
    here = Path(__file__).resolve()
    # The first one fails where this library lies in a checkout of something else, as in an environment.
    commands = (
        ["ls-files", "--error-unmatch", here.name],
        ["rev-parse", "HEAD"],
        ["status", "--porcelain", "--untracked-files=no", str(here.parents[2])],
    )
    said = []
    for command in commands if git else ():
        try:
            done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
                [str(git), "-C", str(here.parent), *command],
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        if done.returncode != 0:
            return ""
        said.append(done.stdout.strip())
    return said[1] + ("-dirty" if said[2] else "") if said else ""
