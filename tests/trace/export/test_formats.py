"""Rows of every format, counted and compared by hand on small runs."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from coreact.rubric import Action, Rubric, ToolCall
from coreact.trace import Trajectory
from coreact.trace.export import FORMATS, ExportSettings, Left, Row, rows_of
from coreact.trace.export.formats.ranking import ranks

GUIDANCE = "Next step: name the river."
QUESTION = "Where does the Elbe rise?"


def rows(run: Trajectory, form: str, **settings: Any) -> list[dict[str, Any]]:
    return [one.data for one in rows_of(run, ExportSettings(format=form, **settings)) if isinstance(one, Row)]


def left(run: Trajectory, form: str, **settings: Any) -> Counter[str]:
    counted: Counter[str] = Counter()
    for one in rows_of(run, ExportSettings(format=form, **settings)):
        if isinstance(one, Left):
            counted[one.reason] += one.times
    return counted


def said(messages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Role and content, or the query of the call."""
    return [
        (
            one["role"],
            one["tool_calls"][0]["function"]["arguments"]["query"]
            if one.get("tool_calls")
            else one["content"],
        )
        for one in messages
    ]


FIRST_SEEN = "About Elbe: the Elbe rises in the Giant Mountains."
SECOND_SEEN = "About Giant Mountains: the Elbe rises in the Giant Mountains."
HISTORY = [
    ("user", QUESTION),
    ("assistant", "Elbe"),
    ("tool", FIRST_SEEN),
    ("assistant", "Giant Mountains"),
    ("tool", SECOND_SEEN),
]


# --- pairs ----------------------------------------------------------------------------------


def test_dpo_pairs_candidates_of_one_step_under_the_prompt_that_both_saw(made: Any) -> None:
    (row,) = rows(made.golden(), "dpo")
    assert said(row["prompt"]) == [("user", QUESTION), ("user", GUIDANCE)]
    assert said(row["chosen"]) == [("assistant", "Elbe")]
    assert said(row["rejected"]) == [("assistant", "Rivers")]
    assert (row["score_chosen"], row["score_rejected"], row["margin"]) == (1.0, 0.5, 0.5)
    assert row["rubric_sha"] == made.rubric.lock
    assert (row["run"], row["step"], row["task"], row["same_prompt"]) == ("run-1", 0, QUESTION, True)
    assert (row["rejected_by"], row["reason"]) == ("check", "it does not name the river")
    assert json.loads(row["tools"])[0]["function"]["name"] == "search"
    # The retry saw feedback, so with it in the prompt nothing is its pair; nor is an only attempt anyone's.
    assert left(made.golden(), "dpo") == {"alone_under_its_prompt": 3}


def test_dpo_without_guidance_and_feedback_pairs_retries_too(made: Any) -> None:
    candidates, retry = rows(made.golden(), "dpo", rubric="stripped")
    assert said(candidates["prompt"]) == [("user", QUESTION)]
    assert said(retry["prompt"]) == HISTORY[:3]
    assert said(retry["chosen"]) == [("assistant", "Giant Mountains")]
    assert said(retry["rejected"]) == [("assistant", "Elbe")]
    assert (retry["margin"], retry["same_prompt"]) == (0.75, False)


@pytest.mark.parametrize(("margin", "pairs"), [(0.0, 1), (0.5, 1), (0.51, 0), (1.0, 0)])
def test_a_pair_needs_the_margin(made: Any, margin: float, pairs: int) -> None:
    assert len(rows(made.golden(), "dpo", margin=margin)) == pairs


def group(made: Any, *verdicts: str) -> Trajectory:
    tries = [made.trying(f"query {at}", letters, "candidate") for at, letters in enumerate(verdicts)]
    return made.run([tries])


