"""Is a short answer right, by comparison of words.

`exact` and `contains` are `exact_answer` and `contains_answer` of the worlds, for accepted answers without a
question around them. `f1` is SQuAD's overlap of words
(arXiv 1606.05250), on this library's normal form, which also folds diacritics and keeps decimal points.
Meaning is not judged: a right answer in words that are not listed is wrong here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from coreact.worlds.scoring import normalise_answer, stands_in

_SAID = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}


def exact(answer: str, accepted: Sequence[str]) -> float:
    """1 where the whole answer, normalised, is one of the accepted ones, else 0."""
    said = normalise_answer(answer)
    return float(bool(said) and any(said == normalise_answer(one) for one in accepted))


def contains(answer: str, accepted: Sequence[str]) -> float:
    """1 where an accepted answer stands in the text as whole words, else 0.

    Weak for short answers: `no` stands in many texts.
    """
    return float(any(stands_in(one, answer) for one in accepted))


def f1(answer: str, accepted: Sequence[str]) -> float:
    """Harmonic mean of precision and recall of words, in [0, 1]; the best over the accepted answers.

    Words count as often as they occur. Two texts without a word are alike. Text in a script without spaces
    is one word, so that its F1 is 0 or 1. HotpotQA's special case for yes, no and noanswer is not made:
    use `yes_no` for such questions.
    """
    said = Counter(normalise_answer(answer).split())
    return max((_overlap(said, Counter(normalise_answer(one).split())) for one in accepted), default=0.0)


def yes_no(answer: str, accepted: Sequence[str]) -> float | None:
    """1 where the answer begins with the accepted yes or no (true, false), 0 where it does not.

    None where the accepted answer is neither, so the question is of another kind.
    """
    wanted = {_SAID.get(normalise_answer(one)) for one in accepted}
    if None in wanted or not wanted:
        return None
    first = next(iter(normalise_answer(answer).split()), "")
    return float(_SAID.get(first) in wanted)


def holds(text: str, parts: Sequence[str]) -> float | None:
    """The share of the parts that stand in a text as whole words, in [0, 1]; None where there are none.

    FanOutQA's loose accuracy (arXiv 2402.14116): a text that says everything holds everything.
    """
    return sum(stands_in(part, text) for part in parts) / len(parts) if parts else None


def _overlap(said: Counter[str], wanted: Counter[str]) -> float:
    if not said or not wanted:
        return float(said == wanted)
    shared = (said & wanted).total()
    return 2 * shared / (said.total() + wanted.total())
