"""From sentences to checks: what code can decide of a criterion need not be judged by a model.

`reading` reads a sentence by patterns, `compiled` gives a prose criterion the check that its sentence
spells out, and `ModelCompiler` asks a model where no pattern reads. Whether a check decides what the
sentence says is measured by `coreact.generate.faithfulness`.
"""

from coreact.generate.compiling.grammar import FORMS, Form
from coreact.generate.compiling.reading import Reading, compiled, reading

__all__ = ["FORMS", "Form", "Reading", "compiled", "reading"]
