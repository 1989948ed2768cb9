"""Whether a trained generator fits the prompts and the reader of the library at hand."""

from __future__ import annotations

import warnings

from coreact.errors import ConfigError
from coreact.generate.prompt import step_version
from coreact.generate.reading import READER
from coreact.generate.trained.record import GeneratorRecord


class GeneratorWarning(UserWarning):
    """A trained generator is used in another way than it was trained for."""


def check_versions(record: GeneratorRecord, *, strict: bool = True) -> None:
    """Compare what a generator was trained on with the library at hand.

    Another reader is told by a `GeneratorWarning`: replies are still read, some in another way than they were
    rewarded. Another prompt is an error, because a small model given a page it never saw writes nonsense.

    Args:
        record: the generator's.
        strict: False makes another prompt a warning too.

    Raises:
        ConfigError: it was trained on other prompts.
    """
    now = step_version(record.form)
    if record.prompt != now:
        what = (
            f"The generator {record.name!r} was trained on prompts of version {record.prompt}"
            f" in form {record.form!r}; this library writes version {now}."
        )
        if strict:
            raise ConfigError(
                what, remedy="Train it again, or use the library's version it was trained with."
            )
        warnings.warn(what, GeneratorWarning, stacklevel=2)
    if record.reader != READER:
        warnings.warn(
            f"The generator {record.name!r} was trained with reader {record.reader}; this library reads with"
            f" reader {READER}: some replies may count otherwise than in training.",
            GeneratorWarning,
            stacklevel=2,
        )