@pytest.mark.parametrize(
    ("verdicts", "pairs", "reasons"),
    [
        (("mmm", "mmu", "muu"), 3, {}),
        (("mmu", "mmu"), 0, {"all_tied": 2}),
        (("mmm", "mmm", "muu"), 2, {"below_margin": 1}),
        (("mm!", "mmu"), 0, {"instrument": 1, "alone_under_its_prompt": 1}),
        (("mm!", "muu", "mmm"), 1, {"instrument": 1}),
        (("???", "mmm", "muu"), 1, {"undecided": 1}),
        (("", "mmm", "muu"), 1, {"not_judged": 1}),
        (("umm", "muu"), 0, {"essential_fails": 1}),
        (("pmm", "muu"), 0, {"essential_fails": 1}),
        (("umm", "uuu"), 1, {}),
        (("umm", "?uu"), 0, {"undecided": 1}),
        (("m?m", "mpm"), 0, {"undecided": 1}),  # 0.75 to 1 beside 0.875
        (("m?m", "muu"), 1, {}),
        (("?mm", "mmu"), 0, {"undecided": 1}),  # the first may fail what the second meets
    ],
)
def test_which_attempts_are_a_pair(
    made: Any, verdicts: tuple[str, ...], pairs: int, reasons: dict[str, int]
) -> None:
    run = group(made, *verdicts)
    assert len(rows(run, "dpo")) == pairs
    assert left(run, "dpo") == reasons
    assert len(rows(run, "openai-preference")) == pairs


def test_a_failed_attempt_is_never_chosen_over_one_that_passed(made: Any) -> None:
    # Two calls that are worth 1 and 0.5, so it fails; beside it 0.625, which passes.
    run = group(made, "mmm", "upm")
    (half,) = group(made, "mmu").steps[0].attempts[0].judgements
    (step,) = run.steps
    first = step.attempts[0]
    second = Action(call=ToolCall(name="search", arguments={"query": "more"}, id="c2"))
    first = first.model_copy(
        update={"actions": (*first.actions, second), "judgements": (*first.judgements, half)}
    )
    run = run.model_copy(update={"steps": (step.model_copy(update={"attempts": (first, step.attempts[1])}),)})
    assert [row["label"] for row in rows(run, "kto")] == [False, True]
    assert left(run, "dpo") == {"essential_fails": 1}
    assert rows(run, "dpo") == []


def test_a_ranking_that_unknown_verdicts_could_turn_round_is_none(made: Any) -> None:
    assert left(group(made, "m?m", "mpm"), "ranking") == {"undecided": 2}
    assert [row["ranks"] for row in rows(group(made, "m?m", "muu"), "ranking")] == [[1.0, 2.0]]


def test_the_same_proposal_twice_is_no_pair(made: Any) -> None:
    run = made.run([[made.trying("Elbe", "mmm", "candidate"), made.trying("Elbe", "muu", "candidate")]])
    assert rows(run, "dpo") == []
    assert left(run, "dpo") == {"same_completion": 1}


# --- single attempts ------------------------------------------------------------------------


def test_kto_labels_every_decided_attempt(made: Any) -> None:
    found = rows(made.golden(), "kto")
    assert [(said(row["completion"])[0][1], row["label"]) for row in found] == [
        ("Elbe", True),
        ("Rivers", False),
        ("Elbe", False),
        ("Giant Mountains", True),
        ("In the Giant Mountains.", True),
    ]
    assert said(found[3]["prompt"]) == [*HISTORY[:3], ("user", GUIDANCE), ("user", made.feedback)]


def test_kto_has_no_label_for_what_is_unknown_or_broken(made: Any) -> None:
    run = group(made, "m??", "mm!", "m?m", "u??")
    # m?? may still fail and u?? may still pass; m?m passes whatever the unknown one is (3 of 4 points).
    assert [row["label"] for row in rows(run, "kto")] == [True]
    assert left(run, "kto") == {"undecided": 2, "instrument": 1}


def test_sft_shows_what_was_selected_and_passed(made: Any) -> None:
    found = rows(made.golden(), "sft")
    assert [said(row["completion"])[0][1] for row in found] == [
        "Elbe",
        "Giant Mountains",
        "In the Giant Mountains.",
    ]
    assert said(found[2]["prompt"]) == [*HISTORY, ("user", GUIDANCE)]
    stripped = rows(made.golden(), "sft", rubric="stripped")
    assert [said(row["prompt"]) for row in stripped] == [HISTORY[:1], HISTORY[:3], HISTORY]


def test_sft_leaves_out_failed_broken_and_undecided_steps(made: Any) -> None:
    tries = [[made.trying(f"q{at}", letters)] for at, letters in enumerate(("mmm", "muu", "mm!", "m??", ""))]
    run = made.run(tries)
    assert len(rows(run, "sft")) == 1
    assert left(run, "sft") == {"failed": 1, "instrument": 1, "undecided": 1, "not_judged": 1}
    assert len(rows(run, "sft", undecided=True)) == 3
    assert left(run, "sft", undecided=True) == {"failed": 1, "instrument": 1}


