"""A rubric under version control: its content, the bundle it was made from, who made it and why, one lock.

Rubrics are an attack surface (arXiv 2602.13576): a small edit can move what agents prefer. A bundle makes
every edit visible. Its lock is a hash over all that stands in it and holds no time, so that equal content
has one lock on any machine and day; its parent is the lock of the bundle before it. Loading computes the
lock again and refuses what was changed since. The lock shows *that* something changed, not who did it: it
is no signature, and whoever can write the file can lock it anew. Whether a change is for the better is
decided by `coreact.generate.drift`.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError

from coreact.errors import RubricLockError, RubricParseError
from coreact.rubric.canonical import canonical_json, digest
from coreact.rubric.load import load_rubric
from coreact.rubric.rubric import Rubric
from coreact.rubric.state import Record

FORMAT = "coreact.bundle.1"
"""Stands in every stored bundle."""

_REMEDY = "Give a file that `coreact rubric lock` wrote."
_PARTS = ("format", "lock", "rubric", "parent", "author", "note")


class RubricBundle(Record):
    """A rubric with its history, locked as a whole."""

    rubric: Rubric
    parent: str | None = Field(default=None, min_length=1)
    """Lock of the bundle that this one was made from; None for the first."""
    author: str = ""
    """Who made it, as they call themselves."""
    note: str = ""
    """What was changed and why."""

    @cached_property
    def lock(self) -> str:
        """Content hash over the rubric, its parent, author and note; equal content, equal lock."""
        about = self.model_dump(exclude={"rubric"}, exclude_defaults=True)
        return digest({"rubric": self.rubric.lock, **about})

    def follows(self, other: RubricBundle) -> bool:
        """Whether it says of itself that it was made from `other`."""
        return self.parent == other.lock

    def artefact(self) -> bytes:
        """The bundle with its lock, as canonical JSON (RFC 8785).

        Raises:
            RubricParseError: a check of the rubric holds a value that JSON has no form for (infinity, an
                integer beyond 2**53), so that it could not be read back as it is.
        """
        about = self.model_dump(exclude_defaults=True)
        content = canonical_json({"format": FORMAT, "lock": self.lock, **about})
        try:
            same = self.read(content).lock == self.lock
        except (RubricParseError, RubricLockError):
            same = False
        if not same:
            raise RubricParseError(
                "a check holds a value that JSON has no form for",
                where="criteria",
                remedy="Use finite numbers, and integers below 2**53.",
            )
        return content

    def save(self, path: Path) -> None:
        """Write the bundle; a reader of the file sees the old one or the new one, never a part.

        Raises:
            OSError: it cannot be written; what was there before still is.
            RubricParseError: see `artefact`.
        """
        content = self.artefact()
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content + b"\n")
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:  # whatever it was, also Ctrl-C: it goes on, but leaves no part of a file
            Path(name).unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a bundle and verify its lock.

        Raises:
            RubricParseError: the file cannot be read, or holds no bundle.
            RubricLockError: its content is not what its lock says.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RubricParseError(
                f"it cannot be read: {error.strerror or error}", where="file", path=path
            ) from error
        return cls.read(content, path=path)

    @classmethod
    def read(cls, content: str | bytes, *, path: Path | None = None) -> Self:
        """Read a bundle from JSON and verify its lock.

        Args:
            content: JSON text; in another order or with other white space than `artefact` writes it is the
                same bundle.
            path: where it comes from, for errors.

        Raises:
            RubricParseError: it is no bundle.
            RubricLockError: its content is not what its lock says.
        """
        try:
            fields = _fields(content)
            rubric = load_rubric(fields["rubric"])
            bundle = cls(rubric=rubric, **{name: fields[name] for name in _PARTS[3:] if name in fields})
        except RubricParseError as error:
            where = f"rubric.{error.where}" if error.where and error.line is None else error.where
            raise RubricParseError(
                error.reason, line=error.line, where=where, path=path, remedy=error.remedy
            ) from error
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            raise RubricParseError(first["msg"], where=field, path=path, remedy=_REMEDY) from error
        stored = fields["lock"]
        if stored != bundle.lock:
            raise RubricLockError(
                f"The bundle is not what its lock says: {stored} is stored, {bundle.lock} is its content's.",
                stored=stored,
                computed=bundle.lock,
                path=path,
                remedy="Get the original back; or look at what changed, and lock it as a new bundle.",
            )
        return bundle


def is_bundle(content: str | bytes) -> bool:
    """Whether a text means to be a bundle: a JSON object with a `lock` and a `rubric`."""
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(fields, Mapping) and "lock" in fields and "rubric" in fields


def _fields(content: str | bytes) -> dict[str, Any]:
    try:
        fields = json.loads(content, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise RubricParseError(
            f"it is no valid JSON: {error.msg}", line=error.lineno, remedy=_REMEDY
        ) from error
    except (ValueError, RecursionError) as error:
        raise RubricParseError(f"it cannot be read: {error}", remedy=_REMEDY) from error
    if not isinstance(fields, dict):
        raise RubricParseError("it is no bundle", remedy=_REMEDY)
    if fields.get("format") != FORMAT:
        raise RubricParseError(f"its format is not {FORMAT}", where="format", remedy=_REMEDY)
    if strange := sorted(set(fields) - set(_PARTS)):
        # It would not be under the lock.
        raise RubricParseError(f"there is no such field as {strange[0]!r}", where="bundle", remedy=_REMEDY)
    for name, kind in (("lock", str), ("rubric", dict)):
        if not isinstance(fields.get(name), kind):
            raise RubricParseError("it is missing or of the wrong type", where=name, remedy=_REMEDY)
    return fields


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    whole = dict(pairs)
    if len(whole) != len(pairs):  # readers differ in which of two equal names they take
        raise RubricParseError("a name stands twice in one object", remedy=_REMEDY)
    return whole
