"""Fit the light critic on self-practice examples, and measure it on questions that it has not seen.

Questions are parted three ways by a seeded draw: to fit the regression, to fit the calibration map, and to
measure. A critic without a measurement on unseen questions is not made. Thresholds are not chosen here
(see `stopping`), and not on questions that a critic was fitted or calibrated on: it remembers them.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

from coreact.errors import ConfigError, MissingExtraError
from coreact.judge import calibration
from coreact.judge.sufficiency.critic import LogisticCritic, known_as, sigmoid
from coreact.judge.sufficiency.features import FEATURES
from coreact.judge.sufficiency.measuring import Foretold, quality
from coreact.judge.sufficiency.practice import Example

MIN_CLASS = 10
"""Fewest right examples, and fewest wrong ones, to fit on, and fewest of each to measure on."""

MIN_CALIBRATION = 50
"""Fewest examples, with both classes among them, that a calibration map is fitted on; a step function
through fewer is mostly noise."""

_SHARES = (0.5, 0.75)  # of the questions: up to here fitted on, up to here calibrated on, the rest held out


class Parts(NamedTuple):
    """Examples parted by question."""

    fitted: tuple[Example, ...]
    calibrated: tuple[Example, ...]
    held_out: tuple[Example, ...]


def parted(examples: Sequence[Example], *, seed: int = 0) -> Parts:
    """Half of the questions to fit on, a quarter to calibrate on, a quarter to measure on."""
    questions = sorted({example.question for example in examples})
    Random(seed).shuffle(questions)
    first, second = (round(share * len(questions)) for share in _SHARES)
    place = {question: (at >= first) + (at >= second) for at, question in enumerate(questions)}
    return Parts(*(tuple(one for one in examples if place[one.question] == part) for part in range(3)))


def fit(examples: Sequence[Example], *, dataset: str = "", seed: int = 0) -> LogisticCritic:
    """Fit a critic.

    Ridge-penalised logistic regression (C = 1) on standardised features; a non-decreasing map behind it
    where there are enough examples for one.

    Args:
        examples: from `practise`, of many questions. Moments without a draft are passed over: a critic is
            never asked about them.
        dataset: what they are, in words; stands in the artefact.
        seed: draws the parts, and the resamples of the intervals.

    Returns:
        The critic; `held_out` says how good it is.

    Raises:
        ConfigError: a part has too few right or too few wrong examples, or features are missing.
        MissingExtraError: the extra `judge` is not installed.
    """
    names = tuple(FEATURES)
    if any(set(example.features) != set(names) for example in examples):
        raise ConfigError(
            "Some examples do not have the features of this version.",
            remedy="Make them again with coreact.judge.sufficiency.practise.",
        )
    # Parted with all of them, as a caller parts them: a question without any draft must not move the others.
    parts = Parts(
        *(tuple(one for one in part if one.features["draft_given"]) for part in parted(examples, seed=seed))
    )
    _refuse_few(parts.fitted, "fit")
    _refuse_few(parts.held_out, "measure")
    np, linear = _library("numpy"), _library("sklearn.linear_model")
    x = np.asarray([[example.features[name] for name in names] for example in parts.fitted])
    means, scales = x.mean(axis=0), x.std(axis=0)
    scales[scales < 1e-9] = 1.0
    model = linear.LogisticRegression(max_iter=1000)
    model.fit((x - means) / scales, [example.right for example in parts.fitted])
    weights, intercept = model.coef_[0], float(model.intercept_[0])

    def raw(some: Sequence[Example]) -> list[float]:
        rows = np.asarray([[example.features[name] for name in names] for example in some])
        return [sigmoid(float(one)) for one in (rows - means) / scales @ weights + intercept]

    curve = _curve(parts.calibrated, raw)
    probabilities = raw(parts.held_out)
    if curve is not None:
        probabilities = curve.apply_all(probabilities)
    foretold = [
        Foretold(example.question, probability, example.right)
        for example, probability in zip(parts.held_out, probabilities, strict=True)
    ]
    return LogisticCritic(
        names=names,
        means=tuple(map(float, means)),
        scales=tuple(map(float, scales)),
        coefficients=tuple(map(float, weights)),
        intercept=intercept,
        curve=curve,
        questions=len({example.question for example in parts.fitted}),
        known=tuple(sorted({known_as(one.question) for one in (*parts.fitted, *parts.calibrated)})),
        dataset=dataset,
        held_out=quality(foretold, seed=seed),
    )


def _curve(examples: Sequence[Example], raw: Any) -> calibration.Curve | None:
    if len(examples) < MIN_CALIBRATION or len({example.right for example in examples}) < 2:
        return None
    return calibration.fit(raw(examples), [float(example.right) for example in examples])


def _refuse_few(examples: Sequence[Example], purpose: str) -> None:
    right = sum(example.right for example in examples)
    if min(right, len(examples) - right) < MIN_CLASS:
        raise ConfigError(
            f"{right} right and {len(examples) - right} wrong examples are too few to {purpose} a critic.",
            remedy=f"Practise on more questions: each part needs at least {MIN_CLASS} of both.",
        )


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError("Fitting a critic", extra="judge") from error
