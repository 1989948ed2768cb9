"""The state a decision is made in, and the action it proposes: plain data, no framework.

A `State` is immutable and grows by `after(step)`, which costs the new step only: sets are
extended, the digest is chained. So a run of n steps costs O(n) to read, and the 400th decision
costs what the 40th did. Observations are data from outside; nothing here interprets them as
instructions, and nothing here decides what is good (that is a rubric).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from coreact.rubric.canonical import digest, text_digest
from coreact.rubric.words import canonical_url, fold, is_web_address, urls, words

Phase = Literal["early", "middle", "late"]
"""Where a decision stands in its budget: first third, in between, last third."""

Role = Literal["search", "read", "compute", "answer"]
"""What a tool is for. `search` finds by free text, `read` opens something named, `compute`
calculates, `answer` hands in the final answer."""


class Record(BaseModel):
    """Base of every record: frozen, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy; with `update`, nothing that was computed from the old fields comes along."""
        copied = super().model_copy(update=update, deep=deep)
        if update:
            fields = type(self).__pydantic_fields__
            for name in [name for name in copied.__dict__ if name not in fields]:
                del copied.__dict__[name]
        return copied


class ToolContract(Record):
    """What a tool accepts and what it is for, as its owner declared it."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """JSON schema of the arguments (an object schema)."""
    role: Role | None = None
    """From the tool's metadata, or read off its schema; None where neither says."""
    read_only: bool | None = None
    """True: running it twice changes nothing. None: unknown, so treated as if it might."""

    @cached_property
    def properties(self) -> dict[str, Any]:
        """The schema of each argument by name; empty where the schema names none."""
        found = self.parameters.get("properties")
        return dict(found) if isinstance(found, Mapping) else {}

    @cached_property
    def text_argument(self) -> str | None:
        """The argument that takes free text: the only required plain string, or None."""
        required = self.parameters.get("required")
        names = (
            [n for n in required if isinstance(n, str) and n in self.properties]
            if isinstance(required, list)
            else []
        )
        free = [
            name
            for name in (names or list(self.properties))
            if isinstance(schema := self.properties[name], Mapping)
            and schema.get("type") == "string"
            and not {"enum", "const", "format", "pattern"} & set(schema)
        ]
        return free[0] if len(free) == 1 else None


