"""The report: one record, written as JSON and as a page that nothing in the data can break out of."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from coreact.bench.qualify.cases import CaseSet, JudgeCase
from coreact.bench.qualify.figures import confusion_figure, harms_figure, reliability_figure
from coreact.bench.qualify.report import EXAMPLES, Report, assess, html, write_report
from coreact.bench.qualify.run import settings_of
from coreact.judge.calibration import reliability
from coreact.judge.qualification import HARMS, Bar, load_qualification
from coreact.judge.records import Verdict
from coreact.judge.runner import Ruling
from coreact.rubric import Action, Criterion, State
from coreact.testing import ScriptedJudge

MakeCases = Callable[..., tuple[JudgeCase, ...]]
AskAbout = Callable[..., Any]
HOSTILE = "<script>alert(1)</script>{{ 7 * 7 }}<img src=x onerror=alert(1)>"


class Unsure(ScriptedJudge):
    """States a confidence, and gives reasons that no page should run."""

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        said = super().judge(criteria, action, state)
        update = {"confidence": 0.9, "reason": HOSTILE}
        return Ruling(tuple(v.model_copy(update=update) for v in said.verdicts), said.cost)


def report_on(
    ask: AskAbout, judge: Any, cases: tuple[JudgeCase, ...], *, probes: int = 0, **more: Any
) -> Report:
    asks, ruled = ask(judge, cases, probes=probes)
    settings = settings_of(judge, CaseSet("made", "text.1:made", cases))
    return assess(asks, ruled, settings, probes=probes, **more)


@pytest.fixture
def report(make_cases: MakeCases, ask: AskAbout) -> Report:
    judge = Unsure(
        lambda criterion, action: "met" if criterion.id == "a" else "unmet", name=f"j{HOSTILE}"[:9]
    )
    return report_on(ask, judge, make_cases(60), probes=20, family="own")


def test_a_report_holds_what_was_asked_and_what_came_out(report: Report) -> None:
    assert (report.cases, report.probes, report.family) == (60, 20, "own")
    assert report.agreement.items == 120
    assert report.cost.calls == 60 + 5 * 20
    assert set(report.qualification.harms) == set(HARMS)
    assert report.qualification.macro_f1 == report.agreement.macro_f1
    assert {row.name for row in report.rows} == {"criterion a", "criterion b"}
    assert len(report.examples) == EXAMPLES
    assert [example.status for example in report.examples] == ["met"] * EXAMPLES  # false passes first


def test_stated_confidence_is_compared_with_being_right(report: Report) -> None:
    assert report.confidence is not None
    accuracy = report.agreement.accuracy
    assert accuracy is not None
    assert report.confidence.ece == pytest.approx(0.9 - accuracy.value)


def test_claims_that_code_did_not_believe_are_shown_beside_the_verdicts(
    make_cases: MakeCases, ask: AskAbout
) -> None:
    class Bluffs(ScriptedJudge):
        def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
            said = super().judge(criteria, action, state)
            lost = {"status": "unknown", "claimed": "met", "fault": "instrument", "cause": "unsupported"}
            return Ruling(tuple(v.model_copy(update=lost) for v in said.verdicts), said.cost)

    found = report_on(ask, Bluffs(lambda criterion, action: "met"), make_cases(40))
    assert found.agreement.coverage.value == 0
    assert found.claims is not None
    assert found.claims.coverage.value == 1
    assert found.claims.false_met is not None
    assert found.claims.false_met.value == 1
    assert "as claimed" in html(found)


def test_without_probes_a_judge_is_not_qualified(make_cases: MakeCases, ask: AskAbout) -> None:
    cases = make_cases(60)
    truth = {(case.id, key): status for case in cases for key, status in case.statuses().items()}
    knows = ScriptedJudge(lambda c, action: truth[str(action.answer).partition("\n")[0], c.id])
    untried = report_on(ask, knows, cases)
    assert untried.confidence is untried.claims is None
    assert untried.agreement.macro_f1.value == 1.0
    assert any("flip was not measured" in reason for reason in untried.qualification.failed)
    assert report_on(ask, knows, cases, bar=Bar(at_most={})).qualification.passed
    assert report_on(ask, knows, cases, bar=Bar(at_most={"flip": 0.1}), probes=60).qualification.passed


def test_it_is_written_twice_and_read_back(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path / "out")
    content = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert content.pop("passed") is False
    assert content.pop("failed") == list(report.qualification.failed)
    assert Report.model_validate(content) == report
    assert load_qualification(tmp_path / "out" / "report.json") == report.qualification
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    write_report(report, tmp_path / "again")
    assert (tmp_path / "again" / "report.html").read_text(encoding="utf-8") == page  # no clock, no chance


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def test_nothing_in_the_data_becomes_markup(report: Report) -> None:
    text = html(report)
    page = Page(text)
    assert not {"script", "img", "iframe", "link", "object"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "&lt;script&gt;alert(1)" in text
    assert "{{ 7 * 7 }}" in text
    assert page.tags.count("svg") == 3


def test_the_page_needs_nothing_from_elsewhere(report: Report) -> None:
    page = Page(html(report))
    for name, value in page.attributes:
        if name in ("src", "href", "xlink:href"):
            assert str(value).startswith("#")
    assert "url(http" not in html(report)


def test_the_page_says_so_where_there_was_nothing_to_measure(make_cases: MakeCases, ask: AskAbout) -> None:
    single = make_cases(8, criteria=(Criterion(id="a", text="T."),))
    judge = ScriptedJudge(lambda criterion, action: "unmet")
    text = html(report_on(ask, judge, single, probes=4))
    row = re.search(r"<td>order</td><td>(.*?)</td>", text)
    assert row is not None
    assert row.group(1) == "–"
    assert "not tried" in html(report_on(ask, judge, single))
    assert "Not qualified" in text


def test_figures_are_whole_and_carry_numbers(report: Report) -> None:
    table = reliability([0.1, 0.4, 0.9], [0.0, 0.5, 1.0])
    drawn = {
        "labels": confusion_figure(report.agreement.confusion),
        "harms": harms_figure(report.qualification),
        "one": reliability_figure(table, "score"),
        "both": reliability_figure(table, "score", mapped=table),
    }
    for figure in drawn.values():
        assert ElementTree.fromstring(figure).tag.endswith("svg")
    assert ">unmet<" in drawn["labels"]
    assert "injected observation" in drawn["harms"]
    assert "after" in drawn["both"]
    nothing = report.qualification.model_copy(update={"harms": {}})
    assert ElementTree.fromstring(harms_figure(nothing)).tag.endswith("svg")


def test_verdicts_are_paired_with_what_was_asked(make_cases: MakeCases, ask: AskAbout) -> None:
    cases = make_cases(4)
    judge = ScriptedJudge(lambda criterion, action: "met")
    asks, ruled = ask(judge, cases)
    settings = settings_of(judge, CaseSet("made", "x", cases))
    with pytest.raises(ValueError):
        assess(asks, ruled[:-1], settings, probes=0)
    assert Verdict(criterion="a", reason="by script", status="met", decided_by=judge.id) in ruled[0].verdicts