def test_a_correction_holds_the_steps_before_the_error_and_the_fix(made: Any) -> None:
    (row,) = rows(made.golden(), "correction")
    assert said(row["prompt"]) == [
        *HISTORY[:3],
        ("user", GUIDANCE),
        ("assistant", "Elbe"),
        ("tool", made.feedback),
    ]
    bad, answer = row["prompt"][-2:]
    assert answer["tool_call_id"] == bad["tool_calls"][0]["id"]
    assert said(row["completion"]) == [("assistant", "Giant Mountains")]


def test_feedback_on_a_bad_answer_is_a_message_of_the_user(made: Any) -> None:
    run = made.run(
        [
            [
                made.trying("I think so.", "muu", answers=True),
                made.trying("In the Giant Mountains.", "mmm", "retry", made.feedback, answers=True),
            ]
        ]
    )
    (row,) = rows(run, "correction", rubric="stripped")
    assert said(row["prompt"]) == [("user", QUESTION), ("assistant", "I think so."), ("user", made.feedback)]


@pytest.mark.parametrize(
    ("bad", "good", "reason"),
    [("mmm", "mmm", "nothing_to_correct"), ("mm!", "mmm", "instrument"), ("muu", "muu", "failed")],
)
def test_what_corrects_nothing_is_no_correction(made: Any, bad: str, good: str, reason: str) -> None:
    run = made.run([[made.trying("a", bad), made.trying("b", good, "retry", made.feedback)]])
    assert rows(run, "correction") == []
    assert left(run, "correction") == {reason: 1}


# --- whole runs -----------------------------------------------------------------------------


def test_prm_has_a_label_a_step_and_ends_before_the_first_without(made: Any) -> None:
    (row,) = rows(made.golden(), "prm")
    assert row["prompt"] == QUESTION
    assert row["labels"] == [True, True, True]
    assert row["completions"] == [
        'search {"query": "Elbe"}',
        f'Observation: {FIRST_SEEN}\nsearch {{"query": "Giant Mountains"}}',
        f"Observation: {SECOND_SEEN}\nAnswer: In the Giant Mountains.",
    ]
    tries = [
        [made.trying(f"q{at}", letters)] for at, letters in enumerate(("mmm", "muu", "mm!", "mmm", "mmm"))
    ]
    run = made.run(tries)
    assert [row["labels"] for row in rows(run, "prm")] == [[True, False]]
    assert left(run, "prm") == {"instrument": 1, "after_a_step_without_label": 2}


def test_grpo_and_verl_have_the_rubric_and_no_verdict(made: Any) -> None:
    for row in rows(made.golden(), "grpo"):
        assert Rubric.model_validate_json(row["rubric"]) == made.rubric
        assert row["prompt"][-1]["content"] == GUIDANCE
    found = rows(made.golden(), "verl")
    assert len(found) == len(rows(made.golden(), "grpo")) == 3
    assert [row["extra_info"]["index"] for row in found] == [0, 1, 2]
    for row in found:
        assert (row["data_source"], row["ability"]) == ("coreact", "agent")
        assert row["reward_model"]["style"] == "rule"
        assert Rubric.model_validate_json(row["reward_model"]["ground_truth"]) == made.rubric


def test_ranking_groups_have_ranks_verdicts_and_who_rejected_whom(made: Any) -> None:
    first, second = rows(made.golden(), "ranking")
    assert (first["scores"], first["ranks"]) == ([1.0, 0.5], [1.0, 2.0])
    assert (second["scores"], second["ranks"]) == ([0.25, 1.0], [2.0, 1.0])
    good, bad = first["candidates"]
    assert (good["selected"], bad["selected"]) == (True, False)
    assert (bad["rejected_by"], bad["reason"]) == ("check", "it does not name the river")
    assert [one["status"] for one in bad["verdicts"]] == ["met", "met", "unmet"]
    assert good["verdicts"][0]["evidence"][0]["quote"] == "the Elbe"
    assert left(made.golden(), "ranking") == {"alone_in_its_step": 1}
    assert left(group(made, "mmu", "mmu"), "ranking") == {"all_tied": 2}


def test_equal_scores_share_the_mean_of_their_ranks() -> None:
    assert ranks([0.5, 1.0, 0.5, 0.0]) == [2.5, 1.0, 2.5, 4.0]


