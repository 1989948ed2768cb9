"""What is common to all formats: splits, duplicates, judges, the manifest, and all or nothing."""

from __future__ import annotations

import errno
import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.errors import ConfigError, ExportError, MissingExtraError
from coreact.testing import record_into
from coreact.trace import CURRENT_SCHEMA, RunFilter, SQLiteTraceStore
from coreact.trace.export import FORMATS, MANIFEST, ExportSettings, Manifest, export, parse_split, split_of
from coreact.trace.export.writing import Folder, JsonLines

Rows = Callable[[Path], list[Mapping[str, Any]]]
HALVES = (("train", 0.5), ("test", 0.5))


def test_rows_and_manifest_agree(made: Any, tmp_path: Path, read_rows: Rows) -> None:
    store = SQLiteTraceStore(tmp_path / "traces.db")
    record_into(store, made.golden())
    record_into(store, made.golden(run_id="run-2", question="Where does the Oder rise?"))
    store.flush()
    seen: list[int] = []
    manifest = export(
        store,
        tmp_path / "out",
        ExportSettings(format="sft"),
        where=RunFilter(agent="searcher"),
        command="coreact trace export",
        watch=lambda: seen.append(1),
    )
    store.close()
    file = tmp_path / "out" / "train.jsonl"
    assert len(read_rows(file)) == 6
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [MANIFEST, "train.jsonl"]
    assert [path.name for path in tmp_path.glob(".*")] == []
    assert Manifest.model_validate_json((tmp_path / "out" / MANIFEST).read_text()) == manifest
    assert manifest.splits["train"].sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (manifest.splits["train"].rows, manifest.splits["train"].runs, manifest.splits["train"].tasks) == (
        6,
        2,
        2,
    )
    assert manifest.run_ids == ("run-1", "run-2")
    assert manifest.run_ids_sha256 == hashlib.sha256(b"run-1\nrun-2\n").hexdigest()
    assert manifest.rubric_shas == (made.rubric.lock,)
    assert manifest.filter == {"agent": "searcher"}
    assert manifest.schema_version == CURRENT_SCHEMA
    assert manifest.store == str(tmp_path / "traces.db")
    assert manifest.command == "coreact trace export"
    assert (manifest.evaluators, manifest.left_out, len(seen)) == ((), {}, 2)


def test_the_same_prompt_and_completion_come_once(made: Any, tmp_path: Path, read_rows: Rows) -> None:
    store = made.stored(made.golden(), made.golden(run_id="run-2", started_ns=2))
    for form, count in (("sft", 3), ("kto", 5), ("dpo", 1), ("grpo", 3), ("ranking", 2), ("openai", 1)):
        manifest = export(store, tmp_path / form, ExportSettings(format=form))
        assert len(read_rows(tmp_path / form / "train.jsonl")) == count
        assert manifest.left_out["duplicate"] == count
        assert manifest.splits["train"].runs == 1


@pytest.mark.parametrize("form", ["kto", "prm"])
def test_what_is_called_good_and_bad_is_left_out(
    made: Any, tmp_path: Path, read_rows: Rows, form: str
) -> None:
    runs = [
        made.run([[made.trying(text, letters)]], run_id=f"run-{number}", started_ns=number)
        for number, (text, letters) in enumerate(
            (("Elbe", "mmm"), ("Elbe", "uuu"), ("Elbe", "mmm"), ("Oder", "mmm"))
        )
    ]
    manifest = export(made.stored(*runs), tmp_path / "out", ExportSettings(format=form))
    (row,) = read_rows(tmp_path / "out" / "train.jsonl")
    assert row["run"] == "run-3"
    assert manifest.left_out == {"contradictory": 3}


def test_other_tools_make_another_prompt(made: Any, tmp_path: Path) -> None:
    run = made.golden(run_id="run-2", started_ns=2)
    first = run.steps[0].model_copy(update={"tools": ()})
    store = made.stored(made.golden(), run.model_copy(update={"steps": (first, *run.steps[1:])}))
    manifest = export(store, tmp_path / "out", ExportSettings(format="sft"))
    assert (manifest.splits["train"].rows, manifest.left_out) == (6, {})


