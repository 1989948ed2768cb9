"""Who writes rubrics. The heuristic generator needs no model; others build on the same protocol."""

from coreact.generate.contracts import ContractGenerator
from coreact.generate.generator import RubricGenerator, Written
from coreact.generate.heuristic import HeuristicGenerator

__all__ = ["ContractGenerator", "HeuristicGenerator", "RubricGenerator", "Written"]