def test_openai_weighs_what_passed(made: Any) -> None:
    run = made.run(
        [
            [made.trying("Elbe", "mmm")],
            [made.trying("Oder", "muu")],
            [made.trying("In the Giant Mountains.", "mmm", answers=True)],
        ]
    )
    (row,) = rows(run, "openai")
    assert [one.get("weight") for one in row["messages"]] == [None, 1, None, 0, None, 1]
    assert row["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"query": "Elbe"}'
    assert left(run, "openai") == {"failed": 1}
    assert rows(made.run([[made.trying("Oder", "muu")]]), "openai") == []


def test_openai_after_a_rewritten_history_trains_what_still_stands(made: Any) -> None:
    run = made.golden()
    summary = {"type": "human", "data": {"content": f"{QUESTION} (summary: it is in the mountains)"}}
    last = run.steps[2].model_copy(update={"prompt_kept": 0, "prompt_added": (summary,)})
    run = run.model_copy(update={"steps": (*run.steps[:2], last)})
    (row,) = rows(run, "openai")
    assert [(one["role"], one.get("weight")) for one in row["messages"]] == [("user", None), ("assistant", 1)]
    assert left(run, "openai") == {"history_was_rewritten": 2}


def test_turn_rewards_have_a_place_for_every_turn(made: Any) -> None:
    run = made.run(
        [[made.trying("a", "mmm")], [made.trying("b", "mm!")], [made.trying("c", "mmu", answers=True)]]
    )
    (row,) = rows(run, "turn-rewards")
    assert row["info"] == {"turn_rewards": [1.0, None, 0.5]}
    assert [node["sampled"] for node in row["nodes"]] == [False, True, False, True, False, True]
    assert [node["parent"] for node in row["nodes"]] == [None, 0, 1, 2, 3, 4]
    assert row["nodes"][1]["message"]["tool_calls"] == [
        {"id": "call-0-0", "name": "search", "arguments": '{"query": "a"}'}
    ]


# --- verdicts -------------------------------------------------------------------------------


def test_feedback_is_a_row_a_verdict(made: Any) -> None:
    run = group(made, "mpu", "n?!")
    found = rows(run, "feedback")
    assert [(row["key"], row["score"]) for row in found] == [("hard", 1.0), ("name", 0.5), ("fresh", 0.0)]
    assert found[0]["comment"] == "because of m"
    assert found[0]["metadata"]["evidence"] == ["the Elbe"]
    assert found[0]["source_run_id"] == "run-1"
    assert left(run, "feedback") == {"not_applicable": 1, "unknown": 1, "instrument": 1}


def test_judge_rows_ask_about_one_criterion_and_reply_with_the_verdict(made: Any) -> None:
    run = made.run([[made.trying("Elbe", "mmm")], [made.trying("Oder", "mu!")]])
    found = rows(run, "judge")
    assert [(row["step"], row["criterion"], row["status"]) for row in found] == [
        (0, "hard", "met"),
        (0, "name", "met"),
        (0, "fresh", "met"),
        (1, "hard", "met"),
        (1, "name", "unmet"),
    ]
    asked = json.loads(found[4]["prompt"][0]["content"].split("\n\n", 1)[1])
    assert asked["observed"] == [FIRST_SEEN]
    assert asked["next_step"] == 'search {"query": "Oder"}'
    reply = json.loads(found[4]["completion"][0]["content"])
    assert list(reply) == ["reason", "quotes", "status"]
    assert reply["status"] == "unmet"


# --- who judged -----------------------------------------------------------------------------


def test_a_later_judge_relabels_the_same_attempts(made: Any) -> None:
    run = made.golden(later=[made.later("muu", 0, 0), made.later("mmm", 0, 1)])
    (row,) = rows(run, "dpo", evaluator="judge-b")
    assert said(row["chosen"]) == [("assistant", "Rivers")]
    assert left(run, "dpo", evaluator="judge-b") == {"not_judged": 3}
    assert len(rows(run, "dpo")) == 1


def test_superseded_judgements_never_count_and_humans_go_by_one_name(made: Any) -> None:
    wrong = made.later("muu", 2, 0, by="Ada", kind="human", id="j1")
    right = made.later("mmm", 2, 0, by="Ada", kind="human", id="j2", supersedes="j1")
    run = made.golden(later=[right, wrong])
    assert [row["label"] for row in rows(run, "kto", evaluator="human")] == [True]
    assert [row["label"] for row in rows(run, "kto", evaluator="Ada")] == [True]
    assert rows(run, "kto", evaluator="Bob") == []


def test_enough_of_the_rubric_must_have_been_judged(made: Any) -> None:
    run = group(made, "m?m", "mmm")
    assert len(rows(run, "kto", min_judged=0.6)) == 2
    assert len(rows(run, "kto", min_judged=0.7)) == 1
    assert left(run, "kto", min_judged=0.7) == {"too_little_judged": 1}


def test_every_format_takes_every_run(made: Any) -> None:
    from coreact.testing import sample_trajectory

    for form in FORMATS:
        for run in (made.golden(), made.run([]), sample_trajectory(), group(made, "", "")):
            for one in rows_of(run, ExportSettings(format=form)):
                assert isinstance(one, Row | Left)


def test_a_rewritten_history_leaves_earlier_prompts_as_they_were(made: Any) -> None:
    run = made.golden()
    summary = {"type": "human", "data": {"content": "summary"}}
    last = run.steps[2].model_copy(update={"prompt_kept": 1, "prompt_added": (summary,)})
    run = run.model_copy(update={"steps": (*run.steps[:2], last)})
    prompts = [said(row["prompt"]) for row in rows(run, "sft", rubric="stripped")]
    assert prompts == [HISTORY[:1], HISTORY[:3], [HISTORY[0], ("user", "summary")]]


# --- several actions in one attempt ---------------------------------------------------------


def two_actions(made: Any, *later: Any) -> Trajectory:
    """One attempt that calls two tools: the first is good, the second bad; with later judgements."""
    run = made.run([[made.trying("Elbe", "mmm")]])
    (step,) = run.steps
    (tried,) = step.attempts
    second = Action(call=ToolCall(name="delete", arguments={"x": 1}, id="c2"))
    bad = made.run([[made.trying("Elbe", "uuu")]]).steps[0].attempts[0].judgements
    tried = tried.model_copy(
        update={"actions": (*tried.actions, second), "judgements": (*tried.judgements, *bad)}
    )
    step = step.model_copy(update={"attempts": (tried,)})
    return run.model_copy(update={"steps": (step,), "judgements": later})


def about(made: Any, action: int | None, verdicts: str, **fields: Any) -> Any:
    return made.later(verdicts, 0, 0).model_copy(update={"action": action, **fields})


def asked(run: Trajectory, **settings: Any) -> list[tuple[str, str]]:
    """The action and the status of each judge row."""
    found = rows(run, "judge", **settings)
    told = [json.loads(row["prompt"][0]["content"].split("\n\n", 1)[1])["next_step"] for row in found]
    return [(text.split()[0], row["status"]) for text, row in zip(told, found, strict=True)]


def test_a_review_of_the_second_action_alone_is_about_that_action(made: Any) -> None:
    run = two_actions(made, about(made, 1, "uuu"))
    assert asked(run, evaluator="judge-b") == [("delete", "unmet")] * 3
    assert left(run, "kto", evaluator="judge-b") == {"not_judged": 1}


def test_a_judgement_that_comes_again_stays_with_its_action(made: Any) -> None:
    first = about(made, 0, "!mm")
    again = about(made, 0, "mmm", supersedes=first.id)
    run = two_actions(made, first, about(made, 1, "uuu"), again)
    assert asked(run, evaluator="judge-b") == [("search", "met")] * 3 + [("delete", "unmet")] * 3
    assert [row["label"] for row in rows(run, "kto", evaluator="judge-b")] == [False]


@pytest.mark.parametrize("action", [None, 9])
def test_a_judgement_about_no_action_fills_no_gap(made: Any, action: int | None) -> None:
    run = two_actions(made, about(made, 0, "mmm"), about(made, action, "mmm"))
    for form in ("kto", "sft"):
        assert left(run, form, evaluator="judge-b") == {"not_judged": 1}
    assert asked(run, evaluator="judge-b") == [("search", "met")] * 3


def test_the_last_judgement_says_which_rubric_counts(made: Any) -> None:
    other = made.rubric.model_copy(update={"threshold": 0.9})
    old, second = about(made, 0, "uuu"), about(made, 1, "uuu", rubric=other)
    run = two_actions(made, old, second, about(made, 0, "mmm"))
    assert asked(run, evaluator="judge-b") == [("search", "met")] * 3


def test_judgements_by_different_rubrics_make_no_label(made: Any) -> None:
    other = made.rubric.model_copy(update={"threshold": 0.9})
    run = two_actions(made, about(made, 0, "mmm"), about(made, 1, "mmm", rubric=other))
    assert left(run, "kto", evaluator="judge-b") == {"not_judged": 1}
    assert asked(run, evaluator="judge-b") == [("delete", "met")] * 3


# --- what the model was told about, and what still stands -----------------------------------


def test_feedback_is_about_the_best_attempt_so_far(made: Any) -> None:
    run = made.run(
        [
            [
                made.trying("the best", "muu", "candidate"),
                made.trying("as good", "muu", "candidate"),
                made.trying("the worst", "uuu", "candidate"),
                made.trying("mended", "mmm", "retry", made.feedback),
            ]
        ]
    )
    (row,) = rows(run, "correction", rubric="stripped")
    assert said(row["prompt"]) == [("user", QUESTION), ("assistant", "the best"), ("tool", made.feedback)]


def spoken(text: str, kind: str = "human") -> dict[str, Any]:
    return {"type": kind, "data": {"content": text}}


def edited(made: Any, message: dict[str, Any]) -> Trajectory:
    """A run whose first proposal stands in the history as another message."""
    run = made.run([[made.trying("Elbe", "mmm")], [made.trying("There.", "mmm", answers=True)]])
    first, last = run.steps
    last = last.model_copy(update={"prompt_added": (message, *last.prompt_added[1:])})
    return run.model_copy(update={"steps": (first, last)})


def test_a_call_that_was_edited_is_no_example_of_the_model(made: Any) -> None:
    calls = [{"name": "search", "args": {"query": "Something else"}, "id": "call-0-0"}]
    run = edited(made, {"type": "ai", "data": {"content": "", "tool_calls": calls}})
    (row,) = rows(run, "openai")
    assert [one["weight"] for one in row["messages"] if one["role"] == "assistant"] == [0, 1]
    assert left(run, "openai") == {"history_was_rewritten": 1}
    (row,) = rows(run, "turn-rewards")
    assert [node["sampled"] for node in row["nodes"]] == [False, False, False, True]
    assert row["info"] == {"turn_rewards": [1.0]}
    (row,) = rows(run, "atif")
    said_so = [step["tool_calls"][0]["arguments"]["query"] for step in row["steps"] if step.get("tool_calls")]
    assert said_so == ["Elbe", "Something else"]


def test_a_text_whose_own_criteria_were_taken_out_is_the_same_proposal(made: Any) -> None:
    calls = [{"name": "search", "args": {"query": "Elbe"}, "id": "call-0-0"}]
    run = edited(made, {"type": "ai", "data": {"content": "shorter", "tool_calls": calls}})
    assert left(run, "openai") == {"history_was_rewritten": 1}
    tried = run.steps[0].attempts[0].model_copy(update={"own": made.rubric})
    run = run.model_copy(
        update={"steps": (run.steps[0].model_copy(update={"attempts": (tried,)}), run.steps[1])}
    )
    (row,) = rows(run, "openai")
    assert [one["weight"] for one in row["messages"] if one["role"] == "assistant"] == [1, 1]


def test_rewards_stay_with_their_turns_where_an_earlier_turn_is_in_the_thread(made: Any) -> None:
    run = made.run(
        [
            [made.trying("Elbe", "muu")],
            [made.trying("Rhine", "mmm")],
            [made.trying("Done.", "mmm", answers=True)],
        ]
    )
    first, second, last = run.steps
    turns = (spoken("Hello?"), spoken("An old answer.", "ai"), *first.prompt_added)
    first = first.model_copy(update={"prompt_added": turns})
    second = second.model_copy(update={"prompt_kept": 3})
    # A summary takes the place of the first step.
    summary = (spoken("(a summary)"), *last.prompt_added)
    last = last.model_copy(update={"prompt_kept": 3, "prompt_added": summary})
    run = run.model_copy(update={"steps": (first, second, last)})
    (row,) = rows(run, "turn-rewards")
    answered = [node["message"]["content"] for node in row["nodes"] if node["sampled"]]
    assert len(answered) == len(row["info"]["turn_rewards"])
    assert "An old answer." not in answered
    assert answered[-1] == "Done."
    assert row["info"]["turn_rewards"][-1] == 1.0
    assert left(run, "turn-rewards") == {"history_was_rewritten": 2}
