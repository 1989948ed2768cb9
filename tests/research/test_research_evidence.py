"""The evidence graph, and what is wrong with findings and reports."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from coreact.host.messages import StateReader
from coreact.judge.grounding import audit
from coreact.judge.records import Evidence
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


def test_only_the_document_that_states_a_claim_supports_it_of_several_in_one_result() -> None:
    graph, _ = graph_of("Kingston is the capital of Jamaica [p1][p2].", f"{KINGSTON}\n{DOLLAR}")
    assert edges(graph, "cites") == [("claim:c1", "doc:p1"), ("claim:c1", "doc:p2")]
    assert edges(graph, "supports") == [("doc:p1", "claim:c1")]
    assert graph.without(["doc:p2"]).unsupported == ()
    assert [node.id for node in graph.without(["doc:p1"]).unsupported] == ["claim:c1"]


def audited(status: str, *quotes: tuple[str, str]) -> EvidenceGraph:
    """The graph of one claim that cites p1 and p2, as a judge with these quotations decided it."""
    messages = conversation(KINGSTON, DOLLAR)
    state = StateReader().read(messages)
    report = "Jamaica has a capital and since 1969 a dollar [p1][p2]."
    found = audit(report, state)
    verdict = found.claims[0].verdict.model_copy(
        update={
            "status": status,
            "evidence": tuple(Evidence(message_id=message, quote=quote) for message, quote in quotes),
        }
    )
    ruled = found.model_copy(update={"claims": (found.claims[0].model_copy(update={"verdict": verdict}),)})
    steps = plan(a=("Jamaica.", ("m1",)))
    return evidence_graph("Where?", steps, documents(messages[1:], state), state, ruled)


def test_of_a_joint_support_nothing_is_left_when_one_part_is_cut() -> None:
    graph = audited("met", ("m1", "Kingston is the capital"), ("m2", "introduced by the bank in 1969"))
    assert edges(graph, "supports") == [("doc:p1", "claim:c1"), ("doc:p2", "claim:c1")]
    for cut in ("doc:p1", "doc:p2", "obs:m1"):
        assert [node.id for node in graph.without([cut]).unsupported] == ["claim:c1"]
    assert audited("met").without(["doc:p1"]).unsupported, "without a quotation nobody knows which it is"
    assert audited("met", ("m1", "Kingston is the capital")).without(["doc:p2"]).unsupported == ()


def test_pages_whose_addresses_differ_in_signs_or_case_are_not_mixed_up() -> None:
    pages = {
        "https://a.example/gold-coast": "Kingston is the capital of Jamaica.",
        "https://a.example/gold/coast": "Gold is a heavy metal.",
        "https://a.example/Gold-coast": "Silver is a light metal.",
    }
    messages: list[AnyMessage] = [HumanMessage("Where?")]
    for n, (address, text) in enumerate(pages.items(), 1):
        call = {"name": "browse", "args": {"url": address}, "id": f"c{n}"}
        messages += [
            AIMessage("", tool_calls=[call]),
            ToolMessage(text, artifact=[address], tool_call_id=f"c{n}", id=f"m{n}"),
        ]
    state = StateReader().read(messages)
    report = " ".join(f"{text[:-1]} [{n}]({address})." for n, (address, text) in enumerate(pages.items(), 1))
    graph = evidence_graph(
        "Where?",
        plan(a=("Jamaica.", ("m1",))),
        documents(messages[1:], state),
        state,
        audit(report, state),
    )
    for claim, address in zip(graph.of("claim"), pages, strict=True):
        assert graph.into(claim.id, "supports") == (f"doc:{address}",)


def test_a_number_within_another_is_no_agreement() -> None:
    one = "[p1] Tower: The broad Kingston tower has 15 floors."
    other = "[p2] Tower: The broad Kingston tower has 5 floors."
    graph, _ = graph_of("The broad Kingston tower has 15 floors [p1].", one, other)
    assert edges(graph, "contradicts") == [("obs:m2", "claim:c1")]


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
