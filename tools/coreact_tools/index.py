"""A search index over passages that stays on disk: build once, open as often as you like.

BM25 by `bm25s` over title and text, with the words, the parameters and the honesty of
`coreact.worlds.Corpus`: a query that shares no word with any passage finds nothing, and equal scores are
ordered by passage id. A small index is read into memory; a large one is memory-mapped, texts included, so
that only what a search touches is read. There is no update: an index is built anew, aside, and appears under
its name when it is whole.
"""

from __future__ import annotations

import bisect
import contextlib
import json
import mmap
import tokenize
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from coreact_tools._build import MANIFEST, TEXTS, VERSION, Passage, bm25s, build
from coreact_tools._words import query_words
from coreact_tools.corpus import PassageLike
from coreact_tools.errors import PassageIndexError

if TYPE_CHECKING:
    import numpy as np

IN_MEMORY_BYTES = 64 * 1024 * 1024
"""An index up to this size on disk is read into memory, a larger one is mapped: some 40 000 passages of a
hundred words."""

_REMEDY = "Build the index anew with `PassageIndex.build` and open that folder."


class Hit(NamedTuple):
    """A passage that a search found."""

    passage: Passage
    score: float
    """BM25 score, greater than 0, higher is better; comparable only within one search."""


class PassageIndex:
    """Passages under a search index in a folder; made by `build` or `open`, and closed by `close` or `with`.

    It reads only, so threads may share it.
    """

    def __init__(self, path: Path, *, in_memory: bool | None = None) -> None:
        """See `open`."""
        sizes = _manifest(path)
        self.path = path
        self.in_memory = sum(sizes.values()) <= IN_MEMORY_BYTES if in_memory is None else in_memory
        """Whether everything was read into memory; otherwise the files are mapped."""
        self._files: _Files | None = _opened(path, in_memory=self.in_memory)

    @classmethod
    def build(
        cls, folder: str | Path, passages: Iterable[PassageLike | Mapping[str, Any] | str]
    ) -> PassageIndex:
        """Write an index to a new folder, then open it.

        Texts go to disk as they come; only numbers stay in memory (4 bytes a word, and 12 bytes for each
        distinct word of a passage while the scores are sorted).

        Args:
            folder: where it is to be; it must not exist. What is unfinished stands beside it under another
                name and is removed if the build fails.
            passages: objects or mappings with `id`, `title` and `text` (`title` may be missing), or lines of
                JSON with such mappings, an open JSON lines file for one. Blank lines are passed over.

        Raises:
            PassageIndexError: the folder exists or cannot be written, a passage is none, two share an id, or
                there is no word in all of them.
            ToolExtraError: the extra `web` or `worlds` is not installed.
        """
        path = Path(folder)
        build(path, passages)
        return cls(path)

    @classmethod
    def open(cls, folder: str | Path, in_memory: bool | None = None) -> PassageIndex:
        """Open the index in a folder.

        Args:
            folder: where `build` wrote it.
            in_memory: read everything (True), or map the files (False); None decides by `IN_MEMORY_BYTES`.

        Raises:
            PassageIndexError: there is no index, it is not whole, or it is not readable.
            ToolExtraError: the extra `web` or `worlds` is not installed.
        """
        return cls(Path(folder), in_memory=in_memory)

    def __len__(self) -> int:
        return len(self._open.rank)

    def __enter__(self) -> PassageIndex:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def search(self, query: str, k: int = 3) -> tuple[Hit, ...]:
        """The passages that fit a query best, best first.

        Args:
            query: words to look for; case, diacritics and English plurals do not matter.
            k: the most hits wanted, at least 1.

        Returns:
            At most `k` hits, every one sharing a word with the query; empty when no passage does.

        Raises:
            ValueError: `k` is less than 1.
            PassageIndexError: a passage on disk is no longer readable.
        """
        import numpy as np

        if k < 1:
            raise ValueError(f"A search cannot return {k} hits; ask for k of at least 1.")
        files = self._open
        known = [word for word in query_words(query) if word in files.bm25.vocab_dict]
        if not known:
            return ()
        try:
            scores: np.ndarray[Any, Any] = files.bm25.get_scores(known)
        except (IndexError, ValueError) as broken:
            raise PassageIndexError(
                "the words of the index do not lead to its passages; a file was changed after it was built.",
                path=self.path,
                remedy=_REMEDY,
            ) from broken
        found = np.flatnonzero(scores > 0)
        if len(found) > k:
            # All that reach the k-th best score: which of equal ones are shown is for their ids to say.
            least = np.partition(scores[found], len(found) - k)[len(found) - k]
            found = found[scores[found] >= least]
        order = np.lexsort((files.rank[found], -scores[found]))[:k]
        return tuple(Hit(self._at(files, int(at)), float(scores[at])) for at in found[order])

    def passage(self, passage_id: str) -> Passage | None:
        """The passage with this id, or None where there is none.

        Raises:
            PassageIndexError: a passage on disk is no longer readable.
        """
        files = self._open
        rows = range(len(files.by_id))
        place = bisect.bisect_left(rows, passage_id, key=lambda at: self._at(files, int(files.by_id[at])).id)
        if place == len(rows):
            return None
        found = self._at(files, int(files.by_id[place]))
        return found if found.id == passage_id else None

    def close(self) -> None:
        """Give the files back. A closed index answers no more; closing it twice does nothing."""
        files, self._files = self._files, None
        if files is not None and isinstance(files.texts, mmap.mmap):
            files.texts.close()

    @property
    def _open(self) -> _Files:
        if self._files is None:
            raise PassageIndexError("the index was closed.", path=self.path, remedy="Open it again.")
        return self._files

    def _at(self, files: _Files, row: int) -> Passage:
        try:
            start, end = int(files.offsets[row]), int(files.offsets[row + 1])
            return Passage(*json.loads(files.texts[start:end]))
        except (IndexError, ValueError, TypeError, RecursionError) as broken:
            raise PassageIndexError(
                "a passage is not readable; the file was changed after it was built.",
                path=self.path / TEXTS,
                line=row + 1,
                remedy=_REMEDY,
            ) from broken


