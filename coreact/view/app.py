"""The viewer's pages as a starlette application: addresses to pages, errors to pages, one form.

Each handler reads what its page needs, in a worker thread, through the store's read-only connections. What
a page says is prepared in the module of its name; how it looks stands in its template.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from coreact.errors import ConfigError, CoReActError, RunNotFoundError, UserError
from coreact.judge.scoring.lookup import look_up
from coreact.trace import SQLiteTraceStore, Trajectory
from coreact.trace.diff import diff
from coreact.trace.export import FORMATS
from coreact.view import review
from coreact.view.charts import heat_map, score_chart
from coreact.view.exporting import export_command, formats, samples
from coreact.view.listing import FACETS_OF, FIELDS, facets, filter_of, page_of, whole_lock
from coreact.view.recent import RecentRuns
from coreact.view.rendering import environment, link
from coreact.view.rubrics import rubric_use
from coreact.view.security import SecurityHeaders, ours
from coreact.view.timeline import Timeline

T = TypeVar("T")

WINDOW = 20
"""Steps of a run page that are sent whole; of the others a line, and the rest when it is asked for."""

USES = 200
"""Steps that a rubric's page lists."""

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Hosts that only this machine has."""


def create_app(store: SQLiteTraceStore, *, reviewer: str, hosts: tuple[str, ...] = LOOPBACK) -> Starlette:
    """The viewer of one store.

    Args:
        store: the store; the application does not close it.
        reviewer: name under which judgements by the person at the keyboard are stored.
        hosts: values of the `Host` header that are served.
    """
    viewer = _Viewer(store, reviewer)
    return Starlette(
        routes=[
            Route("/", viewer.runs),
            Route("/run", viewer.run),
            Route("/step", viewer.step),
            Route("/prompt", viewer.prompt),
            Route("/compare", viewer.compare),
            Route("/rubrics", viewer.rubrics),
            Route("/rubric", viewer.rubric),
            Route("/review", viewer.review),
            Route("/review", viewer.judge, methods=["POST"]),
            Route("/export", viewer.export),
            Mount("/static", StaticFiles(packages=[("coreact.view", "static")]), name="static"),
        ],
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False),
        ],
        exception_handlers={CoReActError: viewer.failed, HTTPException: viewer.no_page},
    )


class _Viewer:
    """The handlers, with what they share."""

    def __init__(self, store: SQLiteTraceStore, reviewer: str) -> None:
        self._store = store
        self._recent = RecentRuns(store)
        self._items = review.KeptItems(store)
        self._reviewer = reviewer
        self._token = secrets.token_urlsafe(32)
        self._templates = environment()
        self._templates.globals.update(live=True, store_path=str(store.path), reviewer=reviewer)

    def _page(self, template: str, /, status: int = 200, **values: Any) -> HTMLResponse:
        return HTMLResponse(self._templates.get_template(template).render(values), status_code=status)

    # --- looking ----------------------------------------------------------------------------

    def runs(self, request: Request) -> Response:
        """The list."""
        where = filter_of(request.query_params)
        after = request.query_params.get("after", "")
        page = page_of(
            self._store,
            where,
            after=after,
            after_ns=_number(request, "after_ns", least=None) if after else None,
        )
        return self._page(
            "runs.html",
            page=page,
            scores={one.id: self._store.scores(one.id) for one in page.runs},
            facets=facets(self._store),
            facets_of=FACETS_OF,
            given=_given(request),
            first=not after,
        )

    def run(self, request: Request) -> Response:
        """One run."""
        timeline = self._timeline(request)
        whole = timeline.trajectory
        wanted = _number(request, "from", default=1) - 1  # a fork begins later, so steps are not positions
        steps = [line.step for line in timeline.lines]
        start = next((at for at, step in enumerate(steps) if step >= wanted), len(steps))
        return self._page(
            "run.html",
            timeline=timeline,
            run=whole.run,
            end=whole.end,
            start=start,
            window=WINDOW,
            chart=score_chart(timeline),
            heat=heat_map(timeline),
        )

    def step(self, request: Request) -> Response:
        """One step of a run, as a part of its page."""
        timeline = self._timeline(request)
        step = _at(timeline.trajectory, _number(request, "step"), timeline.step)
        return self._page("step.html", run=timeline.trajectory.run, step=step)

    def prompt(self, request: Request) -> Response:
        """The whole prompt of a step: a page, or a part of one where the script asks."""
        whole = self._timeline(request).trajectory
        number = _number(request, "step")
        messages = _at(whole, number, whole.prompt)
        record = next(step for step in whole.steps if step.index == number - 1)
        return self._page(
            "prompt_part.html" if request.query_params.get("part") else "prompt.html",
            run=whole.run,
            step=record,
            messages=messages,
            tools=whole.tools(number - 1),
        )

    def compare(self, request: Request) -> Response:
        """Several runs side by side."""
        ids = [one for one in request.query_params.getlist("run") if one.strip()]
        if len(ids) < 2:
            return self._page("compare.html", difference=None, chosen=ids)
        wholes = [self._store.trajectory(one.strip()) for one in ids]
        with _messages_read():
            difference = diff(wholes[0], *wholes[1:])
        return self._page("compare.html", difference=difference, chosen=ids)

    def rubrics(self, request: Request) -> Response:
        """The rubrics of the newest runs."""
        return self._page("rubrics.html", rubrics=facets(self._store).rubrics, facets_of=FACETS_OF)

    def rubric(self, request: Request) -> Response:
        """One rubric wherever it was used."""
        lock = request.query_params.get("lock", "")
        use = rubric_use(self._store, whole_lock(lock)) if lock else None
        if use is None:
            return self._page(
                "error.html",
                404,
                title="No such rubric",
                what=f"No stored step was guided by a rubric with the lock {lock!r}.",
                remedy="The page `Rubrics` lists those of the newest runs.",
            )
        return self._page("rubric.html", use=use, shown=USES)

    def export(self, request: Request) -> Response:
        """The command that exports the runs of the list, and a few rows of it."""
        where = filter_of(request.query_params)
        chosen = look_up(FORMATS, request.query_params.get("format") or "dpo", what="export format").name
        with _messages_read():
            rows = samples(self._store, where, chosen)
        return self._page(
            "export.html",
            given=_given(request),
            formats=formats(),
            chosen=chosen,
            command=export_command(self._store.path, chosen, _given(request)),
            samples=rows,
        )

    # --- judging ----------------------------------------------------------------------------

    def review(self, request: Request) -> Response:
        """The queue and its first item, or the item that is asked for."""
        waiting = review.queue(self._store, filter_of(request.query_params), kept=self._items)
        if request.query_params.get("id"):
            item = review.item_at(self._timeline(request).trajectory, *_place(request))
        elif waiting:
            item = waiting[0]
        else:
            return self._page("review.html", item=None, waiting=[], given=_given(request))
        timeline = self._recent.timeline(item.run)
        whole = timeline.trajectory
        return self._page(
            "review.html",
            item=item,
            waiting=waiting,
            position=review.position(waiting, item),
            given=_given(request),
            step=timeline.step(item.step),
            before=[seen for seen in whole.observations if seen.step < item.step][-3:],
            statuses=review.STATUSES,
            token=self._token,
            saved=request.query_params.get("saved"),
        )

    async def judge(self, request: Request) -> Response:
        """Store one judgement by the reviewer."""
        values = await _form(request)
        if not ours(request, token=self._token, given=values.get("token", "")):
            return self._page(
                "error.html",
                403,
                title="Not accepted",
                what="This form was not sent by a page of this viewer, or the viewer was started again.",
                remedy="Open the review page again and send it from there. Nothing was saved.",
            )
        return await run_in_threadpool(self._judged, request, values)

    def _judged(self, request: Request, values: dict[str, str]) -> Response:
        whole = self._store.trajectory(values.get("id", ""))
        item = review.item_at(whole, *(_whole_number(values.get(name), name) for name in _PLACE))
        selected = {name: values[name] for name in FIELDS if values.get(name)}
        if values.get("digest") != item.digest:
            place = {name: values[name] for name in ("id", *_PLACE)}
            return self._page(
                "error.html",
                409,
                title="It has changed",
                what="This step was decided again while you looked at it; nothing was saved.",
                remedy="Look again: what you judged is no longer what is stored.",
                again=link("/review", **place, **selected),
            )
        record = review.human_judgement(
            item,
            reviewer=self._reviewer,
            statuses={
                verdict.criterion: values.get(f"verdict-{at}", "")
                for at, verdict in enumerate(item.judgement.verdicts)
            },
            note=values.get("note", ""),
            accept=values.get("decision") == "accept",
        )
        self._store.judgement(record)
        self._store.flush()
        return RedirectResponse(link("/review", saved=record.id, **selected), status_code=303)

    # --- what goes wrong --------------------------------------------------------------------

    def failed(self, request: Request, error: Exception) -> Response:
        """An error of our own tree as a page with its remedy."""
        if not isinstance(error, CoReActError):
            raise error
        missing = isinstance(error, RunNotFoundError)
        status = 404 if missing else 400 if isinstance(error, UserError) else 503
        title = "No such run" if missing else "That does not work" if status == 400 else "Store trouble"
        return self._page("error.html", status, title=title, what=error.what, remedy=error.remedy)

    def no_page(self, request: Request, error: Exception) -> Response:
        """A page that is not there, or a method that it does not take."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        return self._page(
            "error.html",
            status,
            title="No such page" if status == 404 else "That does not work",
            what=f"There is nothing at {request.url.path}."
            if status == 404
            else str(getattr(error, "detail", error)),
            remedy="Begin with the list of runs.",
        )

    def _timeline(self, request: Request) -> Timeline:
        return self._recent.timeline(request.query_params.get("id", ""))


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form, as browsers send one without files.

    Raises:
        ConfigError: it is longer than any form of ours.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_FORM:
            raise ConfigError("The form is too long; nothing was saved.", remedy="Shorten the reason.")
    return dict(parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True))


