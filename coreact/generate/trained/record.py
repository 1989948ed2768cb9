"""What a trained generator says of itself: the file `generator.json` beside its weights.

A small model depends on the very bytes it was trained on. So the record names the form and the version of the
prompts, the version of the reader that understood its replies in training, and the digests of its weights;
whoever opens the folder compares them with the library at hand. How well the generator ranks stands in
`results.json` and `card.md`, which others write.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, ValidationError, field_validator

from coreact.errors import ConfigError, ModelFileError
from coreact.generate.prompt import Form, step_version
from coreact.generate.reading import READER
from coreact.rubric import Record, digest

RECORD = "generator.json"
"""Name of the record in a generator's folder."""

GGUF = "model.gguf"
"""Weights for llama.cpp."""

MODEL = "model"
"""Folder of the weights for transformers and vLLM."""

ADAPTER = "adapter"
"""Folder of a LoRA adapter on `base`, where not the whole model was trained."""

_CHECKED_BYTES = 64 * 2**20  # larger files are not read a second time when a generator is opened
_NOT_OF_THE_TEMPLATE = frozenset(
    "add_generation_prompt chat_template continue_final_message conversation documents max_length padding"
    " return_dict return_tensors self tokenize tokenizer_kwargs tools truncation".split()
)  # arguments of `apply_chat_template` itself
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")


