"""What the files of multi-hop data sets (HotpotQA, MuSiQue) say beyond passages and questions.

`coreact.worlds.files` reads the files; here a decomposition in MuSiQue's notation becomes a chain of hops,
and the questions of a small set are put into two halves. HotpotQA gives no decomposition: its questions
have no chain. Nothing here reads a file, and no data comes with it.

Sources: HotpotQA (arXiv 1809.09600), MuSiQue (arXiv 2108.00573).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from coreact.worlds.records import Hop, Question

_REFERENCE = re.compile(r"#(\d{1,2})")
_ASKS = " >> "


class Halves(NamedTuple):
    """Questions to fit on and questions to measure on."""

    train: tuple[Question, ...]
    dev: tuple[Question, ...]


def halves(questions: Iterable[Question]) -> Halves:
    """Part questions into halves, in the order of a hash of their ids.

    `Question.split` keeps one in five for measuring, which is too few where there are some hundreds. Here
    the questions are ordered by the SHA-256 of `half|ID`; the first half (rounded down) is `train`, the
    rest `dev`. Which half a question is in depends on the other questions, so part a whole set at once.
    """
    ordered = sorted(questions, key=lambda one: hashlib.sha256(f"half|{one.id}".encode()).digest())
    middle = len(ordered) // 2
    return Halves(tuple(ordered[:middle]), tuple(ordered[middle:]))


def chain(steps: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> tuple[Hop, ...]:
    """The hops of a MuSiQue decomposition.

    A step asks either `ENTITY >> RELATION` or a question, in which `#k` stands for the answer of step k.
    The entity of a question is the first answer that it refers to; of one that refers to nothing, the title
    of the passage that answers it.

    Args:
        steps: objects with `question`, `answer` and `passage_id`, all texts, in order.
        titles: title of every passage, by its id.

    Raises:
        ValueError: a step lacks a field, or refers to an answer that is not there yet; pydantic's errors
            are ValueErrors too.
    """
    hops: list[Hop] = []
    for number, step in enumerate(steps, start=1):
        texts = [step.get(name) for name in ("question", "answer", "passage_id")]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError(f"step {number} needs the texts question, answer and passage_id")
        question, answer, passage_id = map(str, texts)
        referred = [int(found) for found in _REFERENCE.findall(question)]
        if any(not 1 <= at < number for at in referred):
            raise ValueError(f"step {number} refers to a step that does not stand before it")
        written = _REFERENCE.sub(lambda found: hops[int(found[1]) - 1].answer, question)
        entity, asks, relation = written.partition(_ASKS)
        if not asks:
            entity = hops[referred[0] - 1].answer if referred else titles.get(passage_id, "") or answer
            relation = " ".join(written.replace(entity, " ").split()) or written
        hops.append(
            Hop(entity=entity.strip(), relation=relation.strip(), passage_id=passage_id, answer=answer)
        )
    return tuple(hops)
