"""Trained rubric generators: what a folder of weights says of itself, and how it is opened to guide.

Training lives in `coreact.train`, serving to other machines in `coreact.serving`. Nothing here imports torch
until weights for transformers are opened.
"""

from __future__ import annotations

from coreact.generate.trained.opening import TrainedGenerator, open_generator
from coreact.generate.trained.places import find_generator, generators
from coreact.generate.trained.record import (
    ADAPTER,
    GGUF,
    MODEL,
    RECORD,
    GeneratorFolder,
    GeneratorRecord,
    describe,
    read_folder,
    write_record,
)
from coreact.generate.trained.versions import GeneratorWarning, check_versions

__all__ = [
    "ADAPTER",
    "GGUF",
    "MODEL",
    "RECORD",
    "GeneratorFolder",
    "GeneratorRecord",
    "GeneratorWarning",
    "TrainedGenerator",
    "check_versions",
    "describe",
    "find_generator",
    "generators",
    "open_generator",
    "read_folder",
    "write_record",
]
