"""Quotes are marked where they stand, and nowhere else."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from coreact.judge import Evidence
from coreact.trace import Trajectory
from coreact.view.evidence import Evidences, Mark, cut


@given(st.text(max_size=30), st.lists(st.tuples(st.integers(-2, 35), st.integers(-2, 35)), max_size=6))
def test_the_pieces_are_the_text_and_each_mark_lies_on_its_stretch(
    text: str, spans: list[tuple[int, int]]
) -> None:
    marks = [Mark(start, end, 0, "c", "met") for start, end in spans]
    pieces = cut(text, marks)
    assert "".join(piece.text for piece in pieces) == text
    for mark in marks:
        if 0 <= mark.start < mark.end <= len(text):
            marked = "".join(piece.text for piece in pieces if mark in piece.marks)
            assert marked == text[mark.start : mark.end]


def quoting(showcase: Trajectory, evidence: Evidence) -> Trajectory:
    """The showcase with another piece of evidence at its last step."""
    step = showcase.steps[2]
    attempt = step.attempts[0]
    judgement = attempt.judgements[0]
    verdict = judgement.verdicts[0].model_copy(update={"evidence": (evidence,)})
    judgement = judgement.model_copy(update={"verdicts": (verdict,)})
    attempt = attempt.model_copy(update={"judgements": (judgement,)})
    step = step.model_copy(update={"attempts": (attempt,)})
    return showcase.model_copy(update={"steps": (*showcase.steps[:2], step), "judgements": ()})


def marked(whole: Trajectory) -> list[str]:
    evidences = Evidences(whole)
    return [piece.text for one in whole.observations for piece in evidences.pieces(one) if piece.marks]


def test_evidence_is_found_by_message_call_and_number(showcase: Trajectory) -> None:
    for name in ("tool-message-1", "call-1", "observation-1"):
        exact = Evidence(message_id=name, quote="The Ilz is 65 km long", start=56, end=77)
        assert marked(quoting(showcase, exact)) == ["The Ilz is 65 km long"]
        folded = Evidence(message_id=name, quote="the  ilz IS … long")
        assert marked(quoting(showcase, folded)) == ["The Ilz is", "long"]


def test_a_call_id_that_repeats_means_the_result_before_the_message(showcase: Trajectory) -> None:
    def tool(name: str) -> dict[str, Any]:
        return {"type": "tool", "data": {"content": "", "tool_call_id": "call_0", "id": name}}

    first, second, last = showcase.steps
    steps = (
        first,
        second.model_copy(update={"prompt_added": (tool("one"), tool("two"))}),
        # The prompt was written anew: what stood in it comes again, with the result of the step before.
        last.model_copy(update={"prompt_kept": 0, "prompt_added": (tool("one"), tool("two"), tool("three"))}),
    )
    texts = ("gold in the hills", "silver in the hills", "mud")
    seen = tuple(
        showcase.observations[0].model_copy(update={"step": step, "call_id": "call_0", "text": text})
        for step, text in zip((0, 0, 1), texts, strict=True)
    )
    whole = showcase.model_copy(update={"steps": steps, "observations": seen})
    for name, text in zip(("one", "two", "three"), texts, strict=True):
        assert marked(quoting(whole, Evidence(message_id=name, quote=text))) == [text]
        assert marked(quoting(whole, Evidence(message_id=name, quote="copper"))) == []


def test_offsets_that_do_not_hold_the_quote_are_not_believed(showcase: Trajectory) -> None:
    moved = Evidence(message_id="tool-message-1", quote="The Ilz is 65 km long", start=0, end=21)
    assert marked(quoting(showcase, moved)) == ["The Ilz is 65 km long"]


def test_a_quote_that_stands_nowhere_is_told(showcase: Trajectory) -> None:
    wanted: list[tuple[str, str, Any]] = [
        ("tool-message-1", "The Ilz is 66 km long", ""),
        ("never-seen", "The Ilz is 65 km long", ""),
        ("question", "Which river", "in the question"),
    ]
    for name, quote, elsewhere in wanted:
        whole = quoting(showcase, Evidence(message_id=name, quote=quote))
        assert marked(whole) == []
        verdict = whole.steps[2].attempts[0].judgements[0].verdicts[0]
        (found,) = Evidences(whole).quotes(verdict)
        assert (found.found_at, found.elsewhere) == (None, elsewhere)
