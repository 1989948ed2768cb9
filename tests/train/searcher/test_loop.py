"""The loop learns, stops anywhere, and goes on as if it had not stopped."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from coreact.errors import ConfigError
from coreact.train.llama import Shape, new_model
from coreact.train.searcher.encoding import Tokens
from coreact.train.searcher.loop import Schedule, load_weights, read_log, share_right, train

torch = pytest.importorskip("torch", reason="needs the extra `train`")

SHAPE = Shape(width=32, layers=2, heads=2, feed_forward=64, context=64)
VOCABULARY = 10
SCHEDULE = Schedule(steps=12, batch_tokens=96, rate=5e-3, warm_up=2, every=4, drills=(0, 0))


def _conversation(rng: Random) -> Tokens:
    """A token between two marks, and at the end, as the reply, the same token again."""
    token = rng.randrange(4, VOCABULARY)
    ids = [1, token, 2, 3, token, 2]
    learned = [False] * (len(ids) - 2) + [True, True]
    return Tokens(ids, learned, [not one for one in learned])


@pytest.fixture(scope="module")
def data() -> list[Tokens]:
    rng = Random(0)
    return [_conversation(rng) for _ in range(200)]


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _model(seed: int = 0) -> Any:
    return new_model(SHAPE, vocabulary=VOCABULARY, seed=seed)


def test_it_learns_to_copy(data: list[Tokens], folder: Path) -> None:
    model = _model()
    assert share_right(model, data[:50]) < 0.3
    schedule = SCHEDULE.model_copy(update={"steps": 120, "every": 60, "batch_tokens": 192})
    lines = list(train(model, data, data[:50], schedule, folder))
    assert [line.step for line in lines] == [60, 120]
    assert lines[-1].loss < lines[0].loss
    assert lines[-1].right == share_right(model, data[:50]) > 0.5
    assert read_log(folder) == lines


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(data: list[Tokens], tmp_path: Path) -> None:
    whole = _model()
    lines = list(train(whole, data, data[:5], SCHEDULE, tmp_path / "whole"))
    broken = train(_model(), data, data[:5], SCHEDULE, tmp_path / "broken")
    next(broken)
    broken.close()
    resumed = _model(seed=9)  # its weights come from the checkpoint
    rest = list(train(resumed, data, data[:5], SCHEDULE, tmp_path / "broken"))
    assert [line.step for line in rest] == [8, 12]
    for own, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(own, other)
    timeless = [line.model_copy(update={"seconds": 0}) for line in read_log(tmp_path / "broken")]
    assert timeless == [line.model_copy(update={"seconds": 0}) for line in lines]
    assert list(train(resumed, data, [], SCHEDULE, tmp_path / "broken")) == []


def test_the_seed_draws_weights_and_batches(data: list[Tokens], tmp_path: Path) -> None:
    def loss(seed: int, name: str) -> float:
        schedule = SCHEDULE.model_copy(update={"seed": seed, "steps": 4})
        return next(train(_model(), data, [], schedule, tmp_path / name)).loss

    assert loss(0, "a") == loss(0, "b") != loss(1, "c")


def test_a_wrong_reply_in_a_history_is_neither_learned_nor_read_as_a_prompt(tmp_path: Path) -> None:
    """Whatever stands in it, the loss is that of the tokens after it."""
    ids = [1, 7, 2, 9, 9, 2, 7, 2]
    tokens = Tokens(ids, [False] * 6 + [True] * 2, [True] * 3 + [False] * 5)
    line = next(train(_model(), [tokens], [], SCHEDULE.model_copy(update={"steps": 1}), tmp_path / "a"))
    with torch.no_grad():
        logits = _model()(input_ids=torch.tensor([ids])).logits[0, :-1]
    losses = torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="none")
    assert line.loss == pytest.approx(float(losses[5:].mean()), rel=1e-4)
    assert line.prompt_loss == pytest.approx(float(losses[:2].mean()), rel=1e-4)


def test_the_rate_rises_stays_and_falls() -> None:
    schedule = Schedule(steps=100, rate=1.0, warm_up=9, cool_down=0.5)
    rates = [schedule.rate_at(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[50] == 1.0
    assert rates[75] == pytest.approx(0.5)
    assert rates[99] == pytest.approx(0.02)


def test_a_conversation_longer_than_a_batch_is_refused(tmp_path: Path) -> None:
    long = Tokens([1] * 100, [True] * 100, [False] * 100)
    with pytest.raises(ConfigError, match="100 tokens"):
        next(train(_model(), [long], [], SCHEDULE, tmp_path))
    with pytest.raises(ConfigError, match="0 conversations"):
        next(train(_model(), [], [], SCHEDULE, tmp_path))


def test_a_checkpoint_of_another_model_is_refused(data: list[Tokens], folder: Path) -> None:
    with pytest.raises(ConfigError, match="no checkpoint"):
        load_weights(_model(), folder)
    next(train(_model(), data, [], SCHEDULE, folder))
    with pytest.raises(ConfigError, match="another model"):
        load_weights(new_model(SHAPE, vocabulary=VOCABULARY + 1, seed=0), folder)
