"""The report: reproducible bit for bit, finds what is planted and not what is not, hides nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from rich.console import Console

from coreact.bench.experiment import Manifest, Outcome, Session, read_notebook
from coreact.bench.experiment.records import ArmNote
from coreact.bench.records import Episode, Metric
from coreact.bench.report import html, report, tables, write_report

SESSION = Session(command=("coreact", "bench", "run", "a b"), began="now", python="3.11", packages={"x": "1"})
RIGHT = Metric(name="right", about="1 where right.")


def manifest(*arms: str, tasks: int = 10, seeds: tuple[int, ...] = (0,), **changes: Any) -> Manifest:
    given: dict[str, Any] = {
        "suite": "made",
        "suite_version": "sha256:0",
        "metrics": (RIGHT,),
        "settings": {"tool_calls": 3, "model": "none"},
        "arms": {name: ArmNote(about=f"About {name}.") for name in arms},
        "control": arms[0],
        "seeds": seeds,
        "tasks": tasks,
        "sessions": (SESSION,),
    }
    return Manifest(**(given | changes))


def outcome(arm: str, task: str, right: float | None, *, seed: int = 0, **changes: Any) -> Outcome:
    given: dict[str, Any] = {
        "arm": arm,
        "seed": seed,
        "task": task,
        "cluster": task,
        "episode": Episode(models=("m-1",)),
        "metrics": {} if right is None else {"right": right, "model_calls": 3.0},
    }
    return Outcome(**(given | changes))


def table(report_: Any) -> str:
    console = Console(file=StringIO(), width=160, force_terminal=False)
    for one in tables(report_):
        console.print(one)
    written = console.file
    assert isinstance(written, StringIO)
    return written.getvalue()


# --- what must not mislead -----------------------------------------------------------------------


def test_equal_means_over_seeds_are_no_improvement() -> None:
    rows = [outcome("plain", "a", value, seed=seed) for seed, value in enumerate([1 / 3, 1.0, 2 / 3])]
    rows += [outcome("guided", "a", value, seed=seed) for seed, value in enumerate([1.0, 2 / 3, 1 / 3])]
    gap = report(manifest("plain", "guided", seeds=(0, 1, 2)), rows).difference("guided", "right")
    assert gap is not None
    assert (gap.mean, gap.better, gap.worse, gap.p_sign) == (0.0, 0, 0, 1.0)


def test_the_sign_test_counts_clusters_and_not_the_tasks_in_them() -> None:
    rows = []
    for at in range(12):  # two independent groups of six
        about = {"cluster": f"group {at % 2}"}
        rows += [outcome("plain", f"t{at}", 0, **about), outcome("guided", f"t{at}", 1, **about)]
    gap = report(manifest("plain", "guided"), rows).difference("guided", "right")
    assert gap is not None
    assert (gap.better, gap.tasks) == (12, 12)
    assert gap.p_sign == gap.p == 0.5


def test_fixed_and_spoiled_count_episodes_and_only_of_metrics_of_0_and_1() -> None:
    rows = [outcome("plain", "a", value, seed=seed) for seed, value in enumerate([0, 1, 0, 1])]
    rows += [outcome("guided", "a", value, seed=seed) for seed, value in enumerate([1, 0, 1, 1])]
    found = report(manifest("plain", "guided", seeds=(0, 1, 2, 3)), rows)
    gap, calls = found.difference("guided", "right"), found.difference("guided", "model_calls")
    assert gap is not None
    assert calls is not None
    assert (gap.better, gap.fixed, gap.spoiled) == (1, 2, 1)
    assert (calls.fixed, calls.spoiled) == (None, None)
    assert "<td>2 : 1</td>" in html(found)


def test_exclusions_are_told_on_top_by_arm() -> None:
    rows = [outcome("plain", "a", None, excluded="measure", unmeasured="drunk"), outcome("guided", "a", 1)]
    found = report(manifest("plain", "guided"), rows)
    assert "plain 1 of 1" in " ".join(found.notes)
    assert [one.error for one in found.failures] == ["drunk"]


def test_names_and_errors_do_nothing_to_a_terminal() -> None:
    name = "[/red]\x1b[31m[b]odd"
    failed = Episode(error="lost \x1b]0;title\x07[/nothing]")
    printed = table(report(manifest(name, "other"), [outcome(name, "[/]", 1, episode=failed)]))
    assert "\x1b" not in printed
    assert "\x07" not in printed
    assert "[/red]" in printed


# --- by hand --------------------------------------------------------------------------------------


def test_seeds_of_a_task_are_averaged_before_tasks_are() -> None:
    found = report(
        manifest("plain", tasks=2, seeds=(0, 1)),
        [outcome("plain", "a", 1), outcome("plain", "a", 0, seed=1), outcome("plain", "b", 0.5)],
    )
    figure = found.arms[0].figures["right"]
    assert (figure.mean, figure.low, figure.high) == (0.5, 0.5, 0.5)
    assert (figure.judged, figure.of) == (3, 3)
    assert found.missing == 1


def test_differences_pair_by_task_and_seed_and_leave_out_what_has_no_partner() -> None:
    rows = [outcome("plain", task, gold) for task, gold in {"a": 0.0, "b": 0.5, "alone": 1.0}.items()]
    rows += [outcome("guided", task, gold) for task, gold in {"b": 1.0, "a": 0.5, "other": 0.0}.items()]
    # The seed that only one arm has would tilt the difference.
    rows += [outcome("guided", "a", 0.0, seed=1)]
    found = report(manifest("plain", "guided"), rows).difference("guided", "right")
    assert found is not None
    assert (found.mean, found.tasks, found.better, found.worse, found.equal) == (0.5, 2, 2, 0, 0)
    assert found.p == 0.5


def test_what_could_not_be_told_is_left_out_and_counted() -> None:
    rows = [outcome("plain", "a", 1), outcome("plain", "b", None)]
    found = report(manifest("plain"), rows)
    figure = found.arms[0].figures["right"]
    assert (figure.mean, figure.judged, figure.of) == (1, 1, 2)
    assert "1/2" in table(found)
    assert "(1 of 2)" in html(found)


def test_excluded_episodes_are_in_no_figure_and_all_are_listed() -> None:
    failed = Episode(error="RuntimeError: <b>lost</b>")
    rows = [
        outcome("plain", "a", 1),
        outcome("plain", "b", 0, episode=failed),
        outcome("plain", "c", None, excluded="transport", episode=Episode(error="ConnectError: gone")),
        outcome("plain", "d", None, excluded="over budget", episode=Episode(error="It made 9 of 3")),
    ]
    found = report(manifest("plain"), rows)
    arm = found.arms[0]
    assert arm.figures["right"].mean == 0.5
    assert (arm.failed, arm.excluded) == (1, {"over budget": 1, "transport": 1})
    assert [(one.task, one.excluded) for one in found.failures] == [
        ("b", None),
        ("c", "transport"),
        ("d", "over budget"),
    ]
    assert any("more tool calls than allowed: plain" in note for note in found.notes)
    assert report(manifest("plain"), rows[::-1]) == found
    shown = table(found)
    assert "ConnectError: gone" in shown
    assert "transport" in shown


def test_correction_is_over_the_arms_of_a_metric() -> None:
    tasks = [f"t{n}" for n in range(10)]
    rows = [outcome("plain", task, 0) for task in tasks]
    rows += [outcome("good", task, 1) for task in tasks]
    rows += [outcome("same", task, n % 2) for n, task in enumerate(tasks)]
    found = report(manifest("plain", "good", "same"), rows)
    good, same = found.difference("good", "right"), found.difference("same", "right")
    assert good is not None
    assert same is not None
    assert good.p == 2 / 1024
    assert good.p_holm == 4 / 1024
    assert same.p_holm == same.p


# --- is the bench right? --------------------------------------------------------------------------


def flips(rng: Random, tasks: int, rate: float) -> list[float]:
    return [float(rng.uniform(0, 1) < rate) for _ in range(tasks)]


def drawn(seed: int, rates: Mapping[str, float], tasks: int) -> Any:
    rng = Random(seed)
    rows = [
        outcome(arm, f"t{n}", right)
        for arm, rate in rates.items()
        for n, right in enumerate(flips(rng, tasks, rate))
    ]
    return report(manifest(*rates, tasks=tasks), rows)


def test_a_null_effect_is_seldom_found_over_all_arms_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coreact.bench.statistics.RESAMPLES", 10)  # intervals are not looked at
    monkeypatch.setattr("coreact.bench.statistics.FLIPS", 499)
    rates = dict.fromkeys(("plain", "a", "b", "c"), 0.5)
    experiments = [drawn(seed, rates, 20) for seed in range(200)]
    found = sum(any(d.p_holm <= 0.05 for d in one.differences if d.metric == "right") for one in experiments)
    assert found / 200 < 0.085  # nominal 0.05; two standard errors above


def test_a_planted_effect_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coreact.bench.statistics.RESAMPLES", 200)
    monkeypatch.setattr("coreact.bench.statistics.FLIPS", 499)
    rates = {"plain": 0.3, "null": 0.3, "better": 0.8}
    experiments = [drawn(seed, rates, 40) for seed in range(30)]
    found = [one.difference("better", "right") for one in experiments]
    assert sum(d.p_holm <= 0.05 and d.low > 0 for d in found) >= 28


# --- end to end -----------------------------------------------------------------------------------


def test_a_seeded_experiment_gives_the_same_report_bit_for_bit(bench: Any, tmp_path: Path) -> None:
    def run(folder: str) -> tuple[str, str, str]:
        bench.folder = tmp_path / folder
        found = report(*_of(bench.run("plain", "guided", "one-shot rag", seeds=(0, 1)).notebook))
        return table(found), html(found), json.dumps(found.model_dump(mode="json"))

    first, second = run("one"), run("two")
    assert first == second
    assert "gold_share" in first[0]
    assert first[1].count("<svg") >= 4


def test_the_same_report_from_the_folder_in_any_order(bench: Any, tmp_path: Path) -> None:
    ended = bench.run("plain", "guided", n=3)
    found = report(*_of(ended.notebook))
    assert report(*_of(read_notebook(bench.folder))) == found
    assert report(ended.notebook.manifest, ended.notebook.outcomes[::-1]) == found
    write_report(found, tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["suite"] == "small"
    assert "gold_share" in (tmp_path / "report.html").read_text()


def _of(notebook: Any) -> tuple[Manifest, tuple[Outcome, ...]]:
    assert notebook.manifest is not None
    return notebook.manifest, notebook.outcomes


# --- the page -------------------------------------------------------------------------------------

EVIL = "<script>alert(1)</script>"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.addresses += [v or "" for k, v in attributes if k in ("src", "href", "xlink:href", "action")]


def test_the_page_stands_alone_and_runs_nothing(bench: Any) -> None:
    name = f"{EVIL}$x_1$"
    rows = [outcome("plain", EVIL, 1), outcome(name, EVIL, 0)]
    rows += [outcome("plain", "b", None, excluded=EVIL, episode=Episode(error=EVIL, models=(EVIL,)))]
    metrics = (Metric(name=f"{EVIL}m", about=EVIL), RIGHT)
    evil = manifest("plain", name, suite=EVIL, metrics=metrics, settings={EVIL: EVIL})
    page = html(report(evil, [r.model_copy(update={"metrics": r.metrics | {f"{EVIL}m": 1.0}}) for r in rows]))
    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.seen
    assert not [one for one in tags.addresses if not one.startswith("#")]
    assert "svg" in tags.seen
    assert EVIL not in page
    assert not re.search(r"url\(\s*['\"]?(http|//)", page)


@pytest.mark.parametrize(
    "told",
    [
        "coreact bench run &#39;a b&#39;",
        "sha256:0",
        "m-1",
        "x 1",
        "revision unknown",
        "About guided.",
        "seeds 0",
    ],
)
def test_the_page_says_what_ran(told: str) -> None:
    rows = [outcome(arm, "a", 1) for arm in ("plain", "guided")]
    assert told in html(report(manifest("plain", "guided", tasks=1), rows))


def test_notes_name_what_a_reader_must_know() -> None:
    changed = SESSION.model_copy(update={"packages": {"x": "2"}, "revision": "abc+changes"})
    rows = [
        outcome("plain", "a", 1),
        outcome("plain", "b", 1, episode=Episode(models=("m-2",))),
        outcome("guided", "a", 1),
    ]
    notes = " ".join(report(manifest("plain", "guided", sessions=(SESSION, changed)), rows).notes)
    for told in (
        "different versions",
        "changes that no revision names",
        "More than one model",
        "Not every arm",
    ):
        assert told in notes
    assert "2 independent tasks" in notes
    same: Callable[[], Any] = lambda: report(  # noqa: E731
        manifest("plain", tasks=20), [outcome("plain", f"t{at}", 1) for at in range(20)]
    )
    assert same().notes == ()


def test_an_experiment_that_has_not_begun_is_an_empty_report() -> None:
    found = report(manifest("plain", "guided"), [])
    assert found.missing == 20
    assert "20 episodes were not run yet" in table(found)
    assert "<svg" not in html(found)
