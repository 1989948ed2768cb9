"""Training teaches: measured on held-out questions, against another question's state."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="needs the extra `train`")


@pytest.mark.timeout(1500)
@pytest.mark.filterwarnings("default")
def test_training_raises_reward_and_what_looking_at_the_state_adds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    proof = import_module("proof")
    try:
        found = proof.prove(tmp_path, seed=0)
    finally:
        sys.modules.pop("proof", None)
    assert found.reward.low > 0, str(found)
    assert found.gap.mean >= 0.10, str(found)
    assert found.gap.low > 0, str(found)
    assert found.reward_share.low > 0, str(found)
