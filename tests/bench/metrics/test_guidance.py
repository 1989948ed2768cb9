from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from coreact.bench.metrics import (
    Balance,
    ScoredPair,
    Share,
    criteria_of,
    outcome_balance,
    pair_accuracy,
    step_balance,
)
from coreact.errors import ConfigError
from coreact.guide import CoReActMiddleware
from coreact.rubric import ArgumentContains, Criterion, Rubric
from coreact.testing import ScriptedGenerator, ScriptedJudge, ScriptedModel, call
from coreact.trace import InMemoryTraceStore, Recorder
from coreact.trace.rejudge import RejudgeTask, rejudge_store


def test_outcomes_by_hand():
    plain = {"t1": 0.0, "t2": 1.0, "t3": 1.0, "t4": 0.0, "t5": None, "t6": 1.0}
    guided = {"t1": 1.0, "t2": 0.5, "t3": 1.0, "t4": 0.0, "t5": 1.0, "t7": 1.0}
    found = outcome_balance(plain, guided)
    assert found == Balance(fixed=1, spoiled=1, kept_right=1, kept_wrong=1, unknown=3)
    assert found.helpfulness == Share(0.5, 2, 2)
    assert found.harmfulness == Share(0.5, 2, 2)
    assert (found.ratio, found.net) == (1.0, 0)
    assert str(found) == "1:1 (fixed:spoiled, 3 unknown)"
    assert outcome_balance(plain, guided, right_from=0.5).spoiled == 0


def test_nothing_spoiled_is_no_ratio():
    found = outcome_balance({"a": 0.0}, {"a": 1.0})
    assert (found.ratio, found.harmfulness) == (None, Share(None, 0, 0))
    assert str(found) == "1:0 (fixed:spoiled)"


outcomes = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([0.0, 1.0, None]))


@given(outcomes, outcomes)
def test_every_pair_is_counted_once_and_swapping_arms_swaps_help_and_harm(plain, guided):
    found, other = outcome_balance(plain, guided), outcome_balance(guided, plain)
    total = found.fixed + found.spoiled + found.kept_right + found.kept_wrong + found.unknown
    assert total == len({**plain, **guided})
    assert (found.fixed, found.spoiled) == (other.spoiled, other.fixed)


# --- steps of real runs ---------------------------------------------------------------------------

GUIDING = Rubric(
    criteria=(
        Criterion(
            id="names-berlin",
            text="The query names Berlin.",
            check=ArgumentContains(argument="query", terms=("Berlin",)),
        ),
        Criterion(
            id="asks-for-capital",
            text="The query asks for the capital.",
            check=ArgumentContains(argument="query", terms=("capital",)),
        ),
        Criterion(id="polite", text="The query is polite.", weight=0.1),  # nobody can tell
    ),
    threshold=0.6,
)
TRUTH = Rubric(criteria=(Criterion(id="right", text="The query is the right one."),))


@tool
def search(query: str) -> str:
    """Search."""
    return f"nothing about {query}"


def run(store: InMemoryTraceStore, *queries: str) -> None:
    """A guided run whose first decision proposes the queries one after the other, each after a rejection."""
    model = ScriptedModel(
        script=[*(call("search", query=query) for query in queries), *[AIMessage("Done.")] * 3]
    )
    guidance = CoReActMiddleware(
        generator=ScriptedGenerator(GUIDING), recorder=Recorder(store), retries=len(queries) - 1
    )
    agent = create_agent(model, [search], middleware=[guidance])
    agent.invoke({"messages": [{"role": "user", "content": "What is the capital of Germany?"}]})


def knows(*right: str) -> ScriptedJudge:
    """A judge who knows the right queries, and cannot tell of some."""

    def decide(criterion, action):
        said = action.answer if action.call is None else action.call.arguments["query"]
        return "unknown" if "?" in said else "met" if said in right else "unmet"

    return ScriptedJudge(decide, name="truth")


@pytest.fixture
def store() -> InMemoryTraceStore:
    kept = InMemoryTraceStore()
    run(kept, "Paris", "Berlin capital")  # a wrong first attempt, and a right second one
    run(kept, "Germany", "Berlin capital city")  # the first one was right
    run(kept, "Berlin capital")  # accepted at once
    run(kept, "what? ", "Berlin capital")  # nobody can tell about the first
    list(rejudge_store(kept, RejudgeTask(knows("Berlin capital", "Germany"), TRUTH)))
    return kept


def trajectories(store: InMemoryTraceStore):
    return [store.trajectory(run.id) for run in store.runs()]


def first_steps(store: InMemoryTraceStore):
    return [one.model_copy(update={"steps": one.steps[:1]}) for one in trajectories(store)]


def test_first_attempt_against_selected_one(store):
    found = step_balance(first_steps(store), "truth")
    assert found.steps == Balance(fixed=1, spoiled=1, kept_right=1, unknown=1)
    assert found.verdicts == {"right": Balance(fixed=1, spoiled=1, kept_right=1, unknown=1)}


def test_the_criteria_that_spoke_against_the_first_attempt_answer_for_it(store):
    found = step_balance(first_steps(store), "truth")
    spoke = Balance(fixed=1, spoiled=1, unknown=1)
    assert found.blamed == {"names-berlin": spoke, "asks-for-capital": spoke}
    assert found.hurting == ()
    assert set(criteria_of(trajectories(store))) == {"names-berlin", "asks-for-capital", "polite"}
    worse = step_balance(
        [one for one in first_steps(store) if "Germany" in str(one.steps[0].attempts[0].message)], "truth"
    )
    assert worse.hurting == ("asks-for-capital", "names-berlin")


def test_criteria_that_changed_nothing_answer_for_nothing():
    store = InMemoryTraceStore()
    run(store, "Berlin", "Paris")  # the first one is the better of two that fail: it stands
    list(rejudge_store(store, RejudgeTask(knows(), TRUTH)))
    found = step_balance(first_steps(store), "truth")
    assert found.steps == Balance(kept_wrong=1)
    assert found.blamed == {}


def test_a_runs_own_verdicts_show_no_harm(store):
    found = step_balance(first_steps(store))
    assert (found.steps.fixed, found.steps.spoiled) == (3, 0)
    assert found.verdicts["names-berlin"] == Balance(fixed=3, kept_right=1)


def test_an_unknown_evaluator_is_refused(store):
    with pytest.raises(ConfigError, match="Nobody called"):
        step_balance(trajectories(store), "somebody")


# --- preferences ----------------------------------------------------------------------------------


def test_pairs_by_hand():
    found = pair_accuracy(
        [
            ScoredPair("chat", 0.9, 0.1),
            ScoredPair("chat", 0.5, 0.5),  # a tie is half a hit
            ScoredPair("chat", 0.1, 0.9),
            ScoredPair("chat", None, 0.9),
            ScoredPair("safety", 1, 0),
        ]
    )
    assert found.overall == Share(2.5 / 4, 4, 5)
    assert found.subsets == {"chat": Share(0.5, 3, 4), "safety": Share(1.0, 1, 1)}
    assert found.mean == Share(0.75, 2, 2)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1))
def test_swapping_both_answers_mirrors_the_accuracy(scores):
    one = pair_accuracy([ScoredPair("", a, b) for a, b in scores]).overall.value
    other = pair_accuracy([ScoredPair("", b, a) for a, b in scores]).overall.value
    assert one is not None
    assert other is not None
    assert one + other == pytest.approx(1)
