"""Every step's batch follows from data, settings and seed; all is read before anything is read again."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreact.train.searcher.batches import DRILL_TOKENS, Batches, drill
from coreact.train.searcher.encoding import Tokens

pytest.importorskip("torch", reason="needs the extra `train`")


def _row(length: int, mark: int) -> Tokens:
    return Tokens([mark] * length, [True] * length, [False] * length)


def _batches(lengths: list[int], *, tokens: int = 60, drills: tuple[int, int] = (0, 0), seed: int = 0) -> Any:
    data = [_row(length, mark) for mark, length in enumerate(lengths, start=1)]
    return Batches(data, vocabulary=30, tokens=tokens, drills=drills, seed=seed)


@given(st.lists(st.integers(2, 60), min_size=1, max_size=30), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_an_epoch_reads_everything_once_and_no_batch_is_too_large(lengths: list[int], seed: int) -> None:
    batches = _batches(lengths, seed=seed)
    seen: list[int] = []
    step = 0
    while len(seen) < len(lengths):
        ids, learned, prompt = batches.at(step)
        assert ids.numel() <= 60
        assert learned.shape == prompt.shape == (ids.shape[0], ids.shape[1] - 1)
        for row, weights in zip(ids.tolist(), learned.tolist(), strict=True):
            length = lengths[row[0] - 1]
            assert row == [row[0]] * length + [0] * (len(row) - length)
            assert weights == [1.0] * (length - 1) + [0.0] * (len(row) - length)
            seen.append(row[0])
        step += 1
    assert sorted(seen) == list(range(1, len(lengths) + 1))


def test_drills_push_conversations_back_and_skip_none() -> None:
    lengths = [10, 20, 30, 40]
    plain, drilled = _batches(lengths), _batches(lengths, tokens=60, drills=(1, 3))
    assert drilled.at(0)[0].tolist() == plain.at(0)[0].tolist()
    assert drilled.at(1)[0].shape == drilled.at(2)[0].shape == (1, DRILL_TOKENS)
    assert drilled.at(1)[0].tolist() != drilled.at(2)[0].tolist()
    assert [drilled.at(step)[0].tolist() for step in (3, 4, 5)] == [
        plain.at(step)[0].tolist() for step in (1, 2, 3)
    ]


@given(st.integers(0, 1000))
def test_a_drill_repeats_itself_and_only_repeats_count(seed: int) -> None:
    row = drill(Random(seed), 100)
    period = row.prompt.index(True)
    assert len(row.ids) == DRILL_TOKENS
    assert 6 <= period < 24
    assert all(row.ids[at] == row.ids[at - period] for at in range(period, DRILL_TOKENS))
    assert all(row.prompt[period:])
    assert not any(row.learned)
    assert min(row.ids) >= 3
