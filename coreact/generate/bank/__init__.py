"""The rubric bank: rubrics with outcomes, kept and given to those who write the next ones.

Beside it stand what shapes a rubric after its writer is done: consensus of several writers, the meta-rubric,
and profiles of stakeholders.
"""

from coreact.generate.bank.banked import BankedGenerator, BankExemplars, Retrieved
from coreact.generate.bank.consensus import ConsensusGenerator
from coreact.generate.bank.meta import Applied, MetaRubric, MetaRubricGenerator
from coreact.generate.bank.profiles import Profile, ProfiledGenerator
from coreact.generate.bank.records import BankEntry, Outcomes
from coreact.generate.bank.retrieval import EmbeddingNeighbours, Found, LexicalNeighbours, Neighbours
from coreact.generate.bank.reuse import ReusingGenerator
from coreact.generate.bank.store import BankWarning, BrokenRow, RubricBank

__all__ = [
    "Applied",
    "BankEntry",
    "BankExemplars",
    "BankWarning",
    "BankedGenerator",
    "BrokenRow",
    "ConsensusGenerator",
    "EmbeddingNeighbours",
    "Found",
    "LexicalNeighbours",
    "MetaRubric",
    "MetaRubricGenerator",
    "Neighbours",
    "Outcomes",
    "Profile",
    "ProfiledGenerator",
    "Retrieved",
    "ReusingGenerator",
    "RubricBank",
]
