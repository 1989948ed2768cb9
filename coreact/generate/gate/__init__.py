"""What a rubric, and its writer, must show before it may guide or judge.

`Gate` tests single rubrics and `GatedGenerator` puts it in front of a generator; `qualify_generator` measures
a generator on labelled branching points, `calibrate` chooses the gate's thresholds there; `Ledger` and
`MutingGenerator` take kinds of criteria out that spoil more steps than they mend.
"""

from coreact.generate.gate.benefit import (
    StepOutcome,
    Tally,
    aoutcomes_from,
    family,
    outcomes_from,
    tallied,
    writer,
)
from coreact.generate.gate.calibration import (
    GateCalibration,
    acalibrate,
    calibrate,
    load_gate_calibration,
)
from coreact.generate.gate.candidates import Perturbed, compliant, perturbed
from coreact.generate.gate.gate import Gate, GateReport
from coreact.generate.gate.gated import GatedGenerator, RubricFreeGenerator
from coreact.generate.gate.intervals import Interval
from coreact.generate.gate.labelled import (
    RUBRIC_FREE,
    Margin,
    aconsistency,
    aeffect,
    consistency,
    effect,
)
from coreact.generate.gate.ledger import ByHand, Ledger, Muted, MutePolicy
from coreact.generate.gate.muting import MutingGenerator
from coreact.generate.gate.qualify import (
    Bar,
    GeneratorReport,
    PointScore,
    aqualify_generator,
    load_report,
    points_digest,
    qualify_generator,
)
from coreact.generate.gate.results import GateResult, GateTest, Thresholds
from coreact.generate.gate.transfer import (
    CheckReader,
    Material,
    ModelReader,
    Reader,
    Reading,
    atransfer,
    transfer,
)
from coreact.generate.gate.unlabelled import (
    adiscrimination,
    contract_agreement,
    discrimination,
    executable,
    lint,
)

__all__ = [
    "RUBRIC_FREE",
    "Bar",
    "ByHand",
    "CheckReader",
    "Gate",
    "GateCalibration",
    "GateReport",
    "GateResult",
    "GateTest",
    "GatedGenerator",
    "GeneratorReport",
    "Interval",
    "Ledger",
    "Margin",
    "Material",
    "ModelReader",
    "MutePolicy",
    "Muted",
    "MutingGenerator",
    "Perturbed",
    "PointScore",
    "Reader",
    "Reading",
    "RubricFreeGenerator",
    "StepOutcome",
    "Tally",
    "Thresholds",
    "acalibrate",
    "aconsistency",
    "adiscrimination",
    "aeffect",
    "aoutcomes_from",
    "aqualify_generator",
    "atransfer",
    "calibrate",
    "compliant",
    "consistency",
    "contract_agreement",
    "discrimination",
    "effect",
    "executable",
    "family",
    "lint",
    "load_gate_calibration",
    "load_report",
    "outcomes_from",
    "perturbed",
    "points_digest",
    "qualify_generator",
    "tallied",
    "transfer",
    "writer",
]
