"""The record of a trained generator: what it vouches for, and what it refuses."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from coreact.errors import ConfigError, ModelFileError
from coreact.generate.prompt import step_version
from coreact.generate.reading import READER
from coreact.generate.trained import (
    GeneratorRecord,
    GeneratorWarning,
    check_versions,
    describe,
    read_folder,
    write_record,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model" / "parts").mkdir(parents=True)
    (tmp_path / "model.gguf").write_bytes(b"GGUF weights")
    (tmp_path / "model" / "parts" / "one.safetensors").write_bytes(b"weights")
    (tmp_path / "card.md").write_text("A card.")
    write_record(tmp_path, describe(tmp_path, name="small", form="sheet", base="new"))
    return tmp_path


def test_it_names_the_weights_the_form_and_the_versions(folder: Path) -> None:
    opened = read_folder(folder)
    record = opened.record
    assert (record.name, record.form, record.base) == ("small", "sheet", "new")
    assert (record.prompt, record.reader) == (step_version("sheet"), READER)
    assert set(record.files) == {"model.gguf", "model/parts/one.safetensors"}
    assert (opened.gguf, opened.model, opened.adapter) == (folder / "model.gguf", folder / "model", None)
    assert not list(folder.glob(".generator*"))


@pytest.mark.parametrize("change", [{"form": "lines"}, {"temperature": 1.0}, {"max_tokens": 9}])
def test_whatever_changes_what_it_writes_changes_its_version(folder: Path, change: dict[str, Any]) -> None:
    before = read_folder(folder).record.version
    assert describe(folder, **({"name": "small", "form": "sheet", "base": "new"} | change)).version != before
    (folder / "model.gguf").write_bytes(b"GGUF others")
    assert describe(folder, name="small", form="sheet", base="new").version != before
    (folder / "model.gguf").write_bytes(b"GGUF weights")
    assert describe(folder, name="small", form="sheet", base="new").version == before


def test_weights_that_were_changed_or_lost_are_refused(folder: Path) -> None:
    (folder / "model.gguf").write_bytes(b"GGUF others!")
    with pytest.raises(ModelFileError, match="is not the file"):
        read_folder(folder)
    (folder / "model.gguf").unlink()
    with pytest.raises(ModelFileError, match=r"lacks its file model\.gguf"):
        read_folder(folder)


@pytest.mark.parametrize("name", ["adapter/adapter_model.safetensors", "model/adapter_config.json"])
def test_weights_that_came_later_are_refused(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"others")
    with pytest.raises(ModelFileError, match="is not named by the record"):
        read_folder(folder)
    (folder / name).unlink()
    (folder / "model" / ".DS_Store").write_bytes(b"")
    (folder / "notes.txt").write_text("mine")
    read_folder(folder)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is no record"),
        ("[]", "is no record"),
        ('{"name": "x"}', "form"),
        ("\udc80", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_a_record_that_is_none(folder: Path, text: str | None, told: str) -> None:
    path = folder / "generator.json"
    if text is None:
        path.unlink()
    else:
        path.write_text(text, errors="surrogateescape")
    with pytest.raises(ModelFileError, match=told):
        read_folder(folder)


@pytest.mark.parametrize(
    "name", ["../weights", "/etc/passwd", "model/../../x", "a//b", "", "model\\x", "./model.gguf"]
)
def test_files_lie_below_the_folder(folder: Path, name: str) -> None:
    fields = json.loads((folder / "generator.json").read_text())
    fields["files"] = {name: "sha256:" + "0" * 64}
    (folder / "generator.json").write_text(json.dumps(fields))
    with pytest.raises(ModelFileError, match="no digest of a file in the folder"):
        read_folder(folder)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "../x"},
        {"name": ""},
        {"temperature": -1.0},
        {"max_tokens": 0},
        {"template": {"chat_template": "{{ x }}"}},
        {"template": {"not a name": True}},
    ],
)
def test_a_value_out_of_range(folder: Path, fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(fields))):
        describe(folder, **({"name": "small", "form": "sheet"} | fields))


def test_no_weights_no_record(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="holds no weights"):
        describe(tmp_path, name="small", form="sheet")


def test_a_disk_that_is_full_leaves_the_old_record(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = read_folder(folder).record

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ModelFileError, match="No space left"):
        write_record(folder, record.model_copy(update={"name": "other"}))
    assert read_folder(folder).record.name == "small"
    assert not list(folder.glob(".generator*"))


def record(**fields: Any) -> GeneratorRecord:
    known = {"name": "x", "form": "sheet", "prompt": step_version("sheet"), "reader": READER}
    return GeneratorRecord.model_validate(known | fields)


def test_versions_of_the_library_at_hand() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_versions(record())
    with pytest.raises(ConfigError, match="trained on prompts of version old"):
        check_versions(record(prompt="old"))
    with pytest.warns(GeneratorWarning, match="trained on prompts of version old"):
        check_versions(record(prompt="old"), strict=False)
    with pytest.warns(GeneratorWarning, match="trained with reader 0"):
        check_versions(record(reader=0))
