"""Tools that let an agent search a closed corpus and read what it found.

They show plain text to the model and give the ids of the passages that were shown to the program, as the tool
message's artifact: a check can then compare them with the gold evidence without parsing prose. What finds
nothing is answered with advice, never with an exception: an agent can act on advice. Any object with `search`
and `passage` will do for a corpus; this package does not import `coreact`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, Field

from coreact_tools.contracts import contract

SNIPPET_CHARS = 400
"""Characters of a passage's text that a search shows at most, unless told otherwise."""


class PassageLike(Protocol):
    """A text that can be shown."""

    @property
    def id(self) -> str:
        """Unique within the corpus."""

    @property
    def title(self) -> str:
        """What the passage is about; may be empty."""

    @property
    def text(self) -> str:
        """The passage itself."""


class HitLike(Protocol):
    """What a search returns: something with a passage."""

    @property
    def passage(self) -> PassageLike:
        """The passage found."""


class CorpusLike(Protocol):
    """What the tools need of a corpus; `coreact.worlds.Corpus` is one."""

    def search(self, query: str, k: int) -> Sequence[HitLike]:
        """At most `k` passages that fit the query, best first; empty when nothing fits."""

    def passage(self, passage_id: str) -> PassageLike | None:
        """The passage with this id, or None."""


class _SearchArguments(BaseModel):
    query: str = Field(description="A few words: the name of one thing and what you want to know of it.")


class _ReadArguments(BaseModel):
    passage_id: str = Field(description="The id of a passage, as a search shows it in brackets.")


def searching_tools(
    corpus: CorpusLike, passages: Iterable[PassageLike], *, k: int = 3, snippet_chars: int = SNIPPET_CHARS
) -> list[BaseTool]:
    """The tools that an agent gets over a corpus: `search`, and `read` where a search cuts some passage.

    Elsewhere reading would show nothing new, and a small model would waste calls on it.

    Args:
        corpus: where to search.
        passages: all that is in it.
        k: see `corpus_tools`.
        snippet_chars: see `corpus_tools`.

    Raises:
        ValueError: `k` or `snippet_chars` is less than 1.
    """
    tools = corpus_tools(corpus, k=k, snippet_chars=snippet_chars)
    return tools if any(is_cut(passage.text, snippet_chars) for passage in passages) else tools[:1]


def corpus_tools(corpus: CorpusLike, *, k: int = 3, snippet_chars: int = SNIPPET_CHARS) -> list[BaseTool]:
    """The tools `search` and `read` over one corpus.

    Args:
        corpus: where to search.
        k: the most passages that one search shows, at least 1.
        snippet_chars: the most characters of a passage's text that a search shows, at least 1; a text that
            is cut ends in `…`. `read` always shows the whole text.

    Returns:
        Two tools that answer with text and, as artifact, the list of passage ids shown. Their metadata is
        `{"role": "search" | "read", "read_only": True, "cost": 0.0}`.

    Raises:
        ValueError: `k` or `snippet_chars` is less than 1.
    """
    if k < 1 or snippet_chars < 1:
        raise ValueError(f"k ({k}) and snippet_chars ({snippet_chars}) must both be at least 1.")

    def search(query: str) -> tuple[str, list[str]]:
        if not query.strip():
            return "The query is empty. Write a few words to look for.", []
        passages = [hit.passage for hit in corpus.search(query, k)]
        if not passages:
            return f"No passage shares a word with {query!r}. Try other words, or a shorter query.", []
        lines = [_line(passage, snippet(passage.text, snippet_chars)) for passage in passages]
        return "\n".join(lines), [passage.id for passage in passages]

    def read(passage_id: str) -> tuple[str, list[str]]:
        passage = corpus.passage(passage_id.strip().strip("[]"))
        if passage is None:
            return f"No passage has the id {passage_id!r}. Use an id that a search shows in brackets.", []
        return _line(passage, passage.text), [passage.id]

    return [
        StructuredTool.from_function(
            search,
            name="search",
            description=f"Search the corpus by words. Shows up to {k} passages, each as `[id] Title: text`.",
            args_schema=_SearchArguments,
            response_format="content_and_artifact",
            metadata=contract("search"),
        ),
        StructuredTool.from_function(
            read,
            name="read",
            description="Read one passage in full, by its id from a search.",
            args_schema=_ReadArguments,
            response_format="content_and_artifact",
            metadata=contract("read"),
        ),
    ]


def _line(passage: PassageLike, text: str) -> str:
    """One passage on one line, so that a line is a passage."""
    title = f"{passage.title}: " if passage.title else ""
    return f"[{passage.id}] {_one_line(f'{title}{text}')}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def is_cut(text: str, limit: int = SNIPPET_CHARS) -> bool:
    """Whether a search shows a part only of a passage's text, see `snippet`."""
    return len(text) > limit and len(_one_line(text)) > limit


def snippet(text: str, limit: int = SNIPPET_CHARS) -> str:
    """What a search shows of a passage's text, on one line.

    Args:
        text: the whole text.
        limit: characters that are shown at most, at least 1.

    Returns:
        The text, or its beginning up to a word's end and `…`, within `limit` characters in all.
    """
    text = _one_line(text)
    if len(text) <= limit:
        return text
    kept = text[: limit - 1]
    at_word_end = kept.rpartition(" ")[0] if text[limit - 1] != " " else kept
    # A script without spaces has no word ends to look for: then cut anywhere.
    return f"{(at_word_end if len(at_word_end) * 2 > len(kept) else kept).rstrip()}…"
