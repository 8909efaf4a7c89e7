"""A run's manifest as a page for people: no scripts, nothing from elsewhere."""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from recommender.ratings.account import sentences

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto }}
table {{ border-collapse: collapse; margin: 1rem 0 }}
td, th {{ border-bottom: 1px solid #ddd; padding: .3rem .8rem; text-align: left }}
td.n {{ text-align: right; font-variant-numeric: tabular-nums }}
</style></head><body>
<h1>{title}</h1>
<p>{summary}</p>
{tables}
</body></html>
"""

_MOST_FILES = 100

_COLUMNS = {
    "ndcg@10": "NDCG@10",
    "hit_rate@10": "hit rate@10",
    "recall@10": "recall@10",
    "map@10": "MAP@10",
    "coverage@10": "coverage@10",
    "novelty@10": "novelty@10, bits",
    "users": "users",
}
"""What is told of a way to make lists."""


def render(record: Mapping[str, object], summary: str) -> bytes:
    """Render a manifest.

    Returns:
        UTF-8 HTML; every value is escaped.
    """
    warnings = record.get("warnings")
    sections: list[tuple[str, object]] = [
        ("Warnings", {"": warnings} if warnings else None),
        (
            "Run",
            {
                key: record[key]
                for key in (
                    *("runId", "execution", "startedAt", "finishedAt"),
                    *("feedback", "feedbackBecause"),
                )
                if key in record
            },
        ),
        ("Serves from", record.get("serves")),
        ("Data", record.get("counts")),
    ]
    for name, files in (("Passed over", "passedOver"), ("Refused before", "refusedFiles")):
        told = record.get(files)
        if isinstance(told, Sequence) and told:
            sections.append((name, {one["key"]: one["reason"] for one in told[:_MOST_FILES]}))
    sections += _reading(record)
    beside = record.get("sideFiles")
    if isinstance(beside, Sequence) and beside:
        sections.append(("Side files", {one["key"]: _joined(one) for one in beside}))
    features = record.get("features")
    if isinstance(features, Sequence) and features:
        sections.append(("Side columns", {_column(one): _made(one) for one in features}))
    evaluation = record.get("evaluation")
    lists = ""
    if isinstance(evaluation, Mapping):
        models = evaluation.get("models")
        if isinstance(models, Mapping):
            sections.append(("Models", {name: _verdict(told) for name, told in models.items()}))
        sections += [
            (f"{name.capitalize()} (like model)", evaluation.get(name))
            for name in ("challenger", "champion", "baseline")
        ]
        lists = _lists(evaluation.get("lists"))
    models = record.get("models")
    if isinstance(models, Mapping):
        sections += [(f"Hyperparameters ({name})", given) for name, given in models.items()]
    sections.append(("Error", record.get("error")))
    tables = "\n".join(_table(name, rows) for name, rows in sections if isinstance(rows, Mapping))
    tables += lists
    title = f"{record['catalog']}: {record['outcome']}"
    page = _PAGE.format(title=escape(title), summary=escape(summary), tables=tables)
    return page.encode("utf-8", "backslashreplace")


def _reading(record: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """How the files were read, and by which settings."""
    scale = record.get("scale")
    if isinstance(scale, Mapping) and "likeThreshold" in scale:
        told = {f"ratings of {scale['likeThreshold']:g} and more": str(scale["because"])}
        yield "What a like is", told
    read = record.get("files")
    if isinstance(read, Sequence) and read:
        each = {one["key"]: sentences(one) for one in read[:_MOST_FILES]}
        yield "How the files were read", each
    changed = record.get("changedSettings")
    if isinstance(changed, Mapping) and changed:
        told = {
            name: f"{json.dumps(one['before'])} before, now {json.dumps(one['now'])}"
            for name, one in changed.items()
        }
        yield "Settings that changed", told


def _joined(told: Mapping[str, object]) -> str:
    """Say how a side file and the ratings come together."""
    column = f"column {told['column']!r}" if told["column"] else "the first column"
    return (
        f"{told['rows']:,} rows; {told['known']:,} of {told['ids']:,} {told['side']}s that have "
        f"ratings ({told['share']:.0%}), by {column}: {told['because']}"
        + (f"; titles of {told['titled']:,} of them" if "titled" in told else "")
    )


def _column(told: Mapping[str, object]) -> str:
    return f"{told['side']} {told['column']}"


def _made(told: Mapping[str, object]) -> str:
    """What was made of a column of a side file."""
    if "none" in told:
        return f"no features: {told['none']}"
    known = f", known of {told['known']:,} that have ratings" if "known" in told else ""
    return f"{told['features']} features ({told['kind']}){known}"


def _verdict(told: Mapping[str, object]) -> str:
    reasons = told.get("reasons")
    sentences = " ".join(map(str, reasons)) if isinstance(reasons, Sequence) else ""
    return f"{told['verdict']}. {sentences}"


def _lists(lists: object) -> str:
    """Ways to make lists, a row each, with their standard errors."""
    if not isinstance(lists, Mapping):
        return ""
    rows = dict(lists["methods"])
    unseen = lists.get("unseen")
    if isinstance(unseen, Mapping):
        rows["unseen users, folded in"] = unseen["folded_in"]
        rows["unseen users, popularity"] = unseen["popularity"]
    head = "".join(f"<th>{escape(label)}</th>" for label in ("lists by", *_COLUMNS.values()))
    body = "".join(
        f"<tr><th>{escape(str(name))}</th>"
        + "".join(f"<td class=n>{escape(_figure(told.get(metric)))}</td>" for metric in _COLUMNS)
        + "</tr>"
        for name, told in rows.items()
    )
    return f"<h2>Lists</h2><table><tr>{head}</tr>{body}</table>"


def _figure(value: object) -> str:
    if isinstance(value, Mapping):
        error = value["standard_error"]
        return f"{value['mean']:.4f}" + ("" if error is None else f" ± {error:.4f}")
    return "" if value is None else _shown(value)


def _table(name: str, rows: Mapping[str, object]) -> str:
    lines = "".join(
        f"<tr><th>{escape(str(key))}</th>{_cell(value)}</tr>"
        for key, value in rows.items()
        if not isinstance(value, dict)
    )
    return f"<h2>{escape(name)}</h2><table>{lines}</table>"


def _cell(value: object) -> str:
    if isinstance(value, list):
        return f"<td>{'<br>'.join(escape(str(line)) for line in value)}</td>"
    return f"<td class=n>{escape(_shown(value))}</td>"


def _shown(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
