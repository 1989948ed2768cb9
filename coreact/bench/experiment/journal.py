"""The folder of an experiment: `manifest.json`, `episodes.jsonl`, and `traces.db` with the judged runs.

An experiment that was stopped goes on here. A session under other settings would mix two experiments in one
table, so it is refused, and the error names the difference. More arms, seeds or tasks are no difference: they
are more of the same.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from coreact.bench.experiment.records import Key, Manifest, Outcome
from coreact.errors import ExperimentMismatchError, LabelFileError
from coreact.rubric.canonical import digest
from coreact.trace.journal import Journal
from coreact.trace.lines import write_whole

MANIFEST, EPISODES, TRACES = "manifest.json", "episodes.jsonl", "traces.db"


class Notebook:
    """The manifest and outcomes of an experiment in a folder.

    Args:
        folder: made by the first outcome where there is none.

    Raises:
        LabelFileError: a file of it cannot be used. A last line torn by a kill is cut off, and its episode
            is run again; reading alone changes nothing, since a session may be writing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._journal: Journal[Outcome] = Journal(folder / EPISODES, Outcome)
        self._outcomes = {one.key: one for one in self._journal.records}
        self.manifest = _read_manifest(folder / MANIFEST)

    @property
    def traces(self) -> Path:
        """The trace store of its judged runs."""
        return self.folder / TRACES

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """One for each episode, the last where it was tried again, ordered by seed, task and arm."""
        return tuple(sorted(self._outcomes.values(), key=lambda one: (one.seed, one.task, one.arm)))

    @property
    def attempts(self) -> tuple[Outcome, ...]:
        """All that were ever made, those included that were tried again: each has cost something."""
        return tuple(self._journal.records)

    def done(self, key: Key) -> bool:
        """Whether the episode need not run any more."""
        found = self._outcomes.get(key)
        return found is not None and not found.passing

    def add(self, outcome: Outcome) -> None:
        """Write an outcome behind the others."""
        self._journal.add(outcome)
        self._outcomes[outcome.key] = outcome

    def open(self, manifest: Manifest) -> Manifest:
        """Begin a session.

        Args:
            manifest: what it runs, with one session.

        Returns:
            The manifest of all sessions so far, as it was written.

        Raises:
            ExperimentMismatchError: the folder holds an experiment under other settings.
        """
        before = self.manifest
        if before is not None:
            if found := differences(before, manifest):
                raise ExperimentMismatchError(self.folder, found)
            manifest = manifest.model_copy(
                update={
                    "arms": before.arms | manifest.arms,
                    "control": before.control,
                    "seeds": tuple(sorted({*before.seeds, *manifest.seeds})),
                    "tasks": max(before.tasks, manifest.tasks),
                    "sessions": before.sessions + manifest.sessions,
                }
            )
        write_whole(self.folder / MANIFEST, json.dumps(manifest.model_dump(mode="json"), indent=1) + "\n")
        self.manifest = manifest
        return manifest


def read_notebook(folder: Path) -> Notebook:
    """An experiment that was run.

    Raises:
        LabelFileError: there is none in the folder, or a file of it cannot be used.
    """
    found = Notebook(folder)
    if found.manifest is None:
        raise LabelFileError(
            f"There is no experiment in {folder}.",
            path=folder / MANIFEST,
            remedy="Name the folder that `coreact bench run … --out` wrote.",
        )
    return found


def differences(before: Manifest, now: Manifest) -> tuple[str, ...]:
    """In what two sessions are not the same experiment, one line each."""
    found = [
        f"{name}: {getattr(before, name)!r} there, {getattr(now, name)!r} here"
        for name in ("suite", "suite_version")
        if getattr(before, name) != getattr(now, name)
    ]
    # Compared as they are written: a tuple comes back from JSON as a list.
    found += [
        f"{name}: {before.settings.get(name)!r} there, {now.settings.get(name)!r} here"
        for name in sorted(before.settings.keys() | now.settings.keys())
        if digest([before.settings.get(name)]) != digest([now.settings.get(name)])
    ]
    found += [
        f"arm {name!r}: {before.arms[name].settings} there, {now.arms[name].settings} here"
        for name in sorted(before.arms.keys() & now.arms.keys())
        if digest(before.arms[name].settings) != digest(now.arms[name].settings)
    ]
    return tuple(found)


def _read_manifest(path: Path) -> Manifest | None:
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LabelFileError(f"{path} cannot be read: {error.strerror}.", path=path) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise LabelFileError(
            f"{path} is no manifest of an experiment: {'.'.join(map(str, first['loc']))}: {first['msg']}.",
            path=path,
            remedy="It was written by another version or changed by hand; use another folder.",
        ) from error
