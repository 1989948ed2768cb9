"""How an index of passages is written: aside, in one pass over the passages, and renamed when it is whole."""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import threading
from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from coreact_tools._words import words
from coreact_tools.corpus import PassageLike
from coreact_tools.errors import PassageIndexError, ToolExtraError

VERSION = 1
"""Version of the folder's format."""
MANIFEST = "manifest.json"
"""Written last: version, number of passages, and the size of every other file."""
TEXTS = "passages.jsonl"
"""One passage a line, `[id, title, text]`."""

_K1 = 0.9
_B = 0.4
"""Term saturation and length normalisation for short passages: the defaults of Anserini's baselines."""
_LOADING = threading.Lock()


class Passage(NamedTuple):
    """A passage of an index."""

    id: str
    title: str
    text: str


def bm25s(feature: str) -> ModuleType:
    """The module, loaded without what loading it does to the logging of the whole program.

    Raises:
        ToolExtraError: it is not installed.
    """
    logger = logging.getLogger("bm25s")
    with _LOADING:
        level = logger.level
        try:
            import bm25s as loaded
        except ImportError as missing:
            raise ToolExtraError(feature, extra="web") from missing
        finally:
            logger.setLevel(level)
    module: ModuleType = loaded
    return module


def build(folder: Path, passages: Iterable[PassageLike | Mapping[str, Any] | str]) -> None:
    """Write an index to a folder that does not exist; see `PassageIndex.build`."""
    library = bm25s("Building an index of passages")
    if folder.exists():
        raise PassageIndexError(
            "there is something here already.", path=folder, remedy="Remove it, or build into another folder."
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.unfinished-", dir=folder.parent))
    except OSError as failure:
        raise PassageIndexError(f"the folder cannot be made: {failure}.", path=folder) from failure
    try:
        _write(library, aside, folder, passages)
        aside.chmod(0o755)
        aside.rename(folder)
    except OSError as failure:
        raise PassageIndexError(
            f"the index cannot be written: {failure}.",
            path=folder,
            remedy="Make room, or choose another folder.",
        ) from failure
    finally:
        shutil.rmtree(aside, ignore_errors=True)


class _Streamed(NamedTuple):
    """What stays in memory of the passages that went to disk."""

    ids: list[str]
    terms: list[array[int]]
    vocabulary: dict[str, int]
    offsets: array[int]


def _write(
    library: ModuleType, aside: Path, folder: Path, passages: Iterable[PassageLike | Mapping[str, Any] | str]
) -> None:
    streamed = _stream(aside, passages)
    _save_order(aside, streamed)
    if not streamed.vocabulary:
        raise PassageIndexError(
            "no passage has a word in it." if streamed.ids else "there are no passages.",
            path=folder,
            remedy="Give passages that have letters or digits.",
        )
    index = library.BM25(k1=_K1, b=_B, backend="numpy")
    index.index((streamed.terms, streamed.vocabulary), show_progress=False)
    index.save(aside, show_progress=False)
    sizes = {}
    for path in sorted(aside.iterdir()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
        sizes[path.name] = path.stat().st_size
    with (aside / MANIFEST).open("w", encoding="utf-8") as file:
        json.dump({"version": VERSION, "passages": len(streamed.ids), "files": sizes}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def _stream(aside: Path, passages: Iterable[PassageLike | Mapping[str, Any] | str]) -> _Streamed:
    streamed = _Streamed([], [], {}, array("q", [0]))
    numbers, seen = streamed.vocabulary, set[str]()
    with (aside / TEXTS).open("wb") as file:
        for number, passage in _read(passages):
            if passage.id in seen:
                raise PassageIndexError(
                    f"the id {passage.id!r} is taken twice.",
                    line=number,
                    remedy="Give every passage an id of its own.",
                )
            seen.add(passage.id)
            streamed.ids.append(passage.id)
            terms = words(f"{passage.title} {passage.text}")
            streamed.terms.append(array("i", [numbers.setdefault(term, len(numbers)) for term in terms]))
            file.write(json.dumps(passage, ensure_ascii=False).encode() + b"\n")
            streamed.offsets.append(file.tell())
    return streamed


def _save_order(aside: Path, streamed: _Streamed) -> None:
    """Rows in the order of their ids, and each row's place in that order."""
    import numpy as np

    by_id = sorted(range(len(streamed.ids)), key=streamed.ids.__getitem__)
    rank = np.empty(len(by_id), dtype=np.int32)
    rank[by_id] = np.arange(len(by_id), dtype=np.int32)
    np.save(aside / "by_id.npy", np.array(by_id, dtype=np.int32))
    np.save(aside / "rank.npy", rank)
    np.save(aside / "offsets.npy", np.array(streamed.offsets, dtype=np.int64))


def _read(passages: Iterable[PassageLike | Mapping[str, Any] | str]) -> Iterator[tuple[int, Passage]]:
    """The passages with their 1-based numbers, which are lines where they come as lines."""
    iterator = iter(passages)
    number = 0
    while True:
        number += 1
        try:
            given = next(iterator)
        except StopIteration:
            return
        except UnicodeDecodeError as failure:
            raise PassageIndexError(
                f"the text is not in {failure.encoding}.", line=number, remedy="Write the file in UTF-8."
            ) from failure
        if isinstance(given, str) and not given.strip():
            continue
        yield number, _passage(given, number)


def _passage(given: PassageLike | Mapping[str, Any] | str, number: int) -> Passage:
    fields: Any = given
    if isinstance(given, str):
        try:
            fields = json.loads(given)
        except (ValueError, RecursionError) as failure:
            raise PassageIndexError(
                f"this is no JSON: {failure}.", line=number, remedy="Write one JSON object a line."
            ) from failure
    values: tuple[Any, ...]
    if isinstance(fields, Mapping):
        values = (fields.get("id"), fields.get("title", ""), fields.get("text"))
    else:
        values = tuple(getattr(fields, name, "" if name == "title" else None) for name in Passage._fields)
    if not all(isinstance(value, str) for value in values) or not values[0]:
        raise PassageIndexError(
            "this is no passage.",
            line=number,
            remedy="A passage has `id` (not empty), `title` and `text`, all three texts.",
        )
    try:
        "".join(values).encode()
    except UnicodeEncodeError as failure:
        raise PassageIndexError(
            "there is half a surrogate pair in it, which is no text.", line=number, remedy="Repair the file."
        ) from failure
    return Passage(*values)
