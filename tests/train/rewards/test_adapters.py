"""TRL, verl and a plain call get one number for one sample; what TRL is told is counted and logged."""

from __future__ import annotations

import asyncio
import inspect
import json
import pickle
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from coreact.errors import ConfigError
from coreact.generate.prompt import Form
from coreact.rubric.branching import BranchingPoint
from coreact.train.rewards.contract import NO_CONTRAST
from coreact.train.rewards.reward import RewardSettings, RubricReward
from coreact.train.rewards.trl import TrlReward, parts_of, text_of
from coreact.train.rewards.verl import compute_score

TEXTS = {
    "lines": (
        "1. [0.4] Do not answer yet.\n2. [0.3] Do not repeat an earlier call.\n3. [0.3] Use `search`.",
        "1. [1] Answer now.",
        "<think>hm</think>1. [0.5] Do not answer yet.\n2. [0.5] The query is precise.",
        "I would search.",
        "",
    ),
    "sheet": (
        "1. [0.5] Search for name 1.\n2. [0.3] Do not repeat an earlier call.\n3. [0.2] Do not answer yet.",
        "1. [0.6] Search for name 2.\n2. [0.4] The query contains word 1.",
        "1. [1] Search for name 99.",
    ),
}
SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"control": "relative"},
    {"rank": "pairwise", "seed": 3},
    {"ranking": 1, "atomic": 0, "format": 0, "full_candidates": 2},
)


@pytest.mark.parametrize("form", ["lines", "sheet"])
@pytest.mark.parametrize("chosen", SETTINGS)
def test_all_three_give_the_same_number(
    form: Form, chosen: dict[str, Any], collected: tuple[BranchingPoint, ...]
) -> None:
    plain = RubricReward(RewardSettings(**chosen), form=form)
    samples = [(text, point) for point in collected[:6] for text in TEXTS[form]]
    rows = [point.model_dump_json() for _, point in samples]
    expected = [plain.score(text, point).value for text, point in samples]
    messages = [[{"role": "assistant", "content": text}] for text, _ in samples]
    prompts = [[{"role": "user", "content": "…"}]] * len(samples)
    adapter = TrlReward(RubricReward(RewardSettings(**chosen), form=form))
    assert asyncio.run(adapter(prompts, messages, point=rows, completion_ids=[[1]] * len(rows))) == expected
    assert asyncio.run(adapter(prompts, [text for text, _ in samples], point=rows)) == expected
    by_verl = [
        compute_score(
            "coreact", text, row, {"num_turns": 1}, form=form, settings=chosen, reward_router_address="x"
        )
        for (text, _), row in zip(samples, rows, strict=True)
    ]
    assert [one["score"] for one in by_verl] == expected
    assert len(set(expected)) > 3


def test_verl_rows_are_scored_as_they_are_written(collected: tuple[BranchingPoint, ...]) -> None:
    from coreact.train.rows import verl_rows

    point = collected[0]
    for form in ("lines", "sheet"):
        [row] = verl_rows([point], form=form)
        truth, info = row["reward_model"]["ground_truth"], row["extra_info"]
        told = compute_score(row["data_source"], TEXTS[form][0], truth, info)
        assert told["score"] == RubricReward(form=form).score(TEXTS[form][0], point).value
        assert compute_score("", TEXTS[form][0], truth, form=form) == told


def test_masked_samples_are_none_for_trl_and_marked_for_verl(collected: tuple[BranchingPoint, ...]) -> None:
    flat = collected[0].model_copy(
        update={"candidates": tuple(one.model_copy(update={"gain": 1.0}) for one in collected[0].candidates)}
    )
    rows = [flat.model_dump_json(), collected[0].model_dump_json()]
    adapter = TrlReward(RubricReward(form="lines"))
    found = asyncio.run(adapter([None] * 2, [TEXTS["lines"][0]] * 2, point=rows))
    assert found[0] is None
    assert found[1] is not None
    assert adapter.masked == Counter({"the candidates of the point are worth the same": 1})
    assert adapter.scored == 2
    told = compute_score("coreact", TEXTS["lines"][0], rows[0])
    assert (told["score"], told["masked"], told["ranked"]) == (0.0, 1.0, 0.0)
    assert all(isinstance(value, float) for value in told.values())


def test_equal_completions_of_a_group_are_scored_once(collected: tuple[BranchingPoint, ...]) -> None:
    class Counting(RubricReward):
        calls = 0

        async def ascore(self, completion: str, point: BranchingPoint) -> Any:
            self.calls += 1
            return await super().ascore(completion, point)

    counting = Counting(form="lines")
    row = collected[0].model_dump_json()
    found = asyncio.run(TrlReward(counting)([None] * 8, [TEXTS["lines"][0]] * 8, point=[row] * 8))
    assert len(set(found)) == 1
    assert counting.calls == 1


