"""What the trainer holds up as the right reply to a branching point, found without a model.

`language` has the sentences that may be written, `trying` reckons what a choice of them would do, and
`lessons` is the teacher.
"""

from coreact.train.teaching.language import MOST_LINES, WEIGHTS, Line, lines_for, written
from coreact.train.teaching.lessons import TEACHER, Aim, Lesson, teach

__all__ = ["MOST_LINES", "TEACHER", "WEIGHTS", "Aim", "Lesson", "Line", "lines_for", "teach", "written"]