_LONGEST_FORM = 2**18
_PLACE = ("step", "attempt", "action")


@contextmanager
def _messages_read() -> Iterator[None]:
    """Messages are kept as whoever wrote them shaped them; where one cannot be read, the page says so."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ConfigError(
            "A message of these runs has not the shape that LangChain writes"
            f" ({type(error).__name__}: {error}).",
            remedy="Leave that run out; `Raw prompt` of its steps shows what stands in it.",
        ) from error


def _given(request: Request) -> dict[str, str]:
    return {name: request.query_params.get(name, "").strip() for name in FIELDS}


def _place(request: Request) -> tuple[int, int, int]:
    step, attempt, action = (_whole_number(request.query_params.get(name), name) for name in _PLACE)
    return step, attempt, action


def _number(request: Request, name: str, *, default: int | None = None, least: int | None = 1) -> int:
    given = request.query_params.get(name)
    if given is None and default is not None:
        return default
    return _whole_number(given, name, offset=0, least=least)


def _whole_number(given: str | None, name: str, *, offset: int = 1, least: int | None = 1) -> int:
    """A number counted from 1 in addresses, less `offset`."""
    digits = (given or "").strip()
    if not digits.removeprefix("-").isdecimal() or len(digits) > 20:
        raise ConfigError(f"The parameter `{name}` is {digits[:40]!r}, no number.", remedy="Count from 1.")
    if least is not None and int(digits) < least:
        raise ConfigError(f"The parameter `{name}` is {digits}.", remedy="Count from 1.")
    return int(digits) - offset


def _at(whole: Trajectory, number: int, find: Callable[[int], T]) -> T:
    try:
        return find(number - 1)
    except IndexError:
        raise RunNotFoundError(
            f"{whole.run.id}@{number}", remedy=f"The run has {len(whole.steps)} steps, counted from 1."
        ) from None