def test_the_parts_are_logged(collected: tuple[BranchingPoint, ...]) -> None:
    logged: dict[str, float] = {}
    row = collected[0].model_dump_json()
    texts = [TEXTS["lines"][0], "sorry"]
    asyncio.run(
        TrlReward(RubricReward(form="lines"))(
            [None] * 2, texts, point=[row] * 2, log_metric=logged.__setitem__
        )
    )
    assert logged["rubric/unreadable"] == 0.5
    assert logged["rubric/masked"] == 0.0
    assert (logged["rubric/criteria"], logged["rubric/format"]) == (3.0, 1.0)  # of those that were read
    assert "rubric/control" not in logged  # none was asked for
    assert -1 <= logged["rubric/spearman"] <= 1  # of the one that was ranked


def test_what_nobody_looked_at_is_no_part_of_a_mean(collected: tuple[BranchingPoint, ...]) -> None:
    """A masked sample has no form and no criteria, and a loop that is no rubric still repeats itself."""
    flat = collected[0].model_copy(
        update={"candidates": tuple(one.model_copy(update={"gain": 1.0}) for one in collected[0].candidates)}
    )
    reward, text = RubricReward(form="lines"), TEXTS["lines"][0]
    good, masked, loop = (
        reward.score(*one) for one in ((text, collected[0]), (text, flat), ("so " * 99, collected[0]))
    )
    assert (masked.masked, loop.value) == (NO_CONTRAST, 0.0)
    alone, beside = parts_of([good]), parts_of([good, masked])
    assert {**alone, "rubric/unreadable": 0, "rubric/masked": 0.5} == beside
    assert parts_of([loop])["rubric/repetition"] > 0.9
    assert "rubric/criteria" not in parts_of([loop])


def test_trl_can_name_pickle_and_await_it(collected: tuple[BranchingPoint, ...]) -> None:
    adapter = TrlReward(RubricReward(form="lines"), name="spearman")
    assert adapter.__name__ == "spearman"
    assert inspect.iscoroutinefunction(adapter.__call__)  # what TRL asks
    copied = pickle.loads(pickle.dumps(adapter))
    row = collected[0].model_dump_json()
    arguments: dict[str, Any] = {"prompts": [None], "completions": [TEXTS["lines"][0]], "point": [row]}
    assert asyncio.run(copied(**arguments)) == asyncio.run(adapter(**arguments))


def test_rows_that_do_not_fit_are_an_error(collected: tuple[BranchingPoint, ...]) -> None:
    adapter = TrlReward(RubricReward(form="lines"))
    with pytest.raises(ValueError, match="shorter"):
        asyncio.run(adapter([None] * 2, ["1. [1] Answer now."] * 2, point=[collected[0].model_dump_json()]))
    with pytest.raises(ValueError, match="validation error"):
        asyncio.run(adapter([None], ["1. [1] Answer now."], point=["{}"]))
    with pytest.raises(ConfigError, match="rankin"):
        compute_score("coreact", "", collected[0].model_dump_json(), settings={"rankin": 1})


def test_a_completion_is_its_last_message() -> None:
    assert text_of("as it is") == "as it is"
    assert (
        text_of([{"role": "assistant", "content": "one"}, {"role": "assistant", "content": "two"}]) == "two"
    )
    assert text_of([]) == text_of([{"role": "assistant", "content": None}]) == ""


def test_verl_loads_it_by_its_path_and_nothing_heavy_comes_along(
    tmp_path: Path, collected: tuple[BranchingPoint, ...]
) -> None:
    """As verl does: a module from a file, in a process that has neither torch nor TRL loaded."""
    import coreact.train.rewards.verl as module

    sample = tmp_path / "sample.json"
    sample.write_text(json.dumps([TEXTS["lines"][0], collected[0].model_dump_json()]))
    script = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("custom_module", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
text, row = json.load(open(sys.argv[2]))
import coreact.train.rewards.trl
heavy = {"torch", "trl", "transformers", "numpy"} & set(sys.modules)
print(json.dumps([module.compute_score("coreact", text, row)["score"], sorted(heavy)]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(module.__file__), str(sample)],
        capture_output=True,
        text=True,
        check=True,
    )
    score, heavy = json.loads(done.stdout)
    assert score == RubricReward(form="lines").score(TEXTS["lines"][0], collected[0]).value
    assert heavy == []
