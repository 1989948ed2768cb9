"""The evidence graph of a report: what was asked, what was found, what each claim rests on.

It is built by code from the plan, the observations and the audit of the report's citations; no model draws an
edge. It is saved with the report as plain JSON. Whoever takes a document away (`without`) sees at once which
claims no longer stand on anything. A citation alone is no support: that takes an audit which found the claim
stated there.

Source: Super Research (P61: evidence graph saved with the report).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from coreact.judge.grounding import AuditedClaim, CitationAudit
from coreact.judge.grounding.sources import place
from coreact.judge.grounding.values import Held, numbers
from coreact.judge.quotes import locate
from coreact.judge.records import Evidence
from coreact.research.citing import Document
from coreact.research.plan import Plan
from coreact.rubric import Record, State
from coreact.rubric.words import fold, is_web_address

NodeKind = Literal["question", "sub_question", "observation", "document", "claim"]
EdgeKind = Literal["asks", "found", "cites", "supports", "contradicts"]
"""`asks`: the question asks a sub-question; `found`: a sub-question led to an observation, an observation
shows a document; `cites`: a claim cites a document; `supports`: a document states a claim, as far as code or
a judge could tell; `contradicts`: an observation gives another value for it."""

_SHOWN = 2000  # characters of an observation or document that are kept


class EvidenceNode(Record):
    """One thing in the graph."""

    id: str
    """`question`, `sub:q1`, `obs:<message id>`, `doc:<key>`, `claim:c1`."""
    kind: NodeKind
    text: str
    """Its words, cut to 2000 characters; untrusted unless it is the question."""
    status: str = ""
    """Of a sub-question: open, answered, dropped; of a claim: met, partial, unmet, unknown, or not_applicable
    where it cites nothing."""


class EvidenceEdge(Record):
    """How two things hang together."""

    source: str
    target: str
    kind: EdgeKind
    joint: bool = False
    """Of a support: several documents state the claim together, and nobody knows whether fewer do."""
    confirmed: bool | None = None
    """Whether a judge confirmed a contradiction; None where none could tell, and for other edges."""


class EvidenceGraph(Record):
    """Question, plan, observations, documents and claims of one report."""

    nodes: tuple[EvidenceNode, ...] = Field(min_length=1)
    edges: tuple[EvidenceEdge, ...] = ()

    @model_validator(mode="after")
    def _edges_lead_somewhere(self) -> Self:
        ids = [node.id for node in self.nodes]
        if len(set(ids)) != len(ids):
            raise ValueError("node ids must be unique")
        loose = [edge for edge in self.edges if not {edge.source, edge.target} <= set(ids)]
        if loose:
            raise ValueError(f"the edge from {loose[0].source!r} to {loose[0].target!r} leads to no node")
        return self

    def of(self, kind: NodeKind) -> tuple[EvidenceNode, ...]:
        """The nodes of a kind, in order."""
        return tuple(node for node in self.nodes if node.kind == kind)

    def into(self, node_id: str, kind: EdgeKind) -> tuple[str, ...]:
        """Ids of the nodes from which an edge of a kind leads to a node."""
        return tuple(edge.source for edge in self.edges if edge.target == node_id and edge.kind == kind)

    @property
    def unsupported(self) -> tuple[EvidenceNode, ...]:
        """Claims that no document is known to state, in order."""
        supported = {edge.target for edge in self.edges if edge.kind == "supports"}
        return tuple(node for node in self.of("claim") if node.id not in supported)

    @property
    def disputed(self) -> tuple[EvidenceNode, ...]:
        """Claims for which an observation gives another value, in order."""
        against = {edge.target for edge in self.edges if edge.kind == "contradicts"}
        return tuple(node for node in self.of("claim") if node.id in against)

    def without(self, node_ids: Iterable[str]) -> EvidenceGraph:
        """The graph with nodes and their edges cut out, to see what hung on them.

        Documents that only cut observations showed go with them. Of a joint support the rest goes too.

        Args:
            node_ids: nodes to cut; not the question.
        """
        gone = set(node_ids)
        for document in self.of("document"):
            shown_by = self.into(document.id, "found")
            if shown_by and gone.issuperset(shown_by):
                gone.add(document.id)
        broken = {edge.target for edge in self.edges if edge.joint and edge.source in gone}
        return EvidenceGraph(
            nodes=tuple(node for node in self.nodes if node.id not in gone),
            edges=tuple(
                edge
                for edge in self.edges
                if gone.isdisjoint((edge.source, edge.target)) and not (edge.joint and edge.target in broken)
            ),
        )


def evidence_graph(
    question: str, plan: Plan, known: Sequence[Document], state: State, audit: CitationAudit | None
) -> EvidenceGraph:
    """Draw the graph.

    Args:
        question: the question.
        plan: the plan as it stands.
        known: the documents that were observed.
        state: the state read from the conversation.
        audit: the audit of the report's citations; None where there is no report.
    """
    nodes = [EvidenceNode(id="question", kind="question", text=question)]
    edges: list[EvidenceEdge] = []
    seen = {step.observation.id for step in state.steps if step.observation is not None}
    for sub in plan.sub_questions:
        nodes.append(EvidenceNode(id=f"sub:{sub.id}", kind="sub_question", text=sub.text, status=sub.status))
        edges.append(EvidenceEdge(source="question", target=f"sub:{sub.id}", kind="asks"))
        for found in sub.evidence:
            if found in seen:
                edges.append(EvidenceEdge(source=f"sub:{sub.id}", target=f"obs:{found}", kind="found"))
    for step in state.steps:
        if step.observation is not None and step.observation.id:
            text = step.observation.text[:_SHOWN]
            nodes.append(EvidenceNode(id=f"obs:{step.observation.id}", kind="observation", text=text))
    for document in known:
        nodes.append(EvidenceNode(id=f"doc:{document.key}", kind="document", text=document.text[:_SHOWN]))
        edges += [
            EvidenceEdge(source=f"obs:{message}", target=f"doc:{document.key}", kind="found")
            for message in document.messages
            if message in seen
        ]
    if audit is not None:
        by_key = {_key(document.key): document for document in known}
        for audited in audit.claims:
            nodes.append(_claim(audited))
            edges += _behind(audited, by_key)
        edges += _against(audit, seen)
    unique = {node.id: node for node in nodes}
    return EvidenceGraph(nodes=tuple(unique.values()), edges=tuple(dict.fromkeys(edges)))


def _claim(audited: AuditedClaim) -> EvidenceNode:
    claim = audited.claim
    return EvidenceNode(
        id=f"claim:{claim.id}", kind="claim", text=claim.text[:_SHOWN], status=audited.verdict.status
    )


def _behind(audited: AuditedClaim, by_key: dict[str, Document]) -> list[EvidenceEdge]:
    """What a claim cites; and, where it is stated there, what supports it."""
    claim = f"claim:{audited.claim.id}"
    cited = [by_key[_key(one.key)] for one in audited.citations if _key(one.key) in by_key]
    edges = [EvidenceEdge(source=claim, target=f"doc:{document.key}", kind="cites") for document in cited]
    if audited.verdict.status == "met":
        quotes = audited.verdict.evidence
        holding = [[one for one in cited if _holds(one, quote)] for quote in quotes]
        # One quotation is the claim, wherever it stands; of several, each may state a part of it only.
        behind = [one for one in cited if any(one in some for some in holding)] or cited
        joint = len(behind) > 1 and (len(quotes) != 1 or not holding[0])
        edges += [
            EvidenceEdge(source=f"doc:{one.key}", target=claim, kind="supports", joint=joint)
            for one in behind
        ]
    return edges


def _key(key: str) -> str:
    """What two spellings of a key have in common; case and signs tell addresses apart, but not labels."""
    return place(key) if is_web_address(key) else fold(key)


def _holds(document: Document, quote: Evidence) -> bool:
    """Whether a quotation stands in a document: one message may show several."""
    return quote.message_id in document.messages and locate(quote.quote, document.text) is not None


def _against(audit: CitationAudit, seen: set[str]) -> list[EvidenceEdge]:
    """The sides of a conflict that disagree with the claim: those whose value it does not have."""
    claims = {audited.claim.id: audited.claim.text for audited in audit.claims}
    return [
        EvidenceEdge(
            source=f"obs:{side.evidence.message_id}",
            target=f"claim:{conflict.claim}",
            kind="contradicts",
            confirmed=conflict.confirmed,
        )
        for conflict in audit.conflicts
        if conflict.confirmed is not False
        for side in conflict.sides
        if side.evidence.message_id in seen and not _has(claims[conflict.claim], side.value)
    ]


def _has(claim: str, value: str) -> bool:
    """Whether a claim has a number: `5` is not in `15 floors`."""
    held = Held([claim])
    return all(map(held.number, numbers(value)))
