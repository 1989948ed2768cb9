"""The evidence graph, and what is wrong with findings and reports."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from coreact.host.messages import StateReader
from coreact.judge.grounding import audit
from coreact.refine import verify_and_refine
from coreact.research import (
    REPORT_RUBRIC,
    EvidenceEdge,
    EvidenceGraph,
    EvidenceNode,
    Plan,
    SubQuestion,
    documents,
    evidence_graph,
    issue_counts,
    issues,
)
from coreact.rubric import State
from coreact.testing import ScriptedJudge

KINGSTON = "[p1] Kingston: Kingston is the capital of Jamaica."
DOLLAR = "[p2] Dollar: The Jamaican dollar was introduced by the bank in 1969."
OTHER = "[p3] Money: The Jamaican dollar was introduced by the bank in 1971."


def conversation(*texts: str) -> list[AnyMessage]:
    found: list[AnyMessage] = [HumanMessage("Where, and since when?")]
    for n, text in enumerate(texts, 1):
        call = {"name": "search", "args": {"query": f"q{n}"}, "id": f"c{n}"}
        ids = [line[1:3] for line in text.splitlines()]
        found += [
            AIMessage("", tool_calls=[call]),
            ToolMessage(text, artifact=ids, tool_call_id=f"c{n}", id=f"m{n}"),
        ]
    return found


def plan(**found: tuple[str, tuple[str, ...]]) -> Plan:
    return Plan(
        sub_questions=tuple(
            SubQuestion(
                id=name,
                text=f"What about {name}?",
                status="answered" if finding else "open",
                finding=finding,
                evidence=evidence,
            )
            for name, (finding, evidence) in found.items()
        )
    )


def graph_of(report: str, *texts: str) -> tuple[EvidenceGraph, State]:
    messages = conversation(*texts)
    state = StateReader().read(messages)
    known = documents(messages[1:], state)
    steps = plan(a=("Jamaica.", ("m1",)), b=("", ()))
    return evidence_graph("Where?", steps, known, state, audit(report, state)), state


def edges(graph: EvidenceGraph, kind: str) -> list[tuple[str, str]]:
    return [(edge.source, edge.target) for edge in graph.edges if edge.kind == kind]


def test_the_graph_says_what_was_asked_found_and_what_each_claim_rests_on() -> None:
    graph, _ = graph_of(
        "Kingston is the capital of Jamaica [p1]. It is a merry place [p2]. Nobody lives there.",
        KINGSTON,
        DOLLAR,
    )
    assert edges(graph, "asks") == [("question", "sub:a"), ("question", "sub:b")]
    assert edges(graph, "found") == [("sub:a", "obs:m1"), ("obs:m1", "doc:p1"), ("obs:m2", "doc:p2")]
    assert edges(graph, "cites") == [("claim:c1", "doc:p1"), ("claim:c2", "doc:p2")]
    assert edges(graph, "supports") == [("doc:p1", "claim:c1")]
    assert [(node.id, node.status) for node in graph.of("claim")] == [
        ("claim:c1", "met"),
        ("claim:c2", "unknown"),
        ("claim:c3", "not_applicable"),
    ]
    assert [node.id for node in graph.unsupported] == ["claim:c2", "claim:c3"]
    assert EvidenceGraph.model_validate_json(graph.model_dump_json()) == graph


@pytest.mark.parametrize("cut", ["doc:p1", "obs:m1"])
def test_a_claim_whose_support_is_cut_is_seen(cut: str) -> None:
    graph, _ = graph_of("Kingston is the capital of Jamaica [p1].", KINGSTON, DOLLAR)
    assert graph.unsupported == ()
    left = graph.without([cut])
    assert [node.id for node in left.unsupported] == ["claim:c1"]
    assert not {"doc:p1"} & {node.id for node in left.nodes}
    assert {"doc:p2", "obs:m2"} <= {node.id for node in left.nodes}


def test_sources_that_disagree_are_in_the_graph() -> None:
    graph, state = graph_of("The Jamaican dollar was introduced by the bank in 1969 [p2].", DOLLAR, OTHER)
    assert edges(graph, "contradicts") == [("obs:m2", "claim:c1")]
    assert [edge.confirmed for edge in graph.edges if edge.kind == "contradicts"] == [None]
    judge = ScriptedJudge(lambda criterion, action: "unmet")
    found = audit("The Jamaican dollar was introduced by the bank in 1969 [p2].", state, judge)
    known = documents(conversation(DOLLAR, OTHER)[1:], state)
    settled = evidence_graph("Where?", plan(a=("", ())), known, state, found)
    assert edges(settled, "contradicts") == [], "a judge said that they do not contradict each other"


def test_an_edge_must_lead_somewhere() -> None:
    node = EvidenceNode(id="question", kind="question", text="Where?")
    with pytest.raises(ValueError, match="leads to no node"):
        EvidenceGraph(nodes=(node,), edges=(EvidenceEdge(source="question", target="x", kind="asks"),))
    with pytest.raises(ValueError, match="unique"):
        EvidenceGraph(nodes=(node, node))


# --- issues -------------------------------------------------------------------------------------


def test_issues_are_what_is_open_what_is_nowhere_and_what_conflicts() -> None:
    state = StateReader().read(conversation(KINGSTON, DOLLAR, OTHER))
    found = issues(
        plan(
            fine=("Kingston is the capital of Jamaica.", ("m1",)),
            open=("", ()),
            wrong=("The dollar came in 1888.", ("m2",)),
            two=("The Jamaican dollar was introduced by the bank in 1969.", ("m2",)),
        ),
        state,
    )
    assert [(one.sub_question, one.kind) for one in found] == [
        ("open", "open"),
        ("wrong", "unsupported"),
        ("two", "conflict"),
    ]
    assert "1888" in found[1].text
    assert "1971" in found[2].text
    assert issue_counts(found) == {"open": 1, "conflict": 1, "unsupported": 1}


# --- the report's rubric ------------------------------------------------------------------------


def unmet(report: str) -> dict[str, str]:
    state = StateReader().read(conversation(KINGSTON, DOLLAR))
    refined = verify_and_refine(
        state, report, rubric=REPORT_RUBRIC, revise=lambda revision: revision.answer, max_rounds=1
    )
    assert refined.progress.best is not None
    judgement = refined.progress.best.judgement
    return {verdict.criterion: verdict.reason for verdict in judgement.unmet}


def test_a_good_report_passes() -> None:
    good = "Kingston is the capital of Jamaica [p1]. The Jamaican dollar was introduced in 1969 [p2]."
    assert unmet(good) == {}


@pytest.mark.parametrize(
    ("report", "criterion", "named"),
    [
        ("Kingston is the capital of Jamaica [9].", "observed", "[9]"),
        ("Kingston is the capital of Jamaica [p1]. It rains.", "grounded", "It rains."),
        ("The dollar was introduced in 1888 [p2].", "unrefuted", "1888"),
    ],
)
def test_what_is_wrong_with_a_report_is_named(report: str, criterion: str, named: str) -> None:
    assert named in unmet(report)[criterion]


def test_an_empty_report_fails() -> None:
    assert "says_something" in unmet(" ")
