"""Which rubric generator a command guides with: the heuristic one, a trained one, or one behind a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast, get_args

from coreact.errors import ConfigError

if TYPE_CHECKING:  # a command line that starts quickly imports LangChain only to run
    from coreact.generate import RubricGenerator

HEURISTIC = "heuristic"

ABOUT = "Who writes rubrics: `heuristic`, a trained generator's folder or name, or a URL ending in /v1."
"""Help of the option `--generator`."""

ABOUT_FORM = "How a generator behind a URL is asked, where its name does not tell: sheet, lines or records."
"""Help of the option `--generator-form`."""


@contextmanager
def chosen_generator(
    name: str, *, form: str | None = None, seed: int = 0, threads: int = 1, parallel: int = 1
) -> Iterator[RubricGenerator | None]:
    """Open a generator and close what it needs afterwards; None stands for the default, the heuristic one.

    Args:
        name: `heuristic`, a folder, a name below `rubric_models/`, or a URL.
        form: how a server's model is asked.
        seed: seed of the generator's sampler.
        threads: threads of the embedded server.
        parallel: requests that it answers at once.

    Raises:
        CoReActError: there is no such generator, or it cannot be opened; see `open_generator`.
    """
    if name == HEURISTIC:
        if form is not None:
            raise ConfigError("The heuristic generator has no form.", remedy="Give --generator URL too.")
        yield None
        return
    from coreact.generate.prompt import Form
    from coreact.generate.trained import open_generator

    if form is not None and form not in get_args(Form):
        raise ConfigError(
            f"There is no form {form!r}.", remedy=f"Forms are: {', '.join(sorted(get_args(Form)))}."
        )
    known = cast("Form | None", form)
    with open_generator(name, form=known, seed=seed, threads=threads, parallel=parallel) as generator:
        yield generator