def test_runs_without_content_are_left_out_and_counted(made: Any, tmp_path: Path) -> None:
    off = made.golden(run_id="run-2", capture="off", question="Where does the Oder rise?")
    manifest = export(made.stored(made.golden(), off), tmp_path / "out", ExportSettings(format="sft"))
    assert (manifest.runs, manifest.splits["train"].rows) == (2, 3)
    assert manifest.left_out == {"capture_off": 1}


def test_judges_are_not_mixed_unless_asked_for(made: Any, tmp_path: Path, read_rows: Rows) -> None:
    def run(run_id: str, by: str) -> Any:
        return made.run([[made.trying(run_id, "mmm", by=by)]], run_id=run_id, question=run_id)

    store = made.stored(run("run-1", "judge-a"), run("run-2", "judge-b"), run("run-3", "check"))
    with pytest.raises(ExportError, match=r"different judges: judge-a, judge-b\. .*--mix-evaluators"):
        export(store, tmp_path / "out", ExportSettings(format="sft"))
    assert list(tmp_path.iterdir()) == []
    manifest = export(store, tmp_path / "out", ExportSettings(format="sft", mix_evaluators=True))
    assert manifest.evaluators == ("judge-a", "judge-b")
    assert len(read_rows(tmp_path / "out" / "train.jsonl")) == 3
    # A verdict of its own judge each, and no comparison: nothing is mixed in these.
    export(store, tmp_path / "feedback", ExportSettings(format="feedback"))
    export(store, tmp_path / "atif", ExportSettings(format="atif"))


def test_two_versions_of_a_later_judge_are_two_judges(made: Any, tmp_path: Path) -> None:
    run = made.golden(later=[made.later("mmm", 0, 0, version="1"), made.later("mmm", 1, 1, version="2")])
    store = made.stored(run)
    with pytest.raises(ExportError, match="judge-b 1, judge-b 2"):
        export(store, tmp_path / "out", ExportSettings(format="kto", evaluator="judge-b"))
    manifest = export(store, tmp_path / "out", ExportSettings(format="kto", evaluator="2"))
    assert manifest.evaluators == ("judge-b 2",)


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_an_export_without_rows_is_an_error_that_says_why(made: Any, tmp_path: Path, form: str) -> None:
    with pytest.raises(ExportError, match="No stored run is meant"):
        export(made.stored(), tmp_path / "out", ExportSettings(format=form))
    assert list(tmp_path.iterdir()) == []


def test_the_error_advises(made: Any, tmp_path: Path) -> None:
    retry = made.run([[made.trying("a", "muu"), made.trying("b", "mmm", "retry", made.feedback)]])
    with pytest.raises(ExportError, match=r"alone under its prompt 2\. With --rubric stripped"):
        export(made.stored(retry), tmp_path / "out", ExportSettings(format="dpo"))
    unjudged = made.run([[made.trying("a", "")]])
    with pytest.raises(ExportError, match=r"not judged 1\. .*--undecided"):
        export(made.stored(unjudged), tmp_path / "out", ExportSettings(format="sft"))


