"""The searcher: two million parameters that were taught to search the gazetteer, and nothing else.

It is a third kind of policy beside a general small model and a scripted expert: it knows what to do, and errs
like something that was learned. This module puts the steps together: demonstrations, tokenizer, training, the
model file. Every step is kept in a folder and not done again, so a run that was interrupted goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from pydantic import Field

from coreact.errors import ConfigError
from coreact.rubric import Record
from coreact.trace.folders import make_folder
from coreact.train.llama import Shape, new_model
from coreact.train.searcher.demonstrations import BuildAgent, Demonstration, Mix, demonstrations
from coreact.train.searcher.encoding import Tokens, encode
from coreact.train.searcher.entity_split import by_country
from coreact.train.searcher.induction import plant
from coreact.train.searcher.loop import Progress, Schedule, load_weights, train
from coreact.train.searcher.renaming import renamed
from coreact.train.tokenizing import train_tokenizer
from coreact.worlds import World, gazetteer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

NAME = "coreact-searcher"
"""What the model is called in its file."""
LICENCE = "Apache-2.0"

HELD_OUT_EPISODES = 40
"""Questions on held-out countries that replies are compared on while training goes on."""
_TOKENIZER_TEXTS = 6000
"""Demonstrations that the tokenizer is learned from: more change nothing."""
_SETTINGS, _DATA, _HELD_OUT, _TOKENIZER = "settings.json", "data.jsonl", "held_out.jsonl", "tokenizer.json"


class Settings(Record):
    """Everything that a searcher is made from. The same settings give the same demonstrations."""

    worlds: int = Field(default=12, ge=1)
    """Worlds to learn from, each worded anew; two of three have made-up names."""
    questions: int = Field(default=300, ge=1)
    """Questions asked in each."""
    vocabulary: int = Field(default=1536, ge=300)
    """Tokens, at most."""
    shape: Shape = Shape()
    seed: int = 0


def prepare(build: BuildAgent, settings: Settings, folder: Path, report: Callable[[str], None]) -> None:
    """Make the demonstrations, unless the folder has them.

    Raises:
        ConfigError: the folder has those of other settings, or cannot be made.
    """
    make_folder(folder)
    written = folder / _SETTINGS
    if written.is_file():
        if Settings.model_validate_json(written.read_text(encoding="utf-8")) != settings:
            raise ConfigError(
                f"{str(folder)!r} holds a searcher with other settings.",
                remedy="Give the same settings, or another folder.",
            )
        return
    _write(folder / _HELD_OUT, held_out_demonstrations(build))
    _write(folder / _DATA, _all_demonstrations(build, settings, report))
    written.write_text(settings.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _all_demonstrations(
    build: BuildAgent, settings: Settings, report: Callable[[str], None]
) -> Iterator[Demonstration]:
    for number in range(settings.worlds):
        rng = Random(f"{settings.seed}|{number}")
        world = training_world(rng, made_up=number % 3 != 0)
        yield from demonstrations(build, world, rng.sample(world.questions, settings.questions), rng)
        report(f"demonstrations: {number + 1} of {settings.worlds} worlds")


def training_world(rng: Random, *, made_up: bool) -> World:
    """A world without the held-out countries, under its own names or under made-up ones."""
    world = gazetteer(seed=rng.randrange(1, 1 << 30))
    split = by_country(world)
    shown = tuple(passage for passage in world.passages if passage.id not in split.hidden)
    there = {passage.id for passage in shown}
    asked = tuple(one for one in split.train if there.issuperset(one.supporting_ids))
    kept = World(name=world.name, passages=shown, questions=asked)
    return renamed(kept, rng) if made_up else kept


def held_out_demonstrations(build: BuildAgent) -> Iterator[Demonstration]:
    """What an ideal searcher does on held-out countries in the world that agents are measured in."""
    world = held_out_world()
    bridges = [one for one in world.questions if one.kind == "bridge"]
    rng = Random("held out")
    mix = Mix(mistakes=0.0, passages=(3,))
    return demonstrations(build, world, rng.sample(bridges, HELD_OUT_EPISODES), rng, mix)


def _write(path: Path, shown: Iterator[Demonstration]) -> None:
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        for one in shown:
            file.write(one.model_dump_json() + "\n")
    part.replace(path)


def fit(settings: Settings, schedule: Schedule, folder: Path) -> Iterator[Progress]:
    """Train on the prepared demonstrations, from the last checkpoint; yield a line at every checkpoint."""
    tokenizer = _tokenizer(settings, folder)
    model = new_model(settings.shape, vocabulary=tokenizer.get_vocab_size(), seed=settings.seed)
    plant(model, seed=settings.seed)
    data, held_out = (
        [
            one
            for one in map(_encoder(tokenizer), _read(folder / name))
            if len(one.ids) <= schedule.batch_tokens
        ]
        for name in (_DATA, _HELD_OUT)
    )
    yield from train(model, data, held_out, schedule, folder)


def export(settings: Settings, folder: Path, path: Path) -> Path:
    """Write the last checkpoint as a GGUF file."""
    from coreact.train.gguf_file import write_gguf

    tokenizer = _tokenizer(settings, folder)
    model = new_model(settings.shape, vocabulary=tokenizer.get_vocab_size(), seed=settings.seed)
    load_weights(model, folder)
    write_gguf(model, tokenizer, path, name=NAME, licence=LICENCE)
    return path


def held_out_world() -> World:
    """The world that agents are measured in, with the questions on held-out countries only."""
    world = gazetteer()
    return World(name=f"{world.name} held out", passages=world.passages, questions=by_country(world).held_out)


def count_parameters(settings: Settings, folder: Path) -> int:
    """Number of weights, tied ones once."""
    vocabulary = _tokenizer(settings, folder).get_vocab_size()
    return int(new_model(settings.shape, vocabulary=vocabulary, seed=settings.seed).num_parameters())


def _encoder(tokenizer: Tokenizer) -> Callable[[Demonstration], Tokens]:
    return lambda demonstration: encode(tokenizer, demonstration)


def _read(path: Path) -> Iterator[Demonstration]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield Demonstration.model_validate(json.loads(line))


def _tokenizer(settings: Settings, folder: Path) -> Tokenizer:
    path = folder / _TOKENIZER
    if not path.is_file():
        shown = (one for at, one in enumerate(_read(folder / _DATA)) if at < _TOKENIZER_TEXTS)
        texts = (text for one in shown for turn in one.turns for text in (turn["role"], turn["content"]))
        train_tokenizer(texts, size=settings.vocabulary).save(str(path))
    from tokenizers import Tokenizer as Reader

    return Reader.from_file(str(path))
