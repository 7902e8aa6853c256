"""Every column we write: its name, its type and what it means."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))


@dataclass(frozen=True)
class Column:
    """One column; scorers add a struct column {value, reason} named after themselves."""

    name: str
    dtype: pl.DataType | type[pl.DataType]
    meaning: str


PROBLEM = (
    Column("prompt_id", pl.String, "content hash of the messages; the same question has the same id in every source"),
    Column("messages", MESSAGES, "what the model is asked: a list of {role, content}"),
    Column("answer", pl.String, "the reference answer; null where there is none"),
    Column("domain", pl.String, "math | code | stem | logic | general"),
    Column("language", pl.String, "language of the question, as an ISO 639-1 code; null where nobody said"),
    Column("source", pl.String, "where the row comes from: file, dataset or task"),
    Column("source_row", pl.Int64, "which row of the source, from 0; of JSON lines, the line's number less one"),
    Column("license", pl.String, "licence of the source; null where nobody said"),
    Column("checks", pl.String, "test cases and the like, as JSON"),
)

RESPONSE = (
    Column("row_id", pl.String, "content hash of prompt_id, model_revision, sampling, sample and response"),
    Column("sample", pl.Int32, "number of this response among those to the same prompt, from 0"),
    Column("prompt", pl.String, "the rendered prompt text that the model continued"),
    Column("response", pl.String, "the whole text, prefilled beginning included; null where the prompt did not fit"),
    Column("reasoning", pl.String, "the thoughts; null where they are not closed or not there"),
    Column("summary", pl.String, "what follows the thoughts: R1's summary, or R1-Zero's answer"),
    Column("finish_reason", pl.String, "stop | length | prompt_too_long | refused"),
    Column("prompt_tokens", pl.Int32, "tokens of the prompt"),
    Column("response_tokens", pl.Int32, "tokens generated; what a refinement or a person writes afterwards is not counted anew"),
    Column("model", pl.String, "name of the model that answered"),
    Column("model_revision", pl.String, "content hash of its weights; null of a recording"),
    Column("sampling", pl.String, "how tokens were drawn, as JSON"),
    Column("engine", pl.String, "the program that decoded, with its version"),
    Column("seed", pl.Int64, "seed of this very response; null of a recording"),
)

REJECTION = (
    Column("dropped_by", pl.String, "the step or scorer that dropped the row"),
    Column("dropped_because", pl.String, "its reason"),
)

ONCE_DROPPED = (
    Column("once_dropped_by", pl.String, "the step or scorer that dropped the row before it was taken up again; null where nobody did"),
    Column("once_dropped_because", pl.String, "its reason"),
)

SAMPLED = (
    Column("accepted", pl.Boolean, "whether the response passed every bar; null where it could not be judged, or was cut off"),
    Column("cap", pl.Int32, "tokens at which it was cut, where that was below the sampling's max_tokens; null otherwise"),
    Column("pass_rate", pl.Float32, "estimated share of right responses to this prompt; null where none was judged"),
    Column("pass_low", pl.Float32, "lower end of its 95 % interval"),
    Column("pass_high", pl.Float32, "upper end of its 95 % interval"),
    Column("judged", pl.Int32, "responses to this prompt that were found right or wrong"),
)

ASKED = (
    Column("prompt_id", pl.String, "the prompt, in the problems' order; every one has its row, asked or not"),
    Column("asked", pl.Int32, "responses to it"),
    Column("right", pl.Int32, "of these, passed every bar"),
    Column("wrong", pl.Int32, "failed one"),
    Column("truncated", pl.Int32, "were cut off: neither right nor wrong"),
    Column("unjudged", pl.Int32, "could not be judged, or were not answered"),
    Column("picked", pl.Int32, "are in the main folder"),
    Column("tokens", pl.Int64, "generated for it"),
    Column("pass_rate", pl.Float32, "see above"),
    Column("pass_low", pl.Float32, "see above"),
    Column("pass_high", pl.Float32, "see above"),
    Column("decided", pl.String, "why no more was asked: enough | given up: ... | at most | budget spent | quota met"),
)

DUPLICATE = (
    Column("like", pl.String, "row_id (of a prompt: prompt_id) of the row that stays and that this one is like"),
    Column("similarity", pl.Float32, "their share of common five-word shingles, estimated; 1 for the same words"),
)

CONTAMINATION = (
    Column("row", pl.UInt32, "number of the row in the shard of the same name, from 0"),
    Column("row_id", pl.String, "the row's id; null where rows have none"),
    Column("prompt_id", pl.String, "the row's prompt"),
    Column("column", pl.String, "where the words were found"),
    Column("kind", pl.String, "exact: words in a row; fuzzy: the question resembles the prompt but for numbers and names"),
    Column("set", pl.String, "evaluation set"),
    Column("problem", pl.String, "id of the problem in its set"),
    Column("part", pl.String, "question | solution"),
    Column("start", pl.Int32, "the longest run is text[start:stop], in characters; null where fuzzy"),
    Column("stop", pl.Int32, "see start"),
    Column("words", pl.Int32, "words of the longest run; null where fuzzy"),
    Column("score", pl.Float32, "share of the question's masked shingles; null where exact"),
    Column("text", pl.String, "the words found, or how the prompt begins where fuzzy"),
)

COUNTED = (Column("tokens", pl.Int32, "tokens of prompt and response as the student trains on them, by its own tokenizer"),)

MIXED = (
    Column("part", pl.String, "which part of the mix the row came from"),
    Column("bucket", pl.String, "the quota it was counted in"),
)

REFINED = (
    Column(
        "refined",
        pl.List(
            pl.Struct(
                {"refinement": pl.String, "did": pl.String, "why": pl.String, "by": pl.String, "sample": pl.Int32, "before": pl.String}
            )
        ),
        "what refinements by a model did, in their order: done | left | unanswered | not needed, why, the model and its sample, "
        "and the response before where it was changed",
    ),
)

SHOWN = (
    Column("bare_messages", MESSAGES, "the question itself, while `messages` holds a whole prompt; `in_form` puts it back"),
    Column("examples", pl.List(pl.String), "names of the worked examples in the prompt, the closest one last"),
)

FORMED = (
    Column("source_kind", pl.String, "few_shot | direct | zero: how the response was asked for"),
    Column("raw_response", pl.String, "the response as the model wrote it, before it was brought into the one form"),
)

QUEUED = (
    Column("item_id", pl.String, "content hash of the row and of all text that a person judges; null where nobody is asked"),
    Column("why", pl.String, "why a person is asked: unjudged | disagreement | kept | rejected; null where nobody is"),
    Column("rank", pl.Int32, "place in the queue, from 0"),
    Column("wanted", pl.Int32, "annotators who must answer"),
    Column("standing", pl.String, "what the bars say of the row: kept | rejected | unjudged"),
    Column("disagrees", pl.String, "scorers that measure the same and do not agree, and what each says; null where they do"),
    Column(
        "findings",
        pl.List(pl.Struct({"field": pl.String, "start": pl.Int32, "stop": pl.Int32, "scorer": pl.String, "note": pl.String})),
        "what scorers point at: text[start:stop] of reasoning or summary, in code points; null where nobody is asked",
    ),
)

REVIEWED = (
    Column(
        "human", pl.Struct({"value": pl.Float32, "reason": pl.String}), "what people said: 1 keep or fix, 0 discard; null: nobody was asked"
    ),
    Column("reviewed_by", pl.List(pl.String), "who answered; `auto` where a rule stands for people"),
    Column("guideline", pl.String, "version of the questions and guidelines they answered by"),
    Column("seconds", pl.Float32, "time people spent on the row; null where no tool measured it"),
    Column("readability", pl.Float32, "mean of their 1 to 5"),
    Column("raw_response", pl.String, "the rollout as the model wrote it, before it was refined and people edited it; null: as `response`"),
    Column(
        "edits",
        pl.String,
        "what they edited in the texts they saw, refined ones (not in `raw_response`): JSON list of {field, start, stop, text, was}: "
        "was = seen[start:stop] became text, from the back to the front",
    ),
    Column("answers", pl.String, "every answer that counted, as JSON"),
)


def schema(columns: tuple[Column, ...]) -> dict[str, pl.DataType | type[pl.DataType]]:
    """Names and types, for building frames."""
    return {column.name: column.dtype for column in columns}
