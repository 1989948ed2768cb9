"""Rubrics that rest on evidence, and rubrics written with hindsight; what must not be seen is kept hidden."""

from coreact.generate.grounded.facts import (
    Extracted,
    Fact,
    FactExtractor,
    Passage,
    Readable,
    facts_of,
    known_by,
    nearest,
    passages_of,
    span_of,
)
from coreact.generate.grounded.generator import FactCriteria, GroundedGenerator, Retriever
from coreact.generate.grounded.hindsight import HindsightWriter, RetryGuidance, retry_guidance
from coreact.generate.grounded.leak import Leak, LeakDetector, LeakKind, leaks

__all__ = [
    "Extracted",
    "Fact",
    "FactCriteria",
    "FactExtractor",
    "GroundedGenerator",
    "HindsightWriter",
    "Leak",
    "LeakDetector",
    "LeakKind",
    "Passage",
    "Readable",
    "Retriever",
    "RetryGuidance",
    "facts_of",
    "known_by",
    "leaks",
    "nearest",
    "passages_of",
    "retry_guidance",
    "span_of",
]
