"""Who a judgement is by: a name to read, and a version that says whether two judgements may be compared."""

from __future__ import annotations

from coreact import __version__
from coreact.judge import Judge
from coreact.judge.panel.family import model_names
from coreact.rubric.canonical import digest
from coreact.trace.records import Evaluator

_CODE = digest({"checks and scoring": __version__})


def evaluator_of(judge: Judge | None) -> Evaluator:
    """The evaluator that checks and this judge make together.

    Args:
        judge: whoever decides what no check decides; None: nobody does. Its `version` should be a digest of
            all that decides how it judges, as those of this library are; without one its id must do. A judge
            that names no model (`model_name`, `model_names`) counts as a program.

    Returns:
        The version holds that of this library, whose checks decide first and whose arithmetic scores.
    """
    if judge is None:
        return Evaluator(name="checks", version=_CODE, kind="code")
    models = model_names(judge)
    return Evaluator(
        name=judge.id,
        version=digest({"code": _CODE, "judge": str(getattr(judge, "version", judge.id))}),
        kind="model" if models else "code",
        model=", ".join(models),
    )