def test_unknown_formats_and_impossible_files_are_refused(made: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no export format 'dpoo'"):
        export(made.stored(), tmp_path / "out", ExportSettings(format="dpoo"))
    with pytest.raises(ConfigError, match="no columns"):
        export(made.stored(made.golden()), tmp_path / "out", ExportSettings(format="atif", file="parquet"))


# --- splits ---------------------------------------------------------------------------------


def test_a_task_lies_in_one_split_whatever_runs_and_steps_it_has(
    made: Any, tmp_path: Path, read_rows: Rows
) -> None:
    runs = [
        made.golden(
            run_id=f"run-{task}-{again}",
            question=f"Where does river {task} rise?",
            guidance=f"Next step, as it was worded the {again}. time.",  # else its rows come once
            started_ns=100 * again + task,
        )
        for again in range(2)
        for task in range(40)
    ]
    settings = ExportSettings(format="kto", split=HALVES)
    manifest = export(made.stored(*runs), tmp_path / "all", settings)
    by_split = {
        name: {row["task"] for row in read_rows(tmp_path / "all" / f"{name}.jsonl")} for name, _ in HALVES
    }
    assert not by_split["train"] & by_split["test"]
    assert len(by_split["train"] | by_split["test"]) == 40
    assert sum(count.runs for count in manifest.splits.values()) == 80
    assert {name: count.tasks for name, count in manifest.splits.items()} == {
        name: len(tasks) for name, tasks in by_split.items()
    }
    # Half of the runs alone: each task stays where it was.
    export(made.stored(*runs[:40]), tmp_path / "some", settings)
    for name, _ in HALVES:
        assert {row["task"] for row in read_rows(tmp_path / "some" / f"{name}.jsonl")} <= by_split[name]


@given(st.text(), st.integers(0, 5))
def test_case_and_blanks_do_not_move_a_task(task: str, seed: int) -> None:
    odd = f"  {task.casefold()}\n"
    assert split_of(task, HALVES, seed) == split_of(odd, HALVES, seed)


def test_turns_of_one_conversation_lie_in_one_split(made: Any, tmp_path: Path, read_rows: Rows) -> None:
    questions = [f"Where does river {number} rise?" for number in range(40)]
    by = {split_of(question, HALVES): question for question in questions}
    asked = made.trying("The first answer.", "mmm", answers=True)
    first = made.run([[asked]], run_id="run-1", question=by["train"], thread_id="thread")
    second = made.run([[asked._replace(text="The second.")]], run_id="run-2", question=by["test"])
    (step,), (after,) = first.steps, second.steps
    ours = {"type": "human", "data": {"content": by["test"], "additional_kwargs": {"lc_source": "coreact"}}}
    prompt = (ours, *step.prompt_added, step.attempts[0].message, *after.prompt_added)
    second = second.model_copy(update={"steps": (after.model_copy(update={"prompt_added": prompt}),)})
    manifest = export(
        made.stored(first, second), tmp_path / "out", ExportSettings(format="sft", split=HALVES)
    )
    assert {name: count.rows for name, count in manifest.splits.items()} == {"train": 2, "test": 0}


def test_a_run_without_a_message_of_the_user_goes_by_its_question(made: Any, tmp_path: Path) -> None:
    run = made.run([[made.trying("Elbe", "mmm")]])
    (step,) = run.steps
    system = {"type": "system", "data": {"content": "Be brief."}}
    run = run.model_copy(update={"steps": (step.model_copy(update={"prompt_added": (system,)}),)})
    manifest = export(made.stored(run), tmp_path / "out", ExportSettings(format="sft", split=HALVES))
    assert manifest.splits[split_of(run.run.question, HALVES)].rows == 1


def test_shares_are_kept_and_the_seed_matters() -> None:
    splits = (("train", 0.8), ("dev", 0.1), ("test", 0.1))
    dealt = [split_of(f"task {number}", splits) for number in range(5000)]
    assert 3850 < dealt.count("train") < 4150
    assert 400 < dealt.count("dev") < 600
    assert dealt != [split_of(f"task {number}", splits, 1) for number in range(5000)]


def test_a_split_without_rows_has_no_file(made: Any, tmp_path: Path) -> None:
    settings = ExportSettings(format="sft", split=HALVES)
    manifest = export(made.stored(made.golden()), tmp_path / "out", settings)
    empty = [count for count in manifest.splits.values() if not count.rows]
    assert [(count.file, count.sha256) for count in empty] == [(None, None)]
    assert len(list((tmp_path / "out").iterdir())) == 2


@pytest.mark.parametrize(
    "text",
    ["train", "train=x", "train=0.9", "train=0.5,train=0.5", "../x=1", "train=2,test=-1", "manifest=1", ""],
)
def test_a_split_that_makes_no_whole_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"train=0\.9,test=0\.1"):
        parse_split(text)


