"""Which models are kin: a judge favours its own family's work, and a rubric of its own writing.

A judge passes failures of its own family more often, and a panel lessens that without removing it
(arXiv 2604.06996). So whoever sets up a run is told when a judge shares a family with the agent or
with the writer of the rubrics. A family is read off the beginning of a model's name; fine-tunes under
names of their own are not recognised, and an unknown name warns nobody. How large the preference
is, is a measurement (see qualification), not a matter of names.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Literal, NamedTuple

from coreact.errors import ConfigError
from coreact.judge.runner import Bench

Policy = Literal["warn", "refuse", "allow"]
"""`warn`: a `SharedFamilyWarning`; `refuse`: a `ConfigError`; `allow`: only report."""

FAMILIES: dict[str, str] = {
    "gpt": "openai",
    "chatgpt": "openai",
    "gpt-j": "eleuther",
    "gpt-neo": "eleuther",
    "gpt-neox": "eleuther",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
    "codex": "openai",
    "claude": "claude",
    "gemini": "gemini",
    "gemma": "gemini",
    "llama": "llama",
    "meta-llama": "llama",
    "codellama": "llama",
    "qwen": "qwen",
    "qwq": "qwen",
    "qvq": "qwen",
    "mistral": "mistral",
    "mixtral": "mistral",
    "ministral": "mistral",
    "magistral": "mistral",
    "codestral": "mistral",
    "devstral": "mistral",
    "deepseek": "deepseek",
    "phi": "phi",
    "smollm": "smollm",
    "command": "command",
    "c4ai-command": "command",
    "aya": "command",
    "grok": "grok",
    "glm": "glm",
    "chatglm": "glm",
    "kimi": "kimi",
    "nova": "nova",
    "granite": "granite",
    "olmo": "olmo",
}
"""Beginning of a model's name -> its family. Models of one maker that were distilled from each other
(Gemma from Gemini) are one family."""

_PART = re.compile(r"[/:@.]")
# What follows must not go on with the word: `o1` is not `o11y`, `phi` not `philosopher`.
_BEGINNING = re.compile(
    "|".join(
        re.escape(name) + (r"(?![a-z\d])" if name[-1].isdigit() else r"(?![a-z])")
        for name in sorted(FAMILIES, key=len, reverse=True)
    ),
    re.IGNORECASE,
)


class SharedFamilyWarning(UserWarning):
    """A judge shares a model family with the agent or with the writer of the rubrics."""


class Kinship(NamedTuple):
    """A judge and another role that are played by models of one family."""

    family: str
    judge: str
    """Name of the judge's model."""
    role: Literal["agent", "generator"]
    other: str
    """Name of the model in that role."""

    def __str__(self) -> str:
        return f"judge {self.judge!r} and {self.role} {self.other!r} are both of the family {self.family}"


def family(model_name: str) -> str | None:
    """The family of a model, or None where its name tells none.

    The parts of the name between slashes, colons, dots and at signs are tried from the last to the
    first, so that providers, folders, regions and tags do no harm: `openrouter/anthropic/claude-…`.
    """
    for part in reversed(_PART.split(model_name.strip())):
        found = _BEGINNING.match(part)
        if found is not None:
            return FAMILIES[found.group().lower()]
    return None


def check_families(
    *,
    judge: str | Sequence[str],
    agent: str | None = None,
    generator: str | Sequence[str] | None = None,
    policy: Policy = "warn",
) -> tuple[Kinship, ...]:
    """Find judges that are kin to what they judge, or to who wrote the rubric they judge by.

    Args:
        judge: name of the judge's model, or of those of a panel's members. A member that is kin is
            reported as well: its votes count like any other's.
        agent: name of the agent's model, or None where it is not known.
        generator: name of the model that writes the rubrics, or of all that do; None where none does.
        policy: what to do about it.

    Returns:
        Every kinship that was found.

    Raises:
        ConfigError: one was found and the policy is `refuse`, or there is no such policy.
    """
    if policy not in ("warn", "refuse", "allow"):
        raise ConfigError(f"There is no family policy {policy!r}.", remedy="Choose warn, refuse or allow.")
    judges = (judge,) if isinstance(judge, str) else tuple(judge)
    writers = (generator,) if isinstance(generator, str) else tuple(generator or ())
    others: tuple[tuple[Literal["agent", "generator"], str | None], ...] = (
        ("agent", agent),
        *(("generator", writer) for writer in writers),
    )
    found = tuple(
        Kinship(kin, name, role, other)
        for name in judges
        for role, other in others
        if other is not None and (kin := family(name)) is not None and kin == family(other)
    )
    if found and policy != "allow":
        what = f"A judge tends to favour its own family: {'; '.join(map(str, found))}."
        remedy = "Use a judge of another family, or policy='allow' and measure the gap."
        if policy == "refuse":
            raise ConfigError(what, remedy=remedy)
        warnings.warn(f"{what} {remedy}", SharedFamilyWarning, stacklevel=2)
    return found


def model_names(*roles: object) -> tuple[str, ...]:
    """Names of the models behind judges or generators, each once, in the order they are met.

    Args:
        roles: anything. A panel's or cascade's members count; otherwise what a role says of itself in
            `model_name: str | None`, in `model_names: tuple[str, ...]` (who wraps others, or asks several
            models), or in both. Who asks no model, or does not say which, adds none: a generator or judge
            of your own is looked at only if it has one of these.
    """
    return tuple(dict.fromkeys(name for role in roles for name in _said_by(role)))


def _said_by(role: object) -> tuple[str, ...]:
    if isinstance(role, Bench):
        return model_names(*role.judges)
    several = getattr(role, "model_names", ())
    names = several if isinstance(several, tuple | list) else ()
    return tuple(name for name in (*names, getattr(role, "model_name", None)) if isinstance(name, str))
