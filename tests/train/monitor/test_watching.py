"""The monitor: what it tells once, what it writes, and that a killed run goes on as if it had not been."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreact.errors import ConfigError, LabelFileError
from coreact.train.monitor import Bound, Figures, Monitor, MonitorSummary, Patience
from coreact.train.monitor.watching import ALARMS_FILE, FIGURES_FILE

HIGH = Bound(name="high", figure="kl", most=1.0, window=2)
LOW = Bound(name="low", figure="entropy", least=0.1, window=1, stop=True)
RULES = (HIGH, LOW)


def test_a_rule_is_told_when_it_begins_to_hold_and_again_when_it_begins_again() -> None:
    monitor = Monitor(RULES)
    told = [
        bool(monitor.feed(Figures(step=step, kl=kl))) for step, kl in enumerate([2, 2, 2, 2, 0.5, 2, 2, 2])
    ]
    assert told == [False, True, False, False, False, False, True, False]
    assert [alarm.step for alarm in monitor.alarms] == [1, 6]
    assert monitor.stopped is None


def test_the_first_stopping_alarm_ends_the_run() -> None:
    monitor = Monitor(RULES)
    for step, entropy in enumerate([1.0, 0.05, 0.5, 0.01]):
        monitor.feed(Figures(step=step, entropy=entropy))
    assert monitor.stopped is not None
    assert (monitor.stopped.rule, monitor.stopped.step) == ("low", 1)
    assert monitor.stopped.reason == "entropy is 0.050, below 0.100"


def test_figures_of_one_step_may_come_one_after_the_other() -> None:
    monitor = Monitor(RULES)
    monitor.feed(Figures(step=5, kl=0.2))
    monitor.feed(Figures(step=5, panel=0.4))
    assert monitor.history == (Figures(step=5, kl=0.2, panel=0.4),)


def test_a_killed_run_goes_on_with_what_it_saw(tmp_path: Path) -> None:
    whole = Monitor(RULES, folder=tmp_path / "whole")
    figures = [
        Figures(step=step, kl=kl, entropy=1 - step / 10) for step, kl in enumerate([0, 2, 2, 2, 0, 2, 2, 0])
    ]
    for one in figures:
        whole.feed(one)

    part = tmp_path / "part"
    before = Monitor(RULES, folder=part)
    for one in figures[:4]:
        before.feed(one)
    with (part / FIGURES_FILE).open("a", encoding="utf-8") as file:
        file.write('{"step": 4, "kl"')  # killed while it wrote
    after = Monitor(RULES, folder=part)
    assert after.alarms == before.alarms
    for one in figures[3:]:  # the checkpoint was a step older
        after.feed(one)
    assert (after.history, after.alarms) == (whole.history, whole.alarms)
    assert (part / ALARMS_FILE).read_text() == (tmp_path / "whole" / ALARMS_FILE).read_text()


def test_what_came_after_the_checkpoint_is_forgotten_with_its_alarms(tmp_path: Path) -> None:
    monitor = Monitor(RULES, folder=tmp_path)
    for step, entropy in enumerate([1.0, 1.0, 0.05]):
        monitor.feed(Figures(step=step, entropy=entropy))
    assert [alarm.step for alarm in monitor.alarms] == [2]
    monitor.feed(Figures(step=1, entropy=0.9))
    assert monitor.stopped is None
    assert (tmp_path / ALARMS_FILE).read_text() == ""
    assert Monitor(RULES, folder=tmp_path).alarms == ()


fed = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from([0.0, 0.5, 2.0]), st.sampled_from([0.01, 0.5])), max_size=25
)


@given(fed)
@settings(max_examples=60, deadline=None)
def test_reading_a_folder_gives_the_monitor_that_wrote_it(rows: list[tuple[int, float, float]]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        live = Monitor(RULES, folder=folder)
        for step, kl, entropy in rows:
            live.feed(Figures(step=step, kl=kl, entropy=entropy))
        again = Monitor(RULES, folder=folder)
        assert (again.history, again.alarms) == (live.history, live.alarms)
        steps = [figures.step for figures in live.history]
        assert steps == sorted(set(steps))


def test_other_processes_watch_and_do_not_write(tmp_path: Path) -> None:
    monitor = Monitor(RULES, folder=tmp_path)
    monitor.feed(Figures(step=1, entropy=0.01), write=False)
    assert monitor.stopped is not None
    assert list(tmp_path.iterdir()) == []


def test_a_broken_line_and_two_rules_of_one_name_are_errors(tmp_path: Path) -> None:
    (tmp_path / FIGURES_FILE).write_text('{"step": 1, "proxy": "high"}\n')
    with pytest.raises(LabelFileError, match="line 1"):
        Monitor(RULES, folder=tmp_path)
    with pytest.raises(ConfigError, match="'high'"):
        Monitor((HIGH, HIGH))


def test_the_summary_says_what_could_not_be_watched() -> None:
    monitor = Monitor((HIGH, LOW, Patience(name="panel")))
    for step, kl in enumerate([0.5, 2.0, 3.0]):
        monitor.feed(Figures(step=10 * step, kl=kl, entropy=1.0))
    summary = monitor.summary()
    assert summary.watched == ("high", "low")
    assert summary.steps == 20
    assert [(c.figure, c.first, c.last, c.most, c.measured) for c in summary.courses] == [
        ("entropy", 1.0, 1.0, 1.0, 3),
        ("kl", 0.5, 3.0, 3.0, 3),
    ]
    assert [alarm.rule for alarm in summary.alarms] == ["high"]
    assert MonitorSummary.model_validate_json(summary.model_dump_json()) == summary
    assert Monitor().summary().courses == ()
