"""Judge a model of a large catalog: time and peak memory of the evaluation, from S3 to verdict.

``python -m bench.evaluate`` makes a run of so many ratings in an emulated S3 (a tenth of them the
test side, a challenger and a champion of rank 64), evaluates it in a process of its own as the
function does, and prints one JSON object as its last line.
"""

import argparse
import json

from bench.emulator import emulator
from bench.processes import figures_of, output_of

_RUN = "bench.evaluate.run"


def main() -> None:
    """Run everything; see the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=25_000_000, help="ratings of the run")
    chosen = parser.parse_args()
    with emulator() as environment:
        output_of(_RUN, "make", str(chosen.rows), environment=environment)
        found = figures_of(_RUN, "evaluate", environment=environment)
    print(json.dumps({"rows": chosen.rows, **found}))


if __name__ == "__main__":
    main()
