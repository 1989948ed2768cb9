"""How much of what an analysis refers to is really there: what code can check of a judge's reasons.

Whether the quotes stand in the messages they name, and the quoted words and numbers of the reason in
any message at all. Not whether they are to the point; and absence has no quote, so an analysis that
finds nothing has nothing to show.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property

from coreact.judge.quotes import locate, substantial
from coreact.judge.records import Verdict
from coreact.judge.transcript import transcript
from coreact.rubric import Action, Criterion, State

_QUOTED = re.compile(r"[\"“„«]([^\"“”„«»]+)[\"”“»]")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


class Sources:
    """The texts that an analysis may rest on.

    Args:
        by_message: texts by message id.
    """

    def __init__(self, by_message: Mapping[str, str]) -> None:
        self.by_message = dict(by_message)
        """Texts by message id."""

    @classmethod
    def of(cls, action: Action, state: State) -> Sources:
        """The whole texts of the trajectory and the proposal."""
        texts: dict[str, list[str]] = {}
        for section in transcript(action, state).sections:
            texts.setdefault(section.message_id, []).append(section.text)
        return cls({name: "\n".join(found) for name, found in texts.items()})

    def holds(self, quote: str, *, message_id: str | None = None) -> bool:
        """Whether a quote stands in the message, or in any where none is named."""
        text = self._everything if message_id is None else self.by_message.get(message_id, "")
        return locate(quote, text) is not None

    @cached_property
    def _everything(self) -> str:
        return "\n\0\n".join(self.by_message.values())  # no quote reaches from one text into the next

    @cached_property
    def numbers(self) -> frozenset[str]:
        """The numbers of two digits or more in all texts, without separators of thousands."""
        return numbers_of(self._everything)


def groundedness(verdict: Verdict, criterion: Criterion, sources: Sources) -> float:
    """Rate an analysis by what it refers to.

    That is its quotes, each in the message it names, and in its reason quoted words and numbers of two
    digits or more, which must stand in any message or in the criterion. With t of them true and f false
    the rating is max(0, t - f) / (t + f + 1): nothing to check rates 0, an invention costs more than
    silence, piling up quotes gains less and less. A quote inside of another counts once, one of a few
    letters not at all.

    Args:
        verdict: the analysis.
        criterion: what it is about.
        sources: the texts it may rest on.

    Returns:
        The rating, in [0, 1), higher is better.
    """
    solid = [evidence for evidence in verdict.evidence if substantial(evidence.quote)]
    quotes = {
        (evidence.message_id, evidence.quote)
        for evidence in solid
        if not any(evidence.quote in other.quote and evidence.quote != other.quote for other in solid)
    }
    checks = [sources.holds(quote, message_id=message_id) for message_id, quote in quotes]
    said = {quoted.strip() for quoted in _QUOTED.findall(verdict.reason) if substantial(quoted)}
    said -= {quote for _, quote in quotes}
    checks.extend(sources.holds(quoted) or locate(quoted, criterion.text) is not None for quoted in said)
    given = numbers_of(criterion.text)
    checks.extend(n in sources.numbers or n in given for n in numbers_of(verdict.reason))
    true = sum(checks)
    return max(0, 2 * true - len(checks)) / (len(checks) + 1)


def numbers_of(text: str) -> frozenset[str]:
    """The numbers of two digits or more in a text, without separators of thousands."""
    found = (number.replace(",", "") for number in _NUMBER.findall(text))
    return frozenset(number for number in found if len(number) > 1)
