"""The encoding function itself on MovieLens-100K, warm, against an S3 in another process.

``python -m bench.encode.handler`` prints one JSON object: seconds of the first call, and the
median, the least and the most of the calls after it in the same process, as Lambda makes them while
a container lives. S3 and DynamoDB are an emulator on loopback, so their time is in the figure, but
neither a network nor Lambda's own overhead.
"""

import argparse
import json
import os
import time
from pathlib import Path
from statistics import median
from types import SimpleNamespace

from bench.emulator import emulator
from bench.processes import figures_of
from local.client.movielens import obtain

DATA = Path("build/data/ml-100k")
CATALOG = "movielens"


def time_calls(repeats: int) -> dict[str, object]:
    """Call the handler again and again; the same files are encoded anew each time."""
    from testbed import template
    from testbed.storage import make_storage

    os.environ.update(template.environment("EncodeRatings"))
    os.environ["POWERTOOLS_LOG_LEVEL"] = "CRITICAL"
    os.environ["POWERTOOLS_METRICS_DISABLED"] = "true"
    begun = time.perf_counter()
    from recommender.aws import leases
    from recommender.aws.clients import dynamodb, s3

    from functions.encode_ratings import app

    imported = time.perf_counter() - begun
    ratings, table = os.environ["RATINGS_BUCKET"], os.environ["STATE_TABLE"]
    make_storage(s3(), dynamodb(), ratings, os.environ["ARTIFACTS_BUCKET"], table)
    for key, name in (
        (f"ratings/{CATALOG}/ua.base", "ua.base"),
        (f"ratings/{CATALOG}/test/ua.test", "ua.test"),
        (f"catalogs/{CATALOG}/items.item", "u.item"),
    ):
        s3().put_object(Bucket=ratings, Key=key, Body=(DATA / name).read_bytes())
    event = {"catalog": CATALOG, "execution": leases.take(table, leases.read(table, CATALOG))}
    context = SimpleNamespace(
        function_name="encode",
        memory_limit_in_mb=3008,
        invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:encode",
        aws_request_id="1",
    )
    seconds = []
    for _ in range(1 + repeats):
        begun = time.perf_counter()
        answer = app.lambda_handler(event, context)
        seconds.append(time.perf_counter() - begun)
        if answer["outcome"] != "encoded" or answer["counts"]["train_rows"] != 90_570:
            raise SystemExit(f"this is no encoding of MovieLens-100K: {answer}")
    first, *warm = seconds
    return {
        "handler_ml100k_s": round(median(warm), 3),
        "least_s": round(min(warm), 3),
        "most_s": round(max(warm), 3),
        "first_s": round(first, 3),
        "import_s": round(imported, 3),
    }


def measure(repeats: int) -> dict[str, object]:
    """Call it in a fresh process, beside an emulator of its own."""
    obtain(DATA)
    with emulator() as environment:
        return figures_of(
            "bench.encode.handler", "--measure", str(repeats), environment=environment
        )


def main() -> None:
    """Run everything; see the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=15, help="warm calls")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    figures = time_calls(chosen.measure) if chosen.measure else measure(chosen.repeats)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