def test_a_split_is_read() -> None:
    assert parse_split("train=0.9, test=0.1") == (("train", 0.9), ("test", 0.1))


# --- all or nothing -------------------------------------------------------------------------


def test_a_folder_that_holds_something_is_not_touched(made: Any, tmp_path: Path) -> None:
    kept = tmp_path / "out" / "train.jsonl"
    kept.parent.mkdir()
    kept.write_text("mine")
    with pytest.raises(ExportError, match="exists already"):
        export(made.stored(made.golden()), tmp_path / "out", ExportSettings(format="sft"))
    assert kept.read_text() == "mine"
    with pytest.raises(ExportError, match="exists already"):
        export(made.stored(made.golden()), kept, ExportSettings(format="sft"))


def test_an_empty_folder_may_be_filled(made: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    export(made.stored(made.golden()), tmp_path / "out", ExportSettings(format="sft"))
    assert (tmp_path / "out" / "train.jsonl").exists()


def test_a_full_disk_leaves_nothing_behind(
    made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: JsonLines, row: Mapping[str, Any]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(JsonLines, "write", full)
    with pytest.raises(ExportError, match=r"No space left on device.*Nothing of it was left behind"):
        export(made.stored(made.golden()), tmp_path / "out", ExportSettings(format="sft"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_disk_that_fills_up_at_the_end_leaves_nothing_behind(
    made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = JsonLines.__init__
    monkeypatch.setattr(JsonLines, "__init__", lambda self, path: whole(self, Path("/dev/full")))
    with pytest.raises(ExportError, match="No space left on device"):
        export(made.stored(made.golden()), tmp_path / "out", ExportSettings(format="sft"))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_nothing_behind(made: Any, tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(made.stored(made.golden()), tmp_path / "out", ExportSettings(format="sft"), watch=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_typed_error(made: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written"):
        export(made.stored(made.golden()), tmp_path / "file" / "out", ExportSettings(format="sft"))


def test_parquet_without_its_package_names_the_extra(
    made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"coreact\[export\]"):
        export(made.stored(made.golden()), tmp_path / "out", ExportSettings(format="verl"))
    assert list(tmp_path.iterdir()) == []


def fits(digits: str) -> int:
    assert abs(int(digits)) < 2**63
    return int(digits)


# --- odd content ----------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["jsonl", "parquet"])
@pytest.mark.parametrize("form", sorted(name for name, form in FORMATS.items() if form.columns))
def test_half_characters_and_numbers_that_json_lacks_are_written_so_that_all_can_read(
    made: Any, tmp_path: Path, form: str, file: Any
) -> None:
    run = made.run(
        [
            [
                made.trying("odd \udc80 \x00 \u2028 😀", "mmm", "candidate", selected=True),
                made.trying("b", "mmu", "candidate"),
            ],
            [made.trying("x", "muu"), made.trying("\ud83d", "mmm", "retry", "say \udfff")],
        ],
        question="half \udc80?",
        guidance="\ud83d",
    )
    first = run.steps[0].attempts[0]
    calls = [
        {"name": "search", "args": {"query": float("nan"), "n": float("inf"), "big": -(2**70)}, "id": "c"}
    ]
    odd = first.model_copy(update={"message": {"type": "ai", "data": {"content": [], "tool_calls": calls}}})
    step = run.steps[0].model_copy(update={"attempts": (odd, run.steps[0].attempts[1])})
    run = run.model_copy(update={"steps": (step, *run.steps[1:])})
    export(made.stored(run), tmp_path / "out", ExportSettings(format=form, file=file))
    path = tmp_path / "out" / f"train.{file}"
    if file == "parquet":
        import pyarrow.parquet

        assert pyarrow.parquet.read_table(path).num_rows
    else:
        for line in path.read_text(encoding="utf-8").splitlines():
            json.loads(line, parse_constant=lambda name: pytest.fail(name), parse_int=fits)


def test_half_characters_in_ids_and_names_reach_the_manifest(made: Any, tmp_path: Path) -> None:
    run = made.run([[made.trying("Elbe", "mmm", by="judge-\ud800")]], run_id="run-\udc80")
    command = "coreact \udc80"
    manifest = export(made.stored(run), tmp_path / "out", ExportSettings(format="sft"), command=command)
    assert manifest.command == command
    told = json.loads((tmp_path / "out" / MANIFEST).read_text(encoding="utf-8"))
    assert (told["run_ids"], told["evaluators"], told["command"]) == (
        ["run-\ufffd"],
        ["judge-\ufffd"],
        "coreact \ufffd",
    )


def broken(made: Any, message: Mapping[str, Any]) -> Any:
    """A run whose second step has this message in its prompt."""
    run = made.golden(run_id="run-2", question="Where does the Oder rise?", started_ns=2)
    step = run.steps[1].model_copy(update={"prompt_added": (message,)})
    return run.model_copy(update={"steps": (run.steps[0], step, *run.steps[2:])})


@pytest.mark.parametrize("form", sorted(FORMATS))
@pytest.mark.parametrize(
    "message",
    [{"type": "ai", "data": [1]}, {"type": "ai", "data": {"content": "", "additional_kwargs": [1]}}],
)
def test_a_run_with_a_message_that_is_none_is_left_out(
    made: Any, tmp_path: Path, form: str, message: Mapping[str, Any]
) -> None:
    store = made.stored(made.golden(), broken(made, message))
    manifest = export(store, tmp_path / "out", ExportSettings(format=form))
    assert manifest.splits["train"].runs == 1
    assert manifest.left_out["unreadable_message"] == 1


def test_a_first_message_that_is_none_is_left_out_too(made: Any, tmp_path: Path) -> None:
    run = broken(made, {})
    step = run.steps[0].model_copy(update={"prompt_added": ({"type": "human", "data": "text"},)})
    run = run.model_copy(update={"steps": (step,)})
    manifest = export(made.stored(made.golden(), run), tmp_path / "out", ExportSettings(format="sft"))
    assert manifest.left_out == {"unreadable_message": 1}


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_what_is_nested_too_deeply_is_left_out(made: Any, tmp_path: Path, form: str) -> None:
    deep: Any = 1
    for _ in range(20_000):
        deep = [deep]
    calls = [{"name": "search", "args": {"query": deep}, "id": "c"}]
    run = broken(made, {"type": "ai", "data": {"content": "", "tool_calls": calls}})
    store: Any = SimpleNamespace(trajectories=lambda where: [made.golden(), run])
    manifest = export(store, tmp_path / "out", ExportSettings(format=form))
    assert manifest.splits["train"].runs == 1
    assert manifest.left_out["too_deeply_nested"] >= 1


@pytest.mark.parametrize("at_ns", [-(10**20), 253_402_300_800 * 10**9])
def test_a_time_that_no_reader_can_write_is_left_out_of_atif(made: Any, tmp_path: Path, at_ns: int) -> None:
    run = made.golden(run_id="run-2")
    step = run.steps[0].model_copy(update={"at_ns": at_ns})
    run = run.model_copy(update={"steps": (step, *run.steps[1:])})
    manifest = export(made.stored(made.golden(), run), tmp_path / "out", ExportSettings(format="atif"))
    assert (manifest.splits["train"].rows, manifest.left_out) == (1, {"time_out_of_range": 1})


@pytest.mark.parametrize("name", [".", "/"])
def test_a_folder_without_a_name_of_its_own_is_one_like_others(
    made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").write_text("")
    with pytest.raises(ExportError, match="exists already"):
        export(made.stored(made.golden()), name, ExportSettings(format="sft"))
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_folder_one_stands_in_is_not_replaced(
    made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExportError, match="exists already"):
        export(made.stored(made.golden()), ".", ExportSettings(format="sft"))
    assert Path.cwd() == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_writing_outside_a_block_is_not_possible_by_name(tmp_path: Path) -> None:
    with Folder(tmp_path / "out") as folder:
        folder.add(MANIFEST, "{}")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / MANIFEST).read_text() == "{}"
