"""The templates' environment: everything escaped, everything visible, a few words for numbers and times."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from coreact.judge.scoring.joint import joint_rubric
from coreact.rubric import Criterion
from coreact.view import charts
from coreact.view.text import shortened, visible

STATIC = files("coreact.view") / "static"
"""Style sheet, script and icon."""


def environment() -> jinja2.Environment:
    """The environment of all pages. Autoescape is on for every template, whatever its name."""
    env = jinja2.Environment(
        loader=jinja2.PackageLoader("coreact.view"),
        autoescape=True,
        finalize=_finalized,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(
        when=when,
        duration=duration,
        score=score,
        percent=percent,
        short=shortened,
        json=as_json,
        anchor=anchor,
        short_lock=short_lock,
        content=content,
    )
    env.globals.update(
        link=link,
        decided=decided,
        sparkline=charts.sparkline,
        bar=charts.bar,
        status_shape=charts.status_shape,
        status_names=charts.STATUS_NAMES,
        joint_rubric=joint_rubric,
    )
    return env


def _finalized(value: object) -> object:
    """What a template prints: text made visible (it is escaped afterwards), markup of ours as it is."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


def link(path: str, fragment: str = "", /, **parameters: Any) -> str:
    """An address of ours with a query: any text may stand in it, since it is percent-encoded.

    Args:
        path: where to.
        fragment: the anchor on that page.
        parameters: the query; None and empty values are left out, a list or tuple is repeated.
    """
    pairs = []
    for name, value in parameters.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if one is not None and one != "":
                written = str(one).encode("utf-8", "surrogatepass")
                pairs.append(f"{name}={quote(written, safe='')}")
    query = "?" + "&".join(pairs) if pairs else ""
    return f"{path}{query}{'#' + fragment if fragment else ''}"


def when(nanoseconds: int | None) -> str:
    """A time in UTC, to the second; `?` where the clock that gave it never was."""
    if nanoseconds is None:
        return "–"
    try:
        return f"{datetime.fromtimestamp(nanoseconds // 10**9, tz=UTC):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        return "?"


def duration(seconds: float) -> str:
    """Seconds as a reader says them."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def score(value: float | None) -> str:
    """A score to two digits; a dash where nothing was judged."""
    return "–" if value is None else f"{value:.2f}"


def percent(value: float | None) -> str:
    """A share in [0, 1] in percent; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.0f} %"


def as_json(value: Any) -> str:
    """A value as indented JSON, to be read."""
    try:
        return json.dumps(value, ensure_ascii=False, indent=2, default=repr)
    except (ValueError, RecursionError):  # an integer of 5000 digits, nesting deeper than the stack
        return repr(type(value).__name__)


def anchor(step: int) -> str:
    """Id of a step's section on its page, counted from 1 as readers do."""
    return f"step-{step + 1}"


def short_lock(lock: str) -> str:
    """The beginning of a rubric's hash, without the name of its scheme."""
    return lock.rpartition(":")[2][:10] or lock[:10]


def content(message: Mapping[str, Any]) -> str:
    """The text of a message as LangChain's `message_to_dict` wrote it, calls of tools included.

    Of another shape, it is shown as JSON, and that is said.
    """
    data = message.get("data")
    if not isinstance(data, Mapping):
        return f"(not a message as LangChain writes one)\n{as_json(message)}"
    said, calls = data.get("content"), data.get("tool_calls") or ()
    parts = [said if isinstance(said, str) else as_json(said)]
    if isinstance(calls, list | tuple):
        parts += [as_json(call) for call in calls]
    else:
        parts.append(f"(tool_calls is no list)\n{as_json(calls)}")
    return "\n".join(part for part in parts if part)


def decided(criterion: Criterion) -> str:
    """Who decides a criterion."""
    return f"code ({_kind(criterion)})" if criterion.check is not None else "a judge"


def _kind(criterion: Criterion) -> str:
    check = criterion.check
    stored = getattr(check, "kind", "")
    return str(stored).replace("_", " ")
