"""Rows of figures, as benchmarks print them while they go on."""

import sys
from collections.abc import Mapping


def show(row: Mapping[str, object], method: str) -> None:
    """Print a row: its ``case``, what stands under ``method``, and the figures that there are."""
    figures = [
        f"{name} {value:.4f}" if isinstance(value, float) else f"{name} {value}"
        for name, value in row.items()
        if name not in ("case", method) and value is not None
    ]
    sys.stdout.write(f"{row['case']:14} {row[method]:16} " + "  ".join(figures) + "\n")
    sys.stdout.flush()
