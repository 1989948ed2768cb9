"""That candidates differ, and that neither their number nor their order tells which is good or long."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from coreact.rubric import Action, ToolCall
from coreact.train.branch.diversity import distance, diverse, normal_key
from coreact.train.branch.screening import Screened


def search(query: str, source: str = "m", **more: object) -> Screened:
    return Screened(source, Action(call=ToolCall(name="search", arguments={"query": query, **more})))


def answer(text: str) -> Screened:
    return Screened("m", Action(answer=text))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (search("Bo Li born"), search("  bo li,  BORN?")),
        (search("Köln"), search("koln")),
        (answer("Lower Tarn."), answer("lower tarn")),
        (search("https://Example.org/a/"), search("https://example.org/a")),
        (search("x", k=[1, "Two"]), search("X", k=[1, "two "])),
    ],
)
def test_letter_case_blanks_and_punctuation_do_not_count(left: Screened, right: Screened) -> None:
    assert normal_key(left.action) == normal_key(right.action)
    kept = diverse([left, right, answer("elsewhere")], k=4, seed="s")
    assert len(kept.candidates) == 2
    assert kept.dropped == {"duplicate": 1}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (search("Bo Li"), answer("Bo Li")),
        (search("?"), search("!")),
        (search("Bo Li born"), search("born Bo Li")),
        (search("https://example.org/a"), search("https://example.org/A")),
        (search("x", k=1), search("x", k=2)),
    ],
)
def test_what_says_something_else_stays_apart(left: Screened, right: Screened) -> None:
    assert normal_key(left.action) != normal_key(right.action)


def test_the_farthest_are_kept() -> None:
    alike = [search(f"Omaha Song singer born {word}") for word in ("where", "when", "how", "why")]
    different = [search("Anna Berg"), answer("Lower Tarn"), search("weather forecast")]
    for seed in range(20):
        kept = diverse([*alike, *different], k=4, seed=str(seed))
        assert all(one in kept.candidates for one in different)
        assert kept.dropped == {"not_diverse": 3}


def test_halves_of_characters_are_drawn_as_well() -> None:
    odd = [answer("Tarn \ud800"), search("Tarn \udfff"), answer("Berg")]
    assert len(diverse(odd, k=3, seed="s").candidates) == 3


def test_distance_is_that_of_jaccard() -> None:
    assert distance(search("a b").action, search("a b").action) == 0
    # By hand: search, query, a, b against search, query, a, c: three of five words in common.
    assert distance(search("a b").action, search("a c").action) == pytest.approx(1 - 3 / 5)
    assert distance(search("a").action, answer("b").action) == 1


TEXTS = st.lists(st.text("abcdefgh ", min_size=1, max_size=20), min_size=1, max_size=12)


@given(TEXTS, st.integers(1, 6), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_proposals_changes_nothing(texts: list[str], k: int, draw: Random) -> None:
    proposals = [search(text, source=f"m{at % 3}") for at, text in enumerate(texts)]
    shuffled = list(proposals)
    draw.shuffle(shuffled)
    kept = diverse(proposals, k=k, seed="point")
    assert diverse(shuffled, k=k, seed="point") == kept
    assert len(kept.candidates) + sum(kept.dropped.values()) == len(proposals)
    assert len({normal_key(one.action) for one in kept.candidates}) == len(kept.candidates) <= k


def test_position_tells_nothing_about_length_or_about_who_proposed() -> None:
    draw = Random(0)
    words = "omaha song singer born anna berg tarn spring lower where town year".split()
    places, lengths, ranks = [], [], []
    first = {"short": 0, "long": 0}
    for point in range(300):
        pool = [search(" ".join(draw.sample(words, draw.randint(1, 10)))) for _ in range(12)]
        kept = diverse(pool, k=4, seed=f"point {point}").candidates
        for place, one in enumerate(kept):
            places.append(place)
            lengths.append(len(str(one.action)))
            ranks.append(pool.index(one))
        longest = max(kept, key=lambda one: len(str(one.action)))
        first["long" if kept[0] == longest else "short"] += 1
    for other in (lengths, ranks):
        assert abs(spearmanr(places, other).statistic) < 0.07  # 1200 pairs: two standard errors are .06
    assert first["long"] == pytest.approx(75, abs=25), "the longest of four is first in one of four"
    # The first one kept is drawn, not the longest: with one to keep, length is that of the pool on average.
    drawn = [
        len(str(diverse(pool, k=1, seed=str(at)).candidates[0].action))
        - np.mean([len(str(p.action)) for p in pool])
        for at, pool in enumerate(
            [search(" ".join(draw.sample(words, draw.randint(1, 10)))) for _ in range(12)] for _ in range(150)
        )
    ]
    assert abs(np.mean(drawn)) < 3 * np.std(drawn) / 12
