"""From a draft of criteria to those that tell actions apart: split, filter, weigh, select.

`Refiner` works on the candidates of one state, `whitened` weighs by how verdicts vary together, and `select`
chooses few criteria on labelled pairs. Refining an answer is another thing: see `coreact.refine`.
"""

from coreact.generate.refinement.decompose import Refiner
from coreact.generate.refinement.decomposer import Comparer, Decomposer, ModelDecomposer, Split
from coreact.generate.refinement.loop import Refined
from coreact.generate.refinement.selection import ScoredPair, Selection, accuracy, select
from coreact.generate.refinement.weights import reweighted, training_weights, whitened

__all__ = [
    "Comparer",
    "Decomposer",
    "ModelDecomposer",
    "Refined",
    "Refiner",
    "ScoredPair",
    "Selection",
    "Split",
    "accuracy",
    "reweighted",
    "select",
    "training_weights",
    "whitened",
]
