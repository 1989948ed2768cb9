"""Criteria from a comparison: a better and a worse action, or several whose worth nobody knows yet.

`CrgGenerator` and `CdrrmGenerator` learn from a labelled pair, `ConsistentGenerator` keeps of what they
write only what recovers the label, and `AdaptiveGenerator` writes for one choice at decision time.
"""

from coreact.generate.contrastive.adaptive import AdaptiveGenerator
from coreact.generate.contrastive.cdrrm import CdrrmGenerator
from coreact.generate.contrastive.consistency import ConsistentGenerator
from coreact.generate.contrastive.contrast import Contrast, contrasts
from coreact.generate.contrastive.crg import CrgGenerator
from coreact.generate.contrastive.writer import ContrastiveGenerator

__all__ = [
    "AdaptiveGenerator",
    "CdrrmGenerator",
    "ConsistentGenerator",
    "Contrast",
    "ContrastiveGenerator",
    "CrgGenerator",
    "contrasts",
]
