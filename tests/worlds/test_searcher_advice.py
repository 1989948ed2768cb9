"""What the scripted searcher reads off guidance: names and a few verbs, whoever wrote it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coreact.generate import HeuristicGenerator
from coreact.guide.wording import guidance
from coreact.rubric import ArgumentContains, DoesNotStop, NotRepeat, State, Stops, ToolContract
from coreact.rubric.checks.answers import AnswerObserved
from coreact.worlds.searcher import Advice, read_advice


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", Advice()),
        ("Be careful and polite.", Advice()),
        ('Search for "Quito capital".', Advice(names=("Quito capital",))),
        ('- Put "St. John\'s" into `query`, or else "B. C." or "D".', Advice(("St. John's", "B. C.", "D"))),
        ("Look up „Łódź“ and «Brno».", Advice(names=("Łódź", "Brno"))),
        ('Avoid: Search for "Quito".', Advice()),
        ('Do not search for "Quito". Search for "Lima".', Advice(names=("Lima",))),
        ('The word "Quito" is long.', Advice()),
        ("Make a call that was not made before.", Advice(new=True)),
        ("Do not repeat a search; ask for something new.", Advice(new=True)),
        ("Do not answer before the observations cover the question.", Advice(wait=True)),
        ("Answer with what an observation says.", Advice(wait=True)),
        ("Never answer without evidence.", Advice(wait=True)),
        ("Give the final answer now.", Advice(answer=True)),
        ('Answer in a few words: Which evidence is about "Quito", and what is not?', Advice(answer=True)),
        ("You should think about an answer.", Advice()),
        ('Search for "Answer Hall, do not repeat".', Advice(names=("Answer Hall, do not repeat",))),
        ('Give the final answer now. ("Quito" stands in no observation)', Advice(answer=True)),
        ('Search for "Lima". (the query "Quito" is about something else)', Advice(names=("Lima",))),
    ],
)
def test_sentences_are_read_as_meant(text: str, advice: Advice) -> None:
    assert read_advice(text) == advice


@pytest.mark.parametrize(
    ("check", "advice"),
    [
        (ArgumentContains(argument="query", terms=("Quito", "Lima")), Advice(names=("Quito", "Lima"))),
        (NotRepeat(), Advice(new=True)),
        (DoesNotStop(), Advice(wait=True)),
        (AnswerObserved(), Advice(wait=True)),
        (Stops(), Advice(answer=True)),
    ],
)
def test_it_understands_what_checks_say(check: object, advice: Advice) -> None:
    assert read_advice(check.explain()) == advice  # type: ignore[attr-defined]


def test_it_understands_the_heuristic() -> None:
    tool = ToolContract(
        name="search",
        role="search",
        read_only=True,
        parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    )
    rubric = HeuristicGenerator().write(State(question="Where does Quito lie?", tools=(tool,))).rubric
    assert read_advice(guidance(rubric)) == Advice(names=("Quito",), new=True, wait=True)


@given(st.text(max_size=300))
@example("\x00 search")
def test_any_text_is_read(text: str) -> None:
    assert all(name.strip() == name and name for name in read_advice(text).names)
