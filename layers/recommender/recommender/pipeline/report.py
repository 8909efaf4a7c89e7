"""A run's manifest as a page for people: no scripts, nothing from elsewhere."""

from collections.abc import Mapping, Sequence
from html import escape

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


def render(record: Mapping[str, object], summary: str) -> bytes:
    """Render a manifest.

    Returns:
        UTF-8 HTML; every value is escaped.
    """
    sections: list[tuple[str, object]] = [
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
        ("Data", record.get("counts")),
    ]
    features = record.get("features")
    if isinstance(features, Sequence) and features:
        sections.append(("Side columns", {_column(one): _made(one) for one in features}))
    evaluation = record.get("evaluation")
    if isinstance(evaluation, Mapping):
        sections += [
            (name.capitalize(), evaluation.get(name))
            for name in ("challenger", "champion", "baseline", "ranking", "popularity")
        ]
    sections += [("Hyperparameters", record.get("hyperparameters")), ("Error", record.get("error"))]
    tables = "\n".join(_table(name, rows) for name, rows in sections if isinstance(rows, Mapping))
    title = f"{record['catalog']}: {record['outcome']}"
    page = _PAGE.format(title=escape(title), summary=escape(summary), tables=tables)
    return page.encode("utf-8", "backslashreplace")


def _column(told: Mapping[str, object]) -> str:
    return f"{told['side']} {told['column']}"


def _made(told: Mapping[str, object]) -> str:
    """What was made of a column of a side file."""
    if "none" in told:
        return f"no features: {told['none']}"
    return f"{told['features']} features ({told['kind']})"


def _table(name: str, rows: Mapping[str, object]) -> str:
    lines = "".join(
        f"<tr><th>{escape(str(key))}</th><td class=n>{escape(_shown(value))}</td></tr>"
        for key, value in rows.items()
        if not isinstance(value, (list, dict))
    )
    return f"<h2>{escape(name)}</h2><table>{lines}</table>"


def _shown(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
