"""The arithmetic of the tree search: values of paths, which leaf is next, how a value is handed up.

Plain data and pure functions: no model, no tool, no I/O, so that visits can be checked by hand. UCT is that
of Kocsis and Szepesvári (2006). The value of a path is cumulative: the logarithms of the scores of its steps
are added up (SCPRM, arXiv 2605.02819), so a bad step cannot be paid back by what follows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False, kw_only=True)
class Node:
    """A proposed step and the path to it; the root is the question."""

    parent: Node | None = None
    order: int = 0
    """Number in the order of proposal; the root has 0."""
    log_score: float = 0.0
    """Sum of the logarithms of the scores from the root on; minus infinity behind a score of 0."""
    unscored: int = 0
    """Steps on the path that nobody could score."""
    content: Any = None
    """What the step is; nothing here looks at it."""
    is_answer: bool = False
    is_dead: bool = False
    """It cannot be followed."""
    visits: int = 0
    """Evaluations of this node and of those below it."""
    total: float = 0.0
    """Sum of their rewards."""
    children: list[Node] = field(default_factory=list)

    @property
    def value(self) -> float | None:
        """Product of the scores on the path, in [0, 1]; None where a step of it could not be scored.

        It never rises along a path, and is never above the worst step.
        """
        return None if self.unscored else math.exp(self.log_score)

    @property
    def reward(self) -> float:
        """What an evaluation adds to the mean: the value, and 0 for what nobody could score."""
        value = self.value
        return 0.0 if value is None else value

    @property
    def is_open(self) -> bool:
        """Whether anything below it can still be chosen."""
        if self.is_dead:
            return False
        return any(child.is_open for child in self.children) if self.children else True

    def add(
        self, scores: Sequence[float | None], *, order: int, content: Any, is_answer: bool = False
    ) -> Node:
        """A child with its own scores, one for each of its actions, evaluated once."""
        child = Node(
            parent=self,
            order=order,
            log_score=self.log_score + sum(_log(score) for score in scores if score is not None),
            unscored=self.unscored + sum(score is None for score in scores),
            content=content,
            is_answer=is_answer,
        )
        self.children.append(child)
        back_up(child)
        return child

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


def uct(node: Node, exploration: float) -> float:
    """Mean reward plus the bonus for what was seldom tried: c · √(ln N / n)."""
    above = node.parent.visits if node.parent is not None else node.visits
    return node.total / node.visits + exploration * math.sqrt(math.log(above) / node.visits)


def select(root: Node, exploration: float) -> Node | None:
    """The leaf to go on with: from the root down, the open child with the highest UCT, of equals the first.

    None where nothing is open.
    """
    if not root.is_open:
        return None
    node = root
    while node.children:
        node = max(
            (child for child in node.children if child.is_open), key=lambda child: uct(child, exploration)
        )
    return node


def back_up(node: Node) -> None:
    """Count one evaluation of a node, for it and for all above it."""
    reward, above = node.reward, node
    while True:
        above.visits += 1
        above.total += reward
        if above.parent is None:
            return
        above = above.parent


def best_answer(root: Node) -> Node | None:
    """The answer whose path is worth most; of equals, and among unscored ones, the first proposed."""
    answers = [node for node in root.walk() if node.is_answer]
    return max(answers, key=lambda node: (node.value is not None, node.reward, -node.order), default=None)


def _log(score: float) -> float:
    return math.log(score) if score > 0 else -math.inf
