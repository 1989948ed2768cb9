"""What a generator's reply to a branching point should do, as a rubric, and whether a reply does it.

A reply is itself a rubric, and its reward is a number. Methods that show a policy what it will be judged by
(`scaffold`) or what it failed at (`hindsight`) need criteria instead: that the reply can be read, that each
line asks for one thing, and that the better of two candidates comes out ahead. Code decides all of them, with
the reader and the checks that a running agent uses.

This sees the gains, so it is for training only: nothing of it may stand in a running agent's prompt. It is
not the reward: that is `rewards`.
"""

from __future__ import annotations

from statistics import fmean
from typing import NamedTuple

from coreact.generate.contrastive import Contrast, contrasts
from coreact.generate.contrastive.contrast import action_key
from coreact.generate.prompt import Form
from coreact.generate.reading import Read, read_reply
from coreact.judge.ordering import judged, standing
from coreact.judge.records import Judgement, Status, Verdict
from coreact.judge.scoring import judgement
from coreact.rubric import Action, Criterion, Provenance, Rubric
from coreact.rubric.branching import BranchingPoint
from coreact.rubric.lint import lint
from coreact.rubric.rubric import MAX_CRITERION_CHARS

MOST_PAIRS = 4
"""Pairs of candidates that a reply is asked about, those with the widest gap of gains."""

READABLE, ATOMIC = "readable", "atomic"
"""Ids of the criteria on the form; pairs are `pair1`, `pair2`, …"""

_FORM_SHARE = 0.2  # of the weight, for both criteria on the form
_ACTION_CHARS = 200


class JudgedReply(NamedTuple):
    """A reply, and what it does of what it should."""

    rubric: Rubric
    judgement: Judgement


def reply_rubric(point: BranchingPoint, *, most_pairs: int = MOST_PAIRS) -> Rubric:
    """What a good reply to a point does. Names the candidates, so it is a secret of training.

    Args:
        point: a decision; without contrast only the form is left to ask about.
        most_pairs: pairs of candidates to ask about, 0 for the form alone.
    """
    pairs = contrasts(point, pairs="all")[:most_pairs]
    form = _FORM_SHARE if pairs else 1.0
    found = [
        _criterion(
            READABLE, "Each line is one criterion with its weight, and can be used.", form / 2, "hard"
        ),
        _criterion(ATOMIC, "Each criterion asks for one thing.", form / 2, "hard"),
    ]
    for at, pair in enumerate(pairs, 1):
        text = f"By its criteria {_shown(pair.better)} does better than {_shown(pair.worse)}."
        weight = (1 - form) / len(pairs)
        found.append(_criterion(f"pair{at}", text[:MAX_CRITERION_CHARS], weight, "principle"))
    return Rubric(criteria=tuple(found), scope="answer")


def judged_reply(
    text: str, point: BranchingPoint, *, form: Form, most_pairs: int = MOST_PAIRS
) -> JudgedReply:
    """Judge a reply by `reply_rubric`, with code alone.

    Pairs are unknown where the reply has only criteria that a judge would have to decide.

    Args:
        text: what the generator wrote.
        point: the decision.
        form: how criteria are written.
        most_pairs: see `reply_rubric`.
    """
    rubric = reply_rubric(point, most_pairs=most_pairs)
    read = read_reply(text, point.state, form=form)
    verdicts = [
        _verdict(READABLE, "met" if _readable(read) else "unmet"),
        _verdict(ATOMIC, "unmet" if read.rubric is None or _compound(read.rubric, point) else "met"),
    ]
    scores = None if read.rubric is None else checked_scores(read.rubric, point)
    worth = None if scores is None else dict(zip(map(action_key, point.actions), scores, strict=True))
    for at, pair in enumerate(contrasts(point, pairs="all")[:most_pairs], 1):
        status = "unmet" if read.rubric is None else _in_order(pair, worth)
        verdicts.append(_verdict(f"pair{at}", status))
    return JudgedReply(rubric, judgement(rubric, tuple(verdicts)))


def checked_scores(rubric: Rubric, point: BranchingPoint) -> tuple[float, ...] | None:
    """What each candidate of a point is worth by a rubric's checks alone, higher is better.

    As in `coreact.judge.ordering.agreement`, a candidate on which no check decides has the mean of the
    others; None where there is no other. The gains are not looked at.
    """
    worth = standing(judged(rubric, point.actions, point.state))
    known = [score for score in worth if score is not None]
    if not known:
        return None
    return tuple(fmean(known) if score is None else score for score in worth)


def _in_order(pair: Contrast, scores: dict[str, float] | None) -> Status:
    if scores is None:
        return "unknown"
    return "met" if scores[action_key(pair.better)] > scores[action_key(pair.worse)] else "unmet"


def _readable(read: Read) -> bool:
    return read.rubric is not None and not any(one.deed in ("dropped", "refused") for one in read.remarks)


def _compound(rubric: Rubric, point: BranchingPoint) -> bool:
    return any(one.problem == "compound" for one in lint(rubric.criteria, state=point.state))


def _criterion(name: str, text: str, weight: float, kind: str) -> Criterion:
    return Criterion.model_validate(
        {
            "id": name,
            "text": text,
            "weight": weight,
            "kind": kind,
            "provenance": Provenance(source="reply_rubric.1"),
        }
    )


def _verdict(criterion: str, status: Status) -> Verdict:
    return Verdict(criterion=criterion, reason="", status=status)


def _shown(action: Action) -> str:
    text = " ".join(str(action).split())
    return f"`{text if len(text) <= _ACTION_CHARS else text[: _ACTION_CHARS - 1] + '…'}`"
