"""Suites: tasks, the tools for them, and how an episode on them is measured.

    from coreact.bench.suites import open_suite

    suite = open_suite("gazetteer", n=20)

Files of published benchmarks are read in their own shapes, whole or not at all: a line that cannot be used
fails with its path and number. No data comes with the library but the gazetteer's, and nothing is fetched.
Running an agent is not done here.
"""

from coreact.bench.suites.citing import citations, state_of
from coreact.bench.suites.preferences import (
    PreferencePair,
    Scorer,
    coverage_scorer,
    load_pairs,
    prefer,
    rubric_scorer,
)
from coreact.bench.suites.questions import QuestionSuite, ShortQuestion, choose
from coreact.bench.suites.registry import open_suite, suite_names, suite_options, world_suite
from coreact.bench.suites.rubric_tasks import RubricTask, Scale, TaskCriterion, from_points
from coreact.bench.suites.rubrics import RubricSuite
from coreact.bench.suites.trajectories import (
    Decision,
    LabelledStep,
    LabelledTrajectory,
    judged_steps,
    load_agentrx,
    load_fireact,
)

__all__ = [
    "Decision",
    "LabelledStep",
    "LabelledTrajectory",
    "PreferencePair",
    "QuestionSuite",
    "RubricSuite",
    "RubricTask",
    "Scale",
    "Scorer",
    "ShortQuestion",
    "TaskCriterion",
    "choose",
    "citations",
    "coverage_scorer",
    "from_points",
    "judged_steps",
    "load_agentrx",
    "load_fireact",
    "load_pairs",
    "open_suite",
    "prefer",
    "rubric_scorer",
    "state_of",
    "suite_names",
    "suite_options",
    "world_suite",
]
