"""The study of methods: every arm is a recipe that can be fitted, and differs from the others as it says."""

from __future__ import annotations

import tomllib
from importlib import util
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent / "study"
pytest.importorskip("trl", reason="needs the extra `train`")


@pytest.fixture(scope="module")
def study() -> Any:
    found = util.spec_from_file_location("study", HERE / "study.py")
    assert found is not None
    assert found.loader is not None
    module = util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize("base", ["tiny", "smollm2"])
def test_all_arms_go_on_from_the_imitation_at_one_budget(study: Any, base: str) -> None:
    told = tomllib.loads((HERE / f"{base}.toml").read_text(encoding="utf-8"))
    first = study.recipe_of(told, "imitation", told["imitation"], seed=3, base="")
    arms = {
        name: study.recipe_of(told, name, told["arm"][name], seed=3, base="run/model") for name in told["arm"]
    }
    assert first.stage[0].method == "sft"
    assert {one.model.base for one in arms.values()} == {"run/model"}
    assert all(one.prompt == first.prompt for one in arms.values())
    pairs, spearman, control = (arms[name] for name in ("pairs", "spearman", "control"))
    assert pairs.stage == spearman.stage == control.stage
    assert (pairs.reward.rank, spearman.reward.rank) == ("pairwise", "spearman")
    assert (spearman.reward.control, control.reward.control) == ("none", "relative")
