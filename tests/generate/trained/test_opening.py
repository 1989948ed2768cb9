"""A trained generator opened from a folder, a name or a URL writes what it learned, and guides."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage

from coreact.errors import ConfigError, GenerationError, ModelFileError
from coreact.generate.trained import (
    describe,
    find_generator,
    open_generator,
    places,
    read_folder,
    write_record,
)
from coreact.generate.trained.opening import TrainedGenerator
from coreact.guide import CoReActMiddleware
from coreact.rubric import State
from coreact.rubric.checks import ArgumentContains, DoesNotStop
from coreact.testing.scripted import ScriptedModel
from coreact.trace import InMemoryTraceStore, Recorder


@pytest.fixture
def state(points: Any) -> State:
    state: State = points[0].state
    return state


@pytest.fixture
def known(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of names that holds the generator, and a recipe that was not trained."""
    shutil.copytree(trained, tmp_path / "place" / "by-heart")
    (tmp_path / "place" / "only-a-recipe").mkdir()
    monkeypatch.setattr(places, "_PLACES", (tmp_path / "place",))
    return tmp_path / "place"


@pytest.mark.parametrize("engine", ["llama.cpp", "transformers", "auto"])
def test_a_folder_writes_what_it_learned(trained: Path, state: State, engine: Any) -> None:
    if engine != "transformers":
        pytest.importorskip("xllamacpp", reason="needs the extra `local`")
    with open_generator(trained, engine=engine) as generator:
        assert isinstance(generator, TrainedGenerator)
        assert generator.id.startswith("trained:by-heart@")
        assert generator.form == "sheet"
        written = generator.write(state)
        again = asyncio.run(generator.awrite(state))
    assert written.rubric == again.rubric
    assert [type(one.check) for one in written.rubric] == [ArgumentContains, DoesNotStop]
    assert {one.provenance.source for one in written.rubric} == {generator.id}
    assert written.cost.input_tokens > 50


def test_both_engines_read_the_same_number_of_tokens(trained: Path, state: State) -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra `local`")
    costs = []
    for engine in ("llama.cpp", "transformers"):
        with open_generator(trained, engine=engine) as generator:  # type: ignore[arg-type]
            costs.append(generator.write(state).cost.input_tokens)
    assert costs[0] == costs[1]


def test_the_version_is_that_of_the_weights(trained: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(trained, other)
    ids = set()
    for folder, temperature in ((trained, 0.0), (other, 0.0), (other, 0.5)):
        write_record(
            other,
            describe(
                other, name="by-heart", form="sheet", base="new", max_tokens=60, temperature=temperature
            ),
        )
        with open_generator(folder, engine="transformers") as generator:
            ids.add(generator.id)
    assert len(ids) == 2  # a copy is the same generator, another temperature is not


def test_it_guides_an_agent(trained: Path) -> None:
    store = InMemoryTraceStore()
    with open_generator(trained, engine="transformers") as generator:
        agent = create_agent(
            ScriptedModel(script=[AIMessage("It rises in Bohemia.")] * 3),
            [],
            middleware=[CoReActMiddleware(generator=generator, recorder=Recorder(store), retries=1)],
        )
        agent.invoke({"messages": [("user", "Where does the Elbe rise?")]})
    (step,) = store.trajectory(store.runs()[0].id).steps
    assert step.generator == generator.id
    assert step.error is None


def test_a_name_is_a_folder_below_rubric_models(known: Path) -> None:
    assert find_generator("by-heart") == known / "by-heart"
    with pytest.raises(ConfigError, match="one of: by-heart"):
        find_generator("only-a-recipe")
    with pytest.raises(ModelFileError, match="no folder of a trained generator"):
        read_folder(known / "only-a-recipe")


def test_a_folder_without_a_generator_hides_none(
    known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("by-heart").mkdir()
    assert find_generator("by-heart") == known / "by-heart"


def test_an_engine_without_its_weights(trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "half"
    shutil.copytree(trained / "model", folder / "model")
    write_record(folder, describe(folder, name="half", form="sheet"))
    with (
        pytest.raises(ModelFileError, match=r"has no model\.gguf"),
        open_generator(folder, engine="llama.cpp"),
    ):
        pass
    shutil.rmtree(folder / "model")
    shutil.copy(trained / "model.gguf", folder)
    write_record(folder, describe(folder, name="half", form="sheet"))
    with (
        pytest.raises(ModelFileError, match="no weights for transformers"),
        open_generator(folder, engine="transformers"),
    ):
        pass


def test_a_form_is_for_servers(trained: Path) -> None:
    with pytest.raises(ConfigError, match="with a URL only"), open_generator(trained, form="lines"):
        pass


# --- a server ---------------------------------------------------------------------------------------


@pytest.fixture
def server(trained: Path) -> Any:
    pytest.importorskip("xllamacpp", reason="needs the extra `local`")
    from coreact.local import LocalServer

    with LocalServer(trained / "model.gguf", context_tokens=1024, name="by-heart") as running:
        yield running


def test_a_server_is_asked_like_the_generator_it_is_named_for(server: Any, known: Path, state: State) -> None:
    with open_generator(server.base_url) as generator:
        assert (generator.form, generator.model_name) == ("sheet", "by-heart")
        assert len(generator.write(state).rubric) == 2
    with open_generator(f"{server.base_url}/#by-heart") as generator:
        assert generator.form == "sheet"


def test_no_proxy_stands_before_this_machine(
    server: Any, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with open_generator(server.base_url, form="sheet") as generator:
        assert len(generator.write(state).rubric) == 2
        assert len(asyncio.run(generator.awrite(state)).rubric) == 2


def test_a_server_nobody_knows_needs_a_form(server: Any, state: State) -> None:
    with pytest.raises(ConfigError, match="Give the form"), open_generator(server.base_url):
        pass
    with open_generator(server.base_url, form="sheet") as generator:
        assert len(generator.write(state).rubric) == 2
        assert generator.id.startswith("prompted:")


def test_a_server_without_the_model(server: Any) -> None:
    with (
        pytest.raises(GenerationError, match="has no model 'other'"),
        open_generator(f"{server.base_url}#other"),
    ):
        pass
    with (
        pytest.raises(GenerationError, match="does not list its models"),
        open_generator("http://127.0.0.1:9/v1", form="lines"),
    ):
        pass