class ToolCall(Record):
    """A call a model proposed or made."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    id: str = ""
    """The provider's call id, which pairs a call with its result; not part of its identity."""
    malformed: str | None = None
    """Why the arguments could not be read, where the model wrote no valid JSON."""

    @cached_property
    def key(self) -> str:
        """Identity of the call: equal for equal name and arguments, whatever the id."""
        return digest({"name": self.name, "arguments": self.arguments})

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Every string among the arguments, at any depth."""
        return tuple(_strings(self.arguments))


def _strings(value: Any) -> list[str]:
    found: list[str] = []
    waiting = [value]  # no recursion: a model may nest its arguments deeper than the stack
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, Mapping):
            waiting.extend(reversed(list(item.values())))
        elif isinstance(item, list | tuple):
            waiting.extend(reversed(item))
    return found


class Action(Record):
    """One proposed step: either a tool call or the final answer."""

    call: ToolCall | None = None
    answer: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.call is None) == (self.answer is None):
            raise ValueError("an action is either a call or an answer")
        return self

    @property
    def stops(self) -> bool:
        """Whether the action ends the run with an answer."""
        return self.call is None

    def __str__(self) -> str:
        if self.call is None:
            return f"answer: {self.answer}"
        inside = ", ".join(f"{name}={_written(value)}" for name, value in self.call.arguments.items())
        return f"{self.call.name}({inside})"


def _written(value: Any) -> str:
    try:
        return repr(value)
    except (ValueError, RecursionError):  # an integer of 5000 digits, nesting deeper than the stack
        return "…"


class Observation(Record):
    """What came back from a call. Untrusted text."""

    text: str
    failed: bool = False
    """The tool reported an error; the text is its message."""
    id: str = ""
    """Message id, for evidence that points here."""

    @cached_property
    def folded(self) -> str:
        """The folded text between spaces, for whole-word look-ups."""
        return f" {fold.__wrapped__(self.text)} "  # long texts would evict the small ones from the cache


class Step(Record):
    """A step already taken: the call and what came back, if anything did."""

    call: ToolCall
    observation: Observation | None = None

    @property
    def succeeded(self) -> bool:
        """Whether an observation came back that is not a failure."""
        return self.observation is not None and not self.observation.failed

    @cached_property
    def query_words(self) -> frozenset[str]:
        """The folded words of all argument texts."""
        return frozenset(word for text in self.call.texts for word in words(text))


class Budget(Record):
    """How many decisions with a tool call a run may take, and how many it took."""

    limit: int | None = Field(default=None, ge=1)
    """Decisions allowed; None where nobody set a limit."""
    used: int = Field(default=0, ge=0)

    @property
    def left(self) -> int | None:
        """Decisions left, counting the one to come; None without a limit."""
        return None if self.limit is None else max(0, self.limit - self.used)

    @property
    def phase(self) -> Phase:
        """Where the next decision stands among `limit` decisions.

        Of n decisions the first is early and the last late for every n > 1 (a budget of one is
        late at once); with n = 10 this gives the paper's 3 early, 4 middle, 3 late. Without a
        limit the first decision is early and every other one middle: late is never guessed.
        """
        if self.limit is None:
            return "middle" if self.used else "early"
        last = self.limit - 1
        if self.used >= last or 3 * self.used > 2 * last:
            return "late"
        return "early" if 3 * self.used < last else "middle"


class State(Record):
    """Everything a rubric or a check may look at: the question and the trajectory so far."""

    question: str
    given: tuple[str, ...] = ()
    """Other text the agent was given: system prompt, earlier turns of the conversation."""
    tools: tuple[ToolContract, ...] = ()
    budget: Budget = Budget()
    steps: tuple[Step, ...] = ()
    urls_seen: frozenset[str] = frozenset()
    """Canonical addresses that stood in the question, in given text or in an observation."""
    urls_visited: frozenset[str] = frozenset()
    """Canonical addresses that a call was made with and that gave a result."""
    queries: tuple[str, ...] = ()
    """Free texts that were given to search tools, in order."""
    searched: str = ""
    """The folded queries, each between spaces and bars, to look whole words up in."""
    covered: frozenset[str] = frozenset()
    """Folded words of the question that stand in an observation which is no failure."""
    digest: str = ""
    """Hash of question, given text, tools and the chain of steps; the budget is not part of it."""

    @classmethod
    def start(
        cls,
        question: str,
        *,
        tools: tuple[ToolContract, ...] = (),
        given: tuple[str, ...] = (),
        limit: int | None = None,
    ) -> State:
        """The state before the first decision.

        Args:
            question: the user's question or task.
            tools: contracts of the tools the agent has.
            given: other text it was given (system prompt, earlier turns).
            limit: decisions with a tool call that the run may take, or None.
        """
        seen = frozenset(address for text in (question, *given) for address in urls(text))
        return cls(
            question=question,
            given=given,
            tools=tools,
            budget=Budget(limit=limit),
            urls_seen=seen,
            digest=digest(
                {
                    "question": question,
                    "given": [text_digest(text) for text in given],
                    "tools": [
                        {field: getattr(tool, field) for field in ToolContract.model_fields} for tool in tools
                    ],
                }
            ),
        )

    def after(self, *taken: Step, decisions: int = 1) -> State:
        """The state after one more decision.

        Args:
            taken: the steps of that decision: one, or several for parallel calls.
            decisions: how many decisions to count (0 for a call not yet decided on).
        """
        seen, visited, chained = self.urls_seen, self.urls_visited, self.digest
        queries, searched, covered = self.queries, self.searched, self.covered
        for step in taken:
            observation = step.observation
            chained = digest(
                {
                    "before": chained,
                    "call": step.call.key,
                    "observation": None
                    if observation is None
                    else [text_digest(observation.text), observation.failed],
                }
            )
            tool = self.tool(step.call.name)
            if tool is not None and tool.role == "search":
                query = step.call.arguments.get(tool.text_argument or "")
                if isinstance(query, str):
                    queries += (query,)
                    searched += f" {fold(query)} |"
            if observation is None:
                continue
            seen = seen.union(urls(observation.text))
            if not observation.failed:
                asked = set(words(self.question)) - covered
                covered = covered.union(word for word in asked if f" {word} " in observation.folded)
                opened = filter(is_web_address, step.call.texts)
                visited = visited.union(canonical_url(address) for address in opened)
        # Built without validation: every part is a validated record already, and validating the
        # whole trajectory again at each step would make a run quadratic.
        return State.model_construct(
            question=self.question,
            given=self.given,
            tools=self.tools,
            budget=Budget(limit=self.budget.limit, used=self.budget.used + decisions),
            steps=self.steps + taken,
            urls_seen=seen,
            urls_visited=visited,
            queries=queries,
            searched=searched,
            covered=covered,
            digest=chained,
        )

    @property
    def phase(self) -> Phase:
        """Phase of the next decision."""
        return self.budget.phase

    @property
    def last_observation(self) -> Observation | None:
        """The newest observation, if any."""
        return next((s.observation for s in reversed(self.steps) if s.observation is not None), None)

    def tool(self, name: str) -> ToolContract | None:
        """The contract of a tool, or None where no such tool exists."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, ToolContract]:
        return {tool.name: tool for tool in self.tools}

    def knows(self, value: str) -> bool:
        """Whether `value` stands in the question, in given text or in an observation (whole words)."""
        needle = f" {fold(value)} "
        if needle.isspace():
            return False
        if any(needle in f" {fold(text)} " for text in (self.question, *self.given)):
            return True
        return any(
            step.observation is not None and needle in step.observation.folded
            for step in reversed(self.steps)
        )
