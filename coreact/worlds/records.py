"""The plain data of an offline world: passages, questions about them, and the proof of every answer.

A world is content: two worlds with the same passages and questions have the same version on every machine
and on every day, so a result can name exactly what it was measured on. Nothing here searches, scores or
reads a file.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core.core_schema import ValidationInfo

Split = Literal["train", "dev"]
"""`train`: for learning from; `dev`: for measuring on. About one question in five is `dev`."""


class Frozen(BaseModel):
    """A record of a world: cannot be changed, and has no other fields than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Passage(Frozen):
    """A short text that a search can return."""

    id: str = Field(min_length=1)
    """Unique within its world."""
    title: str
    """What the passage is about; may be empty."""
    text: str = Field(min_length=1)
    """The passage itself."""


class Hop(Frozen):
    """One link of the proof of an answer: this passage says that `entity` has `relation` `answer`."""

    entity: str = Field(min_length=1)
    """What the hop asks about: named in the question, or the answer of an earlier hop."""
    relation: str = Field(min_length=1)
    """What is asked about it, in words that the passage uses: `currency`, `calling code`."""
    passage_id: str
    """The passage that states the fact."""
    answer: str = Field(min_length=1)
    """What the passage says."""

    @property
    def query(self) -> str:
        """The search that an ideal searcher makes for this hop."""
        return f"{self.entity} {self.relation}"


class Question(Frozen):
    """A question with its one right answer and the passages that prove it."""

    id: str = Field(min_length=1)
    """Unique within its world."""
    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)
    answer_aliases: tuple[str, ...] = ()
    """Other right ways to write the answer."""
    hops: int = Field(ge=1)
    """Number of passages to be read one after the other or side by side."""
    kind: str = Field(min_length=1)
    """How the hops hang together: `bridge` (each leads to the next), `comparison` (side by side), …"""
    supporting_ids: tuple[str, ...] = Field(min_length=1)
    """Ids of the passages that prove the answer, in the order of the hops."""
    chain: tuple[Hop, ...] = ()
    """The proof hop by hop; empty where the source of the world gives none."""

    @model_validator(mode="after")
    def _chain_is_proof(self) -> Self:
        if self.chain and tuple(hop.passage_id for hop in self.chain) != self.supporting_ids:
            raise ValueError(f"the chain of question {self.id!r} does not run through its supporting_ids")
        return self

    @property
    def split(self) -> Split:
        """Which half the question belongs to: drawn from its id, so it never moves."""
        digest = hashlib.sha256(f"split|{self.id}".encode()).digest()
        return "dev" if digest[0] % 5 == 0 else "train"


class World(Frozen):
    """A closed corpus and the questions that it answers."""

    name: str = Field(min_length=1)
    """For people; no part of the version."""
    passages: tuple[Passage, ...]
    questions: tuple[Question, ...]
    version: str = Field(
        default_factory=lambda data: content_version(data.get("passages", ()), data.get("questions", ()))
    )
    """`sha256:` and 64 hexadecimal digits: the hash of passages and questions. Computed when not given."""

    @field_validator("version")
    @classmethod
    def _version_is_of_this_content(cls, version: str, info: ValidationInfo) -> str:
        if "passages" not in info.data or "questions" not in info.data:
            return version
        computed = content_version(info.data["passages"], info.data["questions"])
        if version != computed:
            raise ValueError(f"the content of this world has the version {computed}, not {version}")
        return version

    @model_validator(mode="after")
    def _ids_hold_together(self) -> Self:
        known = {passage.id for passage in self.passages}
        _refuse_repeats("passage", (passage.id for passage in self.passages))
        _refuse_repeats("question", (question.id for question in self.questions))
        for question in self.questions:
            if not known.issuperset(question.supporting_ids):
                unknown = sorted(set(question.supporting_ids) - known)
                raise ValueError(f"question {question.id!r} is supported by unknown passages {unknown}")
        return self


def content_version(passages: Sequence[Passage], questions: Sequence[Question]) -> str:
    """`sha256:…` of the canonical JSON (sorted keys, ASCII, no spaces) of passages and questions."""
    # `vars` of a frozen record is its fields as they are, several times quicker than a full dump.
    content: dict[str, Any] = {
        "passages": [vars(passage) for passage in passages],
        "questions": [
            {**vars(question), "chain": [vars(hop) for hop in question.chain]} for question in questions
        ],
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"sha256:{hashlib.sha256(canonical.encode('ascii')).hexdigest()}"


def records_version(*groups: Sequence[Frozen]) -> str:
    """`sha256:…` of the canonical JSON of several groups of records, of any kind."""
    content = [[record.model_dump(mode="json") for record in group] for group in groups]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"sha256:{hashlib.sha256(canonical.encode('ascii')).hexdigest()}"


def _refuse_repeats(what: str, ids: Iterable[str]) -> None:
    repeated = sorted(key for key, count in Counter(ids).items() if count > 1)
    if repeated:
        raise ValueError(f"more than one {what} has the id {repeated[0]!r}")
