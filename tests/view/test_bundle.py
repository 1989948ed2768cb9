"""Bundles: whole without a server, and no page asks for anything."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

from coreact.errors import ConfigError, RunNotFoundError
from coreact.trace import RunRecord, SQLiteTraceStore
from coreact.view import write_bundle
from coreact.view.bundle import page_name


def test_each_run_is_a_page_and_the_index_leads_there(store: SQLiteTraceStore, tmp_path: Path) -> None:
    written = write_bundle(store, tmp_path / "deep" / "out")
    assert (written.runs, written.left, written.path.name) == (2, 0, "index.html")
    index = written.path.read_text(encoding="utf-8")
    for run in ("showcase-1", "sample-1"):
        assert f'href="{page_name(run)}"' in index
        assert (written.path.parent / page_name(run)).exists()
    assert len(list(written.path.parent.iterdir())) == 3
    assert index.index("Passau") < index.index("Elbe")  # newest first


def test_the_policy_allows_what_stands_in_the_page_and_nothing_else(
    store: SQLiteTraceStore, tmp_path: Path
) -> None:
    write_bundle(store, tmp_path)
    for page in tmp_path.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "default-src &#39;none&#39;" in text
        for kind in ("style", "script"):
            (inline,) = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
            digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
            assert f"{kind}-src &#39;sha256-{digest}&#39;" in text
        assert "data-load" not in text
        assert "<form" not in text
        links = re.findall(r'(?:href|src)="([^"]*)"', text)
        assert all(re.fullmatch(r"#[\w-]+|index\.html|run-[0-9a-f]{16}\.html|data:,", one) for one in links)


def test_chosen_runs_alone_and_how_many_are_left(store: SQLiteTraceStore, tmp_path: Path) -> None:
    written = write_bundle(store, tmp_path, runs=["show", "showcase-1"])
    assert (written.runs, written.left) == (1, 1)
    with pytest.raises(RunNotFoundError):
        write_bundle(store, tmp_path / "other", runs=["showcase-1", "none"])
    assert not (tmp_path / "other").exists()


def test_an_id_is_no_path(store: SQLiteTraceStore, tmp_path: Path) -> None:
    store.start(RunRecord(id="../../up\x00\ud800", question="?", started_ns=1))
    write_bundle(store, tmp_path / "out")
    assert [path.name for path in tmp_path.glob("*.html")] == []
    assert len(list((tmp_path / "out").glob("run-*.html"))) == 3


def test_a_folder_that_cannot_be_written(store: SQLiteTraceStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_bundle(store, tmp_path / "file")
