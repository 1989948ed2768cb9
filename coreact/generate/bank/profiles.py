"""What criteria are worth to one stakeholder: the same rubric, other weights, at the time of a call.

From ARCANE (arXiv 2512.06196): preferences become weights over criteria, which may be shifted at run time
without training anything. Here a profile is a small file of factors. It moves weight between criteria that
are open to taste: `hard` ones and vetoes keep their share exactly, since nobody's taste makes a broken call
a good one, and no criterion is switched off. Learning weights from a stakeholder's answers is not done here.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Self

from pydantic import Field, field_validator

from coreact.generate.bank.tables import read_table
from coreact.generate.bank.weighting import Factor, Weighting, as_weight, normalised
from coreact.generate.generator import RubricGenerator, Written
from coreact.judge.panel.family import model_names
from coreact.rubric import Criterion, CriterionKind, Rubric, State
from coreact.rubric.canonical import digest
from coreact.rubric.remarks import Remark


class Profile(Weighting):
    """Factors for the weights of criteria, under the name of whoever they stand for."""

    name: str = Field(min_length=1)

    @field_validator("kind")
    @classmethod
    def _leaves_hard(cls, kind: dict[CriterionKind, Factor]) -> dict[CriterionKind, Factor]:
        if "hard" in kind:
            raise ValueError("a profile does not change hard criteria")
        return kind

    @classmethod
    def load(cls, path: Path) -> Self:
        """The profile in a TOML file: `name`, and tables `kind`, `stage`, `id` of factors.

        Raises:
            ConfigError: the file cannot be read, or names the key that is unknown or out of range.
        """
        return read_table(path, cls)

    @property
    def version(self) -> str:
        """Eight digits of the hash of its content."""
        return digest(self.model_dump()).rsplit(":", 1)[-1][:8]


def apply(rubric: Rubric, profile: Profile) -> Rubric:
    """The rubric with the weights it has for somebody; weights add up to 1, all else is as it was.

    Args:
        rubric: the rubric.
        profile: the factors. Hard criteria and vetoes keep their share; the others share what is left
            in proportion to share times factor.
    """
    total = sum((Fraction(criterion.weight) for criterion in rubric), Fraction())
    shares = {criterion.id: Fraction(criterion.weight) / total for criterion in rubric}
    soft = [criterion for criterion in rubric if not _is_fixed(criterion)]
    if soft:
        left = sum((shares[criterion.id] for criterion in soft), Fraction())
        shifted = normalised([shares[c.id] * Fraction(profile.factor(c)) for c in soft], left)
        shares.update(zip((criterion.id for criterion in soft), shifted, strict=True))
    return Rubric(
        criteria=tuple(c.model_copy(update={"weight": as_weight(shares[c.id])}) for c in rubric),
        scope=rubric.scope,
        threshold=rubric.threshold,
    )


def _is_fixed(criterion: Criterion) -> bool:
    return criterion.veto or criterion.kind == "hard"


class ProfiledGenerator:
    """Writes what another generator writes, weighted for somebody.

    Args:
        inner: the generator that writes.
        profile: for whom; or a function of the state, for instance one that reads a context variable set
            around the call. None from it: nobody, the rubric stays as written.
    """

    def __init__(self, inner: RubricGenerator, profile: Profile | Callable[[State], Profile | None]) -> None:
        self._inner = inner
        self._profile = profile
        whose = f"{profile.name}@{profile.version}" if isinstance(profile, Profile) else "by state"
        self.id = f"profiled({inner.id},{whose})"

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names of the models that write: a judge should be of none of their families."""
        return model_names(self._inner)

    def write(self, state: State) -> Written:
        """Write and weigh, blocking.

        Raises:
            GenerationError: the inner generator failed.
        """
        return self._weighed(self._inner.write(state), state)

    async def awrite(self, state: State) -> Written:
        """The same, without blocking the event loop."""
        return self._weighed(await self._inner.awrite(state), state)

    def _weighed(self, written: Written, state: State) -> Written:
        profile = self._profile if isinstance(self._profile, Profile) else self._profile(state)
        if profile is None:
            return written
        remark = Remark(deed="weighted", reason=f"for profile {profile.name!r} (version {profile.version})")
        return Written(apply(written.rubric, profile), written.cost, (*written.remarks, remark))