class _Files(NamedTuple):
    """What an open index reads from, in memory or mapped."""

    bm25: Any
    offsets: np.ndarray[Any, Any]
    rank: np.ndarray[Any, Any]
    by_id: np.ndarray[Any, Any]
    texts: bytes | mmap.mmap


def _opened(path: Path, *, in_memory: bool) -> _Files:
    library = bm25s("Opening an index of passages")
    import numpy as np

    mode: Any = None if in_memory else "r"
    try:
        files = _Files(
            bm25=library.BM25.load(path, mmap=not in_memory, show_progress=False),
            offsets=np.load(path / "offsets.npy", mmap_mode=mode),
            rank=np.load(path / "rank.npy", mmap_mode=mode),
            by_id=np.load(path / "by_id.npy", mmap_mode=mode),
            texts=_texts(path / TEXTS, in_memory=in_memory),
        )
    except (OSError, ValueError, LookupError, TypeError, EOFError, tokenize.TokenError) as broken:
        raise PassageIndexError(
            f"the index is not readable: {broken}.", path=path, remedy=_REMEDY
        ) from broken
    rows = len(files.rank)
    if not rows == len(files.by_id) == len(files.offsets) - 1 == files.bm25.scores["num_docs"]:
        raise PassageIndexError("its files do not belong together.", path=path, remedy=_REMEDY)
    return files


def _texts(path: Path, *, in_memory: bool) -> bytes | mmap.mmap:
    if in_memory:
        return path.read_bytes()
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _manifest(path: Path) -> dict[str, int]:
    """Sizes of the files of an index, each checked against the disk."""
    try:
        written = json.loads((path / MANIFEST).read_bytes())
        version, sizes = written["version"], dict(written["files"])
    except FileNotFoundError as missing:
        what = "there is no index here" if path.is_dir() else "there is no such folder"
        raise PassageIndexError(f"{what}.", path=path, remedy=_REMEDY) from missing
    except (OSError, ValueError, KeyError, TypeError) as broken:
        raise PassageIndexError("its manifest is not readable.", path=path, remedy=_REMEDY) from broken
    if version != VERSION:
        raise PassageIndexError(
            f"it is of version {version!r}, this program reads version {VERSION}.", path=path, remedy=_REMEDY
        )
    for name, size in sizes.items():
        actual = None
        with contextlib.suppress(OSError):
            actual = (path / str(name)).stat().st_size
        if actual != size:
            raise PassageIndexError(
                f"{name} has {actual} bytes where {size} were written; the index is torn.",
                path=path,
                remedy=_REMEDY,
            )
    return sizes
