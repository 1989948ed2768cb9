"""Self-distillation: the average is the closed form, disagreement is dropped, the divergence is bounded."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreact.errors import ConfigError
from coreact.generate.prompt import chat, step_prompt
from coreact.rubric.branching import BranchingPoint
from coreact.train.branch.scripted import collect, parts
from coreact.train.distill.own import Ema, OwnSettings, agreed, clipped_divergence, says, self_taught
from coreact.worlds import World

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def point(world: World) -> BranchingPoint:
    """About Rabat; `Morocco calling code` leads on, and the sheet has Rabat first and Morocco second."""
    questions = parts(world, n=4, seed=0).train
    return next(one for one in collect(world, questions, seed=0, per_question=2) if one.has_contrast)


def test_what_most_draws_say() -> None:
    assert agreed(["a", "b", "a", "a", None]) == ("a", 0.6, 0)
    assert agreed(["b", "a", "a", "a"]) == ("a", 0.75, 1)
    assert agreed(["a", "a", None, None, None]) is None  # unreadable draws count against it
    assert agreed(["a", "b"]) is None
    assert agreed(["a", "a", "b", "b"], least=0.5) is None  # nobody has most of them
    assert agreed([None, None]) is None
    assert agreed([]) is None


@given(st.lists(st.one_of(st.none(), st.sampled_from("abc")), max_size=9), st.floats(0.5, 1))
def test_at_most_one_thing_is_agreed_on(draws: list[str | None], least: float) -> None:
    found = agreed(draws, least=least)
    enough = [value for value in "abc" if draws and draws.count(value) / len(draws) >= max(least, 0.5 + 1e-9)]
    assert ([] if found is None else [found.value]) == enough
    if found is not None:
        assert draws[found.first] == found.value


def test_a_reply_says_the_order_of_the_candidates(point: BranchingPoint) -> None:
    one = says("1. [0.5] Search for name 2.", point, form="sheet")
    other = says("1. [0.9] Search for name 2.\n2. [0.1] Do not repeat an earlier call.", point, form="sheet")
    assert one is not None
    assert len(one) == len(point.candidates)
    assert one == says("1. [1.0] Search for name 2.", point, form="sheet")
    assert one != other != None  # noqa: E711 - both say something
    assert says("no rubric at all", point, form="sheet") is None
    assert says("1. [1] Be thorough and kind.", point, form="sheet") is None  # it tells nobody apart


def test_only_samples_that_the_draws_agree_on_are_taught(point: BranchingPoint) -> None:
    same = ["1. [0.5] Search for name 2.", "1. [0.7] Search for name 2.", "1. [1] Answer now."]
    torn = ["1. [0.5] Search for name 1.", "1. [1] Answer now.", "hm"]
    asked: list[tuple[Any, int]] = []
    scripts = iter([same, torn])

    def draw(prompt: list[dict[str, str]], n: int) -> Sequence[str]:
        asked.append((prompt, n))
        return next(scripts)

    blind = point.model_copy(
        update={"candidates": tuple(c.model_copy(update={"gain": 0.0}) for c in point.candidates)}
    )
    kept, dropped = self_taught([point, blind], draw, form="sheet", settings=OwnSettings(draws=3, least=0.6))
    assert kept.row is not None
    assert kept.share == pytest.approx(2 / 3)
    assert kept.row["completion"] == [{"role": "assistant", "content": same[0]}]
    assert kept.row["prompt"] == chat(step_prompt(point.state, form="sheet"))
    assert json.loads(kept.row["point"])["id"] == point.id == kept.row["point_id"]
    assert dropped == (None, 0.0)
    assert [n for _, n in asked] == [3, 3]
    with pytest.raises(ConfigError, match="gave 1 replies, not 3"):
        list(self_taught([point], lambda prompt, n: ["x"], form="sheet", settings=OwnSettings(draws=3)))


def test_agreement_of_less_than_a_half_is_no_setting() -> None:
    with pytest.raises(ConfigError, match="'least'"):
        OwnSettings.of(least=0.5)


# --- weights -----------------------------------------------------------------------------------


def module(*values: float, dtype: Any = None) -> Any:
    layer = torch.nn.Linear(len(values), 1, bias=False, dtype=dtype)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([values]))
    return layer


@given(st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=12), st.floats(0, 0.999))
@settings(deadline=None)
def test_the_average_is_the_closed_form(history: list[float], decay: float) -> None:
    first, *later = history
    ema = Ema(module(first), decay=decay)
    for value in later:
        ema.update(module(value))
    t = len(later)
    expected = decay**t * first + (1 - decay) * sum(
        decay ** (t - k) * value for k, value in enumerate(later, start=1)
    )
    assert ema.state_dict()["weight"].item() == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert ema.updates == t


def test_small_updates_are_not_lost_in_sixteen_bits() -> None:
    ema = Ema(module(1.0, dtype=torch.bfloat16), decay=0.999)
    for _ in range(1000):
        ema.update(module(2.0, dtype=torch.bfloat16))
    copy = module(0.0, dtype=torch.bfloat16)
    ema.load_into(copy)
    assert copy.weight.item() == pytest.approx(2 - 0.999**1000, rel=0.01)  # 1.63; in 16 bits it stays 1


def test_averages_are_saved_and_gone_on_with() -> None:
    straight = Ema(module(1.0, 2.0), decay=0.9)
    for at in range(6):
        straight.update(module(float(at), -at))
    begun = Ema(module(1.0, 2.0), decay=0.9)
    for at in range(3):
        begun.update(module(float(at), -at))
    saved = {name: weight.clone() for name, weight in begun.state_dict().items()}
    resumed = Ema(module(7.0, 7.0), decay=0.9)
    resumed.load_state_dict(saved, updates=begun.updates)
    for at in range(3, 6):
        resumed.update(module(float(at), -at))
    assert torch.equal(resumed.state_dict()["weight"], straight.state_dict()["weight"])
    assert resumed.updates == 6
    for other in (lambda: resumed.update(module(1.0)), lambda: resumed.load_into(module(1.0))):
        with pytest.raises(ConfigError, match="not those of the model"):
            other()
    with pytest.raises(ConfigError, match="cannot be used"):
        Ema(module(1.0), decay=1.0)


def test_the_model_itself_is_not_changed() -> None:
    model = module(1.0)
    ema = Ema(model, decay=0.5)
    ema.update(module(3.0))
    assert model.weight.item() == 1.0


# --- divergence --------------------------------------------------------------------------------


def test_the_divergence_is_by_hand_and_masked() -> None:
    teacher = torch.tensor([[math.log(0.5), math.log(0.5)], [0.0, 0.0]])
    student = torch.tensor([[math.log(0.75), math.log(0.25)], [9.0, -9.0]])
    by_hand = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    assert clipped_divergence(teacher, student, torch.tensor([1, 0])).item() == pytest.approx(
        by_hand, abs=1e-6
    )
    both = clipped_divergence(teacher, student, torch.tensor([1, 1]), clip=2.0).item()
    assert both == pytest.approx((by_hand + 2.0) / 2, abs=1e-6)
    assert clipped_divergence(teacher, student, torch.zeros(2)).item() == 0


@given(st.integers(0, 10_000), st.floats(0.01, 3))
@settings(deadline=None)
def test_the_divergence_is_bounded(seed: int, clip: float) -> None:
    draw = torch.Generator().manual_seed(seed)
    teacher = torch.randn(2, 5, 7, generator=draw) * 20
    student = torch.randn(2, 5, 7, generator=draw) * 20
    mask = torch.rand(2, 5, generator=draw) > 0.3
    value = clipped_divergence(teacher, student, mask, clip=clip).item()
    assert 0 <= value <= clip + 1e-6
    assert clipped_divergence(teacher, teacher, mask, clip=clip).item() == pytest.approx(0, abs=1e-6)


def test_a_word_that_is_ruled_out_is_no_nan() -> None:
    out = -math.inf
    teacher = torch.tensor([[0.0, 1.0, out], [0.0, out, 1.0]])
    student = torch.tensor([[1.0, 0.0, out], [0.0, 1.0, out]], requires_grad=True)
    value = clipped_divergence(teacher, student, torch.ones(2), clip=2.0)
    plain = clipped_divergence(teacher[:1, :2], student[:1, :2], torch.ones(1), clip=2.0)
    assert value.item() == pytest.approx((plain.item() + 2.0) / 2, abs=1e-6)
    value.backward()
    assert student.grad is not None
    assert student.grad.isfinite().all()


def test_a_token_beyond_the_clip_does_not_pull() -> None:
    teacher = torch.tensor([[0.0, 0.0], [12.0, -12.0]])
    student = torch.tensor([[0.5, 0.0], [-12.0, 12.0]], requires_grad=True)
    teacher.requires_grad_()
    clipped_divergence(teacher, student, torch.ones(2), clip=1.0).backward()
    assert student.grad is not None
    assert student.grad[0].abs().sum() > 0
    assert student.grad[1].abs().sum() == 0
    assert teacher.grad is None
    with pytest.raises(ConfigError, match="lets nothing through"):
        clipped_divergence(teacher, student, torch.ones(2), clip=0.0)


# --- together ----------------------------------------------------------------------------------


def test_a_small_model_gets_better_by_its_own_agreement() -> None:
    """One epoch on 400 unlabelled rows, after 8 labels: accuracy on held-out rows rises for each seed."""
    gains = [_gain(seed) for seed in (10, 11, 12)]
    assert all(gain > 0.01 for gain in gains), gains


def _gain(seed: int) -> float:
    draw = torch.Generator().manual_seed(seed)
    direction = torch.randn(12, generator=draw)
    direction /= direction.norm()

    def rows(n: int) -> tuple[Any, Any]:
        """Two clouds along a direction: what a few labels leave open, many unlabelled rows show."""
        kind = torch.arange(n) % 2
        return torch.randn(n, 12, generator=draw) + (2 * kind[:, None] - 1) * 1.5 * direction, kind

    few, many, held = rows(8), rows(400), rows(2000)
    model, teacher = torch.nn.Linear(12, 2), torch.nn.Linear(12, 2)
    torch.nn.init.zeros_(model.weight)
    torch.nn.init.zeros_(model.bias)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(30):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(few[0]), few[1]).backward()
        optimiser.step()

    def accuracy() -> float:
        return float((model(held[0]).argmax(-1) == held[1]).float().mean())

    before = accuracy()
    ema = Ema(model, decay=0.9)
    coin = Random(seed)
    for at in range(0, 400, 10):
        ema.load_into(teacher)
        x = many[0][at : at + 10]
        with torch.no_grad():
            logits = teacher(x)
        chances = logits.softmax(-1)[:, 1].tolist()
        draws = [[int(coin.random() < chance) for _ in range(5)] for chance in chances]
        kept = [(at, found.value) for at, one in enumerate(draws) if (found := agreed(one, least=0.8))]
        if not kept:
            continue
        places = [place for place, _ in kept]
        optimiser.zero_grad()
        out = model(x[places])
        loss = torch.nn.functional.cross_entropy(out, torch.tensor([value for _, value in kept]))
        (loss + 0.1 * clipped_divergence(logits[places], out, torch.ones(len(places)))).backward()
        optimiser.step()
        ema.update(model)
    return accuracy() - before
