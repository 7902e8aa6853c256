"""The review page's server: what people do on the page reaches the store, and nobody else's page can reach it (Starlette).

Every reply is JSON; an error is {"error": "what is wrong and what to do"}. Every call but the page's own files carries
`Authorization: Bearer TOKEN`; the page takes the token out of its address (`/#token=...`) and keeps it for the tab. Texts are exact: JSON
is written in ASCII, so that NUL and lone surrogates arrive as they are. Offsets of findings count code points.

GET  /                                 the page; GET /page/NAME its files (page.js, page.css ...), in annotation/web/page/
GET  /api/me                           {annotator, queue, questions: {version, guidelines, verdicts, languages, reasons, opening, closing},
                                       progress: {mine: {pending, draft, submitted, discarded, seconds}, all: {items, done}}}
GET  /api/next?FILTERS&after=ITEM      SHOWN, or {item: null}: the next one pending for me in the queue's order, behind `after` if given
                                       (then round from the front); mine_left counts those pending for me under the same filters
GET  /api/items?FILTERS&status=&offset=&limit=   {rows, total, facets}; rows: {item_id, row_id, rank, why, domain, language, standing,
                                       prompt (its beginning), characters, answers, wanted, mine}; status and mine are pending |
                                       draft | submitted | discarded | done (others did it); total counts all that match; limit is
                                       500 at most;
                                       facets: {why: {unjudged: 12, ...}, domain: ..., language: ..., standing: ..., mine: ...} of all items
GET  /api/items/ITEM                   SHOWN
PUT  /api/items/ITEM/draft             {values, version, seconds} -> {version, saved_at}; version is the one this tab saw last, seconds
                                       all time spent on the item so far
POST /api/items/ITEM/answer            {status: submitted | discarded, values, version, seconds} -> {saved_at, version, current,
                                       next_after};
                                       422 {error, problems: [...]} where it can not be used (annotation.answer.problems_of)
     both: 409 {error, theirs: {values, version, seconds, at, status}} where another tab has saved since: what was sent is kept in the
     history all the same; to put it in place of theirs, send it again with theirs.version
POST /api/latex                        {formulas: [[source, display], ...]} -> {formulas: [{mathml} or {error}, ...]}, 500 at most; display:
                                       on a line of its own. MathML of known elements and attributes only, well-formed XML
GET  /api/summary                      {progress: {items, done}, annotators: {name: {answers, seconds, median_seconds, per_hour, verdicts:
                                       {keep, fix, discard}}}, agreement: [...], filter_errors: [...]}

FILTERS: why, domain, language, standing: one value each, all must hold; an empty one is none.
SHOWN: {item: all fields of annotation.item.Item and item_id, draft: {values, version, seconds, at} or null,
answer: {status, values, seconds, at, guideline, via, problems} (mine) or null, version (send it back with the next save),
current (false where the row's text has changed since), others: [names at work on it now], mine_left}. values as in
annotation.answer.Answer.values. Statuses: 400 no JSON, 401 no token or a revoked one, 403 from another site's page, 404, 405, 409,
413 body over 16 MB, 415 not declared as JSON, 422; 503 the store is busy or its disk fails, 507 disk full: the page tries again by itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from annotation.sqlite.annotators import Annotators
from annotation.sqlite.drafts import Conflict
from annotation.sqlite.store import Store
from annotation.web.asked import Asked, Refusal, parsed
from annotation.web.desk import Desk
from annotation.web.guard import DRAINED, LARGEST, Guard
from dataengine.errors import DiskFull, Stopped
from dataengine.progress import say

PAGE = Path(__file__).parent / "page"


def review_app(store: Store, *, queue: str, folder: Path | None = None, hosts: Sequence[str] = ()) -> Starlette:
    """The page and its calls for one store; `folder` is the queue's, for what the summary says of its filters.

    `hosts` are names that it answers to beside loopback ("*": every bare IP address as well).
    """
    desk, annotators = Desk(store, queue=queue, folder=folder), Annotators(store.database)

    def call(path: str, method: str, work: Callable[[Asked], Any]) -> Route:
        async def endpoint(request: Request) -> Response:
            name = await run_in_threadpool(annotators.who, _token(request))
            if name is None:
                raise Refusal(401, "this link is not good (any more): ask whoever started the review for a new one")
            try:
                body = await _body(request) if method != "GET" else {}
            except ClientDisconnect:  # a page that was closed while it sent: nobody is there to be told
                return Response(status_code=400)
            item_id = request.path_params.get("item_id", "")
            asked = Asked(annotator=name, item_id=item_id, query=request.query_params, body=body)
            return await run_in_threadpool(lambda: _reply(work(asked)))  # a thread for each: nobody waits for anybody

        return Route(path, endpoint, methods=[method])

    @asynccontextmanager
    async def alive(_: Starlette) -> AsyncIterator[None]:
        yield
        desk.formulas.close()

    errors = (HTTPException, Refusal, ValueError, DiskFull, Stopped, Exception)
    return Starlette(
        routes=[
            Route("/", _page, methods=["GET"]),
            call("/api/me", "GET", desk.me),
            call("/api/next", "GET", desk.next),
            call("/api/items", "GET", desk.items),
            call("/api/items/{item_id}", "GET", desk.item),
            call("/api/items/{item_id}/draft", "PUT", desk.draft),
            call("/api/items/{item_id}/answer", "POST", desk.answer),
            call("/api/latex", "POST", desk.latex),
            call("/api/summary", "GET", desk.summary),
            Mount("/page", StaticFiles(directory=PAGE, check_dir=False)),
        ],
        middleware=[Middleware(Guard, hosts=hosts)],
        exception_handlers=dict.fromkeys(errors, _told),
        lifespan=alive,
    )


def _page(_: Request) -> Response:
    return FileResponse(PAGE / "index.html")


def _told(_: Request, error: Exception) -> Response:
    """Every error as JSON; one that is none of ours is told to the terminal by the server."""
    match error:
        case HTTPException():
            return _reply({"error": error.detail}, error.status_code)
        case Refusal():
            return _reply({"error": str(error), **error.more}, error.status)
        case Conflict():
            theirs = {name: getattr(error.theirs, name) for name in ("version", "seconds", "at")}
            return _reply({"error": str(error), "theirs": {**theirs, "values": error.theirs.values or {}, "status": error.status}}, 409)
        case ValueError():
            return _reply({"error": str(error)}, 422)
        case DiskFull() | Stopped():
            say(f"not saved: {error}")
            return _reply({"error": str(error)}, 507 if isinstance(error, DiskFull) else 503)
        case _:
            return _reply({"error": "the server failed; its terminal says more, and what was saved is kept"}, 500)


def _token(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


async def _body(request: Request) -> Mapping[str, Any]:
    """The object that was sent; what is too large is read to its end all the same, so that the client hears why."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "send JSON, with the header Content-Type: application/json")
    size, parts = 0, []
    async for part in request.stream():
        size += len(part)
        if size > DRAINED:
            break
        if size <= LARGEST:
            parts.append(part)
    if size > LARGEST:
        raise Refusal(413, f"this is larger than {LARGEST >> 20} MB: shorten the text; nothing of it was saved")
    return await run_in_threadpool(parsed, b"".join(parts))


def _reply(value: Any, status: int = 200) -> Response:
    try:
        body = json.dumps(value, allow_nan=False)
    except ValueError:  # a scorer's value in the metadata may be no number, and JSON has no word for it
        body = json.dumps(_finite(value))
    return Response(body.encode("ascii"), status, media_type="application/json")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
