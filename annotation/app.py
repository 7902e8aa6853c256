"""The review page's server: what people do on the page reaches the store, and nobody else's page can reach it (Starlette).

Every reply is JSON; an error is {"error": "what is wrong and what to do"}. Every call but the page's own files carries
`Authorization: Bearer TOKEN`; the page takes the token out of its address (`/#token=...`) and keeps it for the tab. Texts are exact: JSON
is written in ASCII, so that NUL and lone surrogates arrive as they are. Offsets of findings count code points.

GET  /                                 the page; GET /page/NAME its files (page.js, page.css ...), in annotation/page/
GET  /api/me                           {annotator, queue, questions: {version, guidelines, verdicts, languages, reasons, opening, closing},
                                       progress: {mine: {pending, draft, submitted, discarded, seconds}, all: {items, done}}}
GET  /api/next?FILTERS&after=ITEM      SHOWN, or {item: null}: the next one pending for me in the queue's order, behind `after` if given
                                       (then round from the front); mine_left counts those pending for me under the same filters
GET  /api/items?FILTERS&status=&offset=&limit=   {rows, total, facets}; rows: {item_id, row_id, rank, why, domain, language, standing,
                                       prompt (its beginning), characters, answers, wanted, mine}; status and mine are
                                       pending | draft | submitted | discarded; total counts all that match; limit is 500 at most;
                                       facets: {why: {unjudged: 12, ...}, domain: ..., language: ..., standing: ..., mine: ...} of all items
GET  /api/items/ITEM                   SHOWN
PUT  /api/items/ITEM/draft             {values, version, seconds} -> {version, saved_at}; version is the one this tab saw last
POST /api/items/ITEM/answer            {status: submitted | discarded, values, version, seconds} -> {saved_at, version, next_after};
                                       422 {error, problems: [...]} where it can not be used (annotation.answer.problems_of)
     both: 409 {error, theirs: {values, version, seconds, at, status}} where another tab has saved since: what was sent is kept in the
     history all the same; to put it in place of theirs, send it again with theirs.version
POST /api/latex                        {source, display: false} -> {mathml}; 422 {error} where the source is none
GET  /api/summary                      {progress, annotators: {name: {submitted, discarded, draft, seconds, median_seconds, per_hour}},
                                       verdicts: {name: {keep, fix, discard}}, agreement: [...], filter_errors: [...]}

FILTERS: why, domain, language, standing: one value each, all must hold; an empty one is none.
SHOWN: {item: all fields of annotation.item.Item and item_id, draft: {values, version, seconds, at} or null,
answer: {status, values, seconds, at, guideline, via} (mine) or null, version (send it back with the next save), current (false where the
row's text has changed since), others: [names at work on it now], mine_left}. values as in annotation.answer.Answer.values.
Statuses: 401 no token or a revoked one, 403 from another site's page, 404, 405, 413 body over 16 MB, 415 not JSON, 422.
"""
