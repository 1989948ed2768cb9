"""What the owner of a trace file should know about this machine's SQLite, for `coreact doctor`."""

from __future__ import annotations

import sqlite3
from pathlib import Path

_RACY = ((3, 7, 0), (3, 51, 2))  # first and last version with the race
_NETWORK_FILE_SYSTEMS = frozenset(
    {"afs", "beegfs", "ceph", "cifs", "fuse.sshfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"}
)


def sqlite_advice(path: Path | None = None) -> list[str]:
    """Warnings about SQLite here, each with its remedy; empty where all is well.

    Args:
        path: a trace store, to be warned also where it lies on a network file system (Linux only).
    """
    advice = []
    if _RACY[0] <= sqlite3.sqlite_version_info <= _RACY[1]:
        advice.append(
            f"SQLite {sqlite3.sqlite_version} has a rare race that can damage a file in WAL mode when two "
            "processes write at the same instant. Let one process at a time write a trace store, or use a "
            "Python with SQLite 3.51.3 or newer."
        )
    if path is not None and (warning := network_advice(path)):
        advice.append(warning)
    return advice


def network_advice(path: Path) -> str:
    """A warning with its remedy where a file would lie on a network file system (Linux only), else empty."""
    kind = _file_system(path)
    if kind not in _NETWORK_FILE_SYSTEMS:
        return ""
    return (
        f"{path} lies on a network file system ({kind}), where SQLite's WAL mode does not work safely. "
        "Put the trace store on a local disk, with --store or COREACT_STORE."
    )


def _file_system(path: Path) -> str | None:
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return None
    whole = path.absolute().resolve()
    best: tuple[int, str] | None = None
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        _, where, kind, *_ = line.split(" ")
        folder = Path(where.replace("\\040", " "))
        if whole.is_relative_to(folder) and (best is None or len(folder.parts) >= best[0]):
            best = (len(folder.parts), kind)
    return best[1] if best else None
