"""What runs can be exported as: one module a format, one table of them all."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from coreact.trace.export.formats import (
    atif,
    correction,
    dpo,
    feedback,
    grpo,
    judge,
    kto,
    openai,
    openai_preference,
    prm,
    ranking,
    sft,
    turn_rewards,
    verl,
)
from coreact.trace.export.rows import Format

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        module.FORMAT.name: module.FORMAT
        for module in (
            sft,
            correction,
            dpo,
            kto,
            prm,
            grpo,
            ranking,
            verl,
            openai,
            openai_preference,
            turn_rewards,
            judge,
            feedback,
            atif,
        )
    }
)
"""Every format by its name."""