class GeneratorRecord(Record):
    """A trained generator: how it is asked, how its replies are read, and which files it is made of."""

    format: Literal[1] = 1
    """Version of this record."""
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    """What it is called: the folder's name, and the model's name on a server."""
    form: Form
    """How it is asked for criteria and writes them."""
    base: str = ""
    """What training began from: `new`, a model on the hub, or a file's name. A hub id is needed to serve an
    adapter that was trained on it."""
    prompt: str
    """Version of the prompts it was trained on (`step_version`)."""
    reader: int
    """Version of the reader that understood its replies in training (`READER`)."""
    max_tokens: int = Field(default=160, ge=1)
    """Longest reply, in tokens."""
    temperature: float = Field(default=0.0, ge=0, le=2)
    """Sampling temperature in use; 0 takes the likeliest token each time."""
    context_tokens: int = Field(default=2048, ge=256)
    """Prompt and reply together, in tokens."""
    template: dict[str, bool | str] = Field(default_factory=dict)
    """What the model's chat template was told in training beside the messages."""
    files: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of each file of its weights (`sha256:…`), by the path below the folder."""

    @field_validator("template")
    @classmethod
    def _is_of_the_template(cls, template: dict[str, bool | str]) -> dict[str, bool | str]:
        for name in template:
            if name in _NOT_OF_THE_TEMPLATE or not name.isidentifier():
                raise ValueError(f"{name!r} is nothing that a chat template is told")
        return template

    @field_validator("files")
    @classmethod
    def _lies_below(cls, files: dict[str, str]) -> dict[str, str]:
        for name, value in files.items():
            parts = name.split("/")
            if not _DIGEST.match(value) or "\\" in name or {"", ".", ".."} & set(parts):
                raise ValueError(f"{name!r}: {value!r} is no digest of a file in the folder")
        return files

    @property
    def version(self) -> str:
        """Hash of everything above: other weights, another prompt or temperature make another version."""
        said = self.model_dump(mode="json")
        if not self.template:
            del said["template"]  # generators without one keep their versions
        return digest(said)


class GeneratorFolder(NamedTuple):
    """A generator on disk."""

    path: Path
    record: GeneratorRecord

    @property
    def gguf(self) -> Path | None:
        """Weights for llama.cpp, if there are any."""
        return self._there(GGUF)

    @property
    def model(self) -> Path | None:
        """Weights for transformers and vLLM, if there are any."""
        return self._there(MODEL)

    @property
    def adapter(self) -> Path | None:
        """A LoRA adapter on the base, if there is one."""
        return self._there(ADAPTER)

    def _there(self, name: str) -> Path | None:
        path = self.path / name
        return path if path.exists() else None


def describe(
    folder: Path,
    *,
    name: str,
    form: Form,
    base: str = "",
    max_tokens: int = 160,
    temperature: float = 0.0,
    context_tokens: int = 2048,
    template: Mapping[str, bool | str] | None = None,
) -> GeneratorRecord:
    """The record of weights that lie in a folder, with the versions of prompts and reader of this library.

    Args:
        folder: holds `model.gguf`, `model/` or `adapter/`; every file of them goes into the record.
        name: see `GeneratorRecord`, as for all below.
        form: how it is asked.
        base: what training began from.
        max_tokens: longest reply.
        temperature: of sampling in use.
        context_tokens: prompt and reply together.
        template: what the chat template was told in training.

    Raises:
        ConfigError: a value is out of range.
        ModelFileError: there are no weights, or they cannot be read.
    """
    weights = sorted(_weights(folder))
    if not weights:
        raise ModelFileError(
            f"{folder} holds no weights.",
            path=folder,
            remedy=f"Put {GGUF}, {MODEL}/ or {ADAPTER}/ there before the record is written.",
        )
    fields = {
        "name": name,
        "form": form,
        "base": base,
        "prompt": step_version(form),
        "reader": READER,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "context_tokens": context_tokens,
        "template": dict(template or {}),
        "files": {path.relative_to(folder).as_posix(): _sha256(path) for path in weights},
    }
    try:
        return GeneratorRecord.model_validate(fields)
    except ValidationError as error:
        raise ConfigError(
            f"A generator cannot be described like this: {_first(error)}.", remedy="Correct the value."
        ) from error


def write_record(folder: Path, record: GeneratorRecord) -> Path:
    """Write the record into its folder, whole or not at all; returns the file's path.

    Raises:
        ModelFileError: it cannot be written.
    """
    path = folder / RECORD
    part = folder / f".{RECORD}.part"
    try:
        part.write_text(json.dumps(record.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ModelFileError(
            f"{path} cannot be written: {error.strerror}.",
            path=path,
            remedy="Free the disk, or choose another.",
        ) from error
    return path


def read_folder(folder: Path) -> GeneratorFolder:
    """Read a generator's record and check its files.

    Files of more than 64 MiB are only checked to be there: reading gigabytes twice would delay every start.
    A weights file that the record does not name is refused, since it would run under a version that says
    nothing of it.

    Raises:
        ModelFileError: there is no record, it cannot be read, or a file of it is missing, was changed or came
            later.
    """
    path = folder / RECORD
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelFileError(
            f"{folder} is no folder of a trained generator: {RECORD} cannot be read.",
            path=path,
            remedy="Give a folder that `coreact train fit` wrote, a name below rubric_models/, or a URL.",
        ) from error
    try:
        record = GeneratorRecord.model_validate_json(text)
    except ValidationError as error:
        raise ModelFileError(
            f"{path} is no record of a trained generator: {_first(error)}.",
            path=path,
            remedy="Train it again, or use the version of this library that wrote it.",
        ) from error
    for found in _weights(folder):
        name = found.relative_to(folder).as_posix()
        if name not in record.files:
            raise ModelFileError(
                f"{found} is not named by the record of the generator {record.name!r}.",
                path=found,
                remedy="Take it out of the folder, or describe the generator again.",
            )
    for name, stored in record.files.items():
        file = folder / name
        if not file.is_file():
            raise ModelFileError(
                f"The generator {record.name!r} lacks its file {name}.", path=file, remedy="Copy it anew."
            )
        if file.stat().st_size <= _CHECKED_BYTES and _sha256(file) != stored:
            raise ModelFileError(
                f"{file} is not the file that the generator {record.name!r} was written with.",
                path=file,
                remedy="Copy it anew, or train again.",
            )
    return GeneratorFolder(folder, record)


def _weights(folder: Path) -> Iterable[Path]:
    if (folder / GGUF).is_file():
        yield folder / GGUF
    for name in (MODEL, ADAPTER):
        below = (path for path in (folder / name).rglob("*") if path.is_file())
        yield from (path for path in below if not path.name.startswith("."))  # what file managers leave


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        raise ModelFileError(
            f"{path} cannot be read: {error.strerror}.", path=path, remedy="Mend its permissions."
        ) from error


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    return f"{field}: {first['msg']}" if field else str(first["msg"])
