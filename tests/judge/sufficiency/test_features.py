"""What is observed of a question and a draft, by hand-made traces."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.judge import Judgement
from coreact.judge.sufficiency import FEATURES, features
from coreact.judge.sufficiency.evidence import Evidence, content_words, keys, lines_of
from coreact.judge.sufficiency.features import news
from coreact.rubric import State

QUESTION = "What is the currency of the country governed from Port-au-Prince?"
SEAT = "[a] Port-au-Prince, Haiti: Port-au-Prince is the capital of Haiti."
MONEY = "[b] Money in Haiti: Haiti uses the Gourde as its currency."
OTHER = "[c] Money in Togo: Togo uses the Franc as its currency."
Seeing = Callable[..., State]


def test_before_any_search(seeing: Seeing) -> None:
    numbers = features(seeing(QUESTION, limit=4), "Gourde")
    assert tuple(numbers) == tuple(FEATURES)
    expected = dict.fromkeys(FEATURES, 0.0) | {"draft_given": 1.0, "rubric_score": 0.5}
    assert numbers == expected


def test_a_chain_of_two_hops_by_hand(seeing: Seeing) -> None:
    state = seeing(QUESTION, ("Port-au-Prince capital", SEAT), ("Haiti money", f"{MONEY}\n{OTHER}"), limit=4)
    numbers = features(state, "Gourde")
    # Content words: currency, country, governed, port, au, prince. Observed: currency, port, au, prince.
    assert numbers["words_covered"] == pytest.approx(4 / 6)
    assert numbers["names_covered"] == 1.0  # port, prince
    assert numbers["best_line"] == pytest.approx(3 / 6)
    assert numbers["searches"] == pytest.approx(math.log(3))
    assert numbers["new_lines"] == 1.0
    assert numbers["draft_whole"] == numbers["draft_observed"] == 1.0
    assert numbers["draft_beside"] == pytest.approx(1 / 6)  # its line says "currency"
    assert numbers["draft_linked"] == 1.0  # Gourde's line leads by Haiti to Port-au-Prince
    assert numbers["budget_used"] == 0.5
    # The franc stands in a line beside it that leads nowhere.
    assert features(state, "Franc")["draft_linked"] == 0.0
    assert features(state, "Franc")["draft_whole"] == 1.0


def test_the_names_of_the_question_link_nothing(seeing: Seeing) -> None:
    state = seeing(
        "Which ISO code has the country of Bamako?",
        (
            "codes",
            "The ISO code of Togo is TGO.\nThe ISO code of Mali is MLI.\nThe capital of Mali is Bamako.",
        ),
    )
    assert features(state, "MLI")["draft_linked"] == 1.0  # ISO and Bamako
    assert features(state, "TGO")["draft_linked"] == 0.5  # ISO alone


def test_a_searcher_that_stands_still(seeing: Seeing) -> None:
    state = seeing(QUESTION, ("haiti", SEAT), ("Haiti!", SEAT), ("more of haiti", f"{SEAT}\n{SEAT}"))
    numbers = features(state, "")
    assert (numbers["new_lines"], numbers["stale"]) == (0.0, 2.0)
    assert numbers["repeats"] == pytest.approx(1 / 3)
    assert (numbers["draft_given"], numbers["budget_used"]) == (0.0, 0.0)
    assert news(state) == (0.0, 2)
    assert news(seeing(QUESTION, ("haiti", SEAT), ("money", f"{SEAT}\n{MONEY}"))) == (0.5, 0)


def test_errors_and_echoes_are_no_evidence(seeing: Seeing) -> None:
    nothing = "No passage shares a word with 'currency governed from Port-au-Prince'. Try other words."
    state = seeing(QUESTION, ("currency governed from Port-au-Prince", nothing), ("Gourde", None))
    numbers = features(state, "timed")
    assert numbers["words_covered"] == numbers["names_covered"] == numbers["draft_observed"] == 0.0
    assert (numbers["failed"], numbers["stale"]) == (0.5, 2.0)


def test_a_plan_and_a_judgement(seeing: Seeing) -> None:
    plan = ("Which country is governed from Port-au-Prince?", "Which currency does Haiti use?")
    state = seeing(QUESTION, ("Haiti", MONEY))
    assert features(state, "x", plan=plan)["plan_open"] == 0.5
    judged = Judgement(rubric="r", verdicts=(), score=0.25, passed=False, judged=1, total=1)
    assert features(state, "x", judgement=judged)["rubric_score"] == 0.25
    nobody = judged.model_copy(update={"score": None})
    assert features(state, "x", judgement=nobody)["rubric_score"] == 0.5


def test_a_sub_question_needs_one_line_with_its_names(seeing: Seeing) -> None:
    apart = Evidence(seeing("?", ("q", "Haiti is a country.\nThe currency is used.")))
    assert not apart.resolves("Which currency does Haiti use?")
    assert Evidence(seeing("?", ("q", MONEY))).resolves("Which currency does Haiti use?")
    assert not Evidence(seeing("?", ("q", OTHER))).resolves("Which currency does Haiti use?")
    assert not Evidence(seeing("?", ("q", MONEY))).resolves("")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Who wrote Dune in 1965?", ("dune", "1965")),
        ("the iPhone of São Paulo", ("iphone", "sao", "paulo")),
        ("東京の人口は?", ()),
        ("", ()),
    ],
)
def test_keys(text: str, found: tuple[str, ...]) -> None:
    assert keys(text) == found


def test_content_words_of_a_question_of_function_words_are_all_of_them() -> None:
    assert content_words("Who are you?") == ("who", "are", "you")
    assert content_words("Who wrote Dune, and who wrote it?") == ("wrote", "dune")


def test_long_lines_are_cut_and_nothing_is_lost() -> None:
    text = " ".join(f"Sentence {n} says 5.{n} things." for n in range(200))
    pieces = lines_of(text)
    assert len(pieces) > 1
    assert max(len(piece.text) for piece in pieces) <= 600
    assert " ".join(piece.text for piece in pieces) == text
    assert "".join(piece.text for piece in lines_of("x" * 1500)) == "x" * 1500
    assert lines_of("A line.\n" * 10**6 + "The end.")[-1].text != "The end."  # a page without end is bounded


@given(st.text(max_size=200), st.lists(st.text(max_size=200), max_size=4), st.text(max_size=60))
def test_any_text_gives_finite_numbers_in_range(question: str, texts: list[str], draft: str) -> None:
    from coreact.rubric import Observation, Step, ToolCall, ToolContract

    tool = ToolContract(
        name="s", role="search", parameters={"properties": {"q": {"type": "string"}}, "required": ["q"]}
    )
    state = State.start(question, tools=(tool,), limit=3)
    for text in texts:
        state = state.after(
            Step(call=ToolCall(name="s", arguments={"q": text}), observation=Observation(text=text))
        )
    numbers = features(state, draft, plan=(question, draft))
    assert all(map(math.isfinite, numbers.values()))
    bounded = {name: value for name, value in numbers.items() if name not in ("searches", "stale")}
    assert all(0 <= value <= 1 for value in bounded.values()), bounded
    assert features(state, draft, plan=(question, draft)) == numbers
