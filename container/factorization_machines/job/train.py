"""Run one training job: ``python -m factorization_machines train``.

Environment: ``OPT_ML`` (default ``/opt/ml``) and ``MATINEE_RUN_AS``, the account that trains when
root starts the job, as SageMaker does.

Exit status: 0 with a model written; 1 with the reason in ``output/failure``; 143 when SIGTERM
stopped it first, with neither (nobody needs a reason for what they asked for): see ``stopping``.
"""

import json
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from recommender.errors import InvalidHyperparametersError, RecommenderError
from recommender.hyperparameters.parsing import parse_hyperparameters
from recommender.hyperparameters.settings import Hyperparameters
from recommender.model.artifact import write_model_zip
from recommender.model.machine import predict

from factorization_machines.errors import UnsupportedJobError
from factorization_machines.fitted import Fitted
from factorization_machines.job.channels import (
    TEST,
    TRAIN,
    LabelledRows,
    channels_of_job,
    read_channel,
)
from factorization_machines.job.journal import Journal, log_to_stdout
from factorization_machines.process.account import account_of, leave_root
from factorization_machines.process.paths import CURVE_FILE, MODEL_FILE, Paths
from factorization_machines.process.stopping import no_stop
from factorization_machines.solve import as_likes, solve

_logger = logging.getLogger("factorization_machines")

# SageMaker shows this much of output/failure as the job's FailureReason.
_REASON_CHARACTERS = 1024


def main() -> int:
    """Train as the files below ``OPT_ML`` say.

    Returns:
        The exit status.
    """
    paths = Paths.from_environ()
    log_to_stdout()
    try:
        leave_root(
            account_of(os.environ),
            readable=[paths.input],
            writable=[paths.model, paths.failure.parent],
        )
        train(paths)
    except RecommenderError as error:
        return _fail(paths, f"ClientError: {error}")
    except MemoryError as error:
        _logger.exception("out of memory")
        return _fail(
            paths,
            "ClientError: the instance has too little memory for these data, feature_dim and "
            f"num_factors ({error or 'out of memory'})",
        )
    except Exception as error:
        # The outermost frame: whatever is left is ours to explain, with its traceback in the log.
        _logger.exception("unexpected failure")
        return _fail(paths, f"InternalServerError: {type(error).__name__}: {error}")
    return 0


def train(paths: Paths) -> None:
    """Read the job, fit, test, and write the model.

    Args:
        paths: the shared folders.

    Raises:
        RecommenderError: the job cannot be done as asked.
    """
    began = time.monotonic()
    host = _this_host(_read_object(paths.resource_config))
    if not paths.hyperparameters.is_file():
        raise InvalidHyperparametersError([f"{paths.hyperparameters.name} is missing"])
    settings = parse_hyperparameters(_read_object(paths.hyperparameters))
    journal = Journal(host, classifies=settings.classifies)
    journal.say(f"hyperparameters: {json.dumps(settings.as_strings(), sort_keys=True)}")

    names = channels_of_job(paths, _read_object(paths.input_data_config))
    data: dict[str, LabelledRows] = {}
    for name in names:
        data[name] = read_channel(paths.channel(name), name, settings)
        rows = data[name].rows
        journal.say(f"channel {name}: {len(rows)} rows, {rows.columns.size} non-zero features")

    fitted = solve(data[TRAIN].rows, data[TRAIN].labels, settings, journal.epoch_ended, journal.say)
    machine, link = fitted.machine, fitted.like_link
    if link is not None:
        journal.say(f"log-odds of a like are {link.scale:.6g} * rating + {link.shift:.6g}")
        machine = replace(machine, like_link=link)
    if TEST in data:
        _test(data[TEST], fitted, settings, journal)
    model = write_model_zip(machine, {**settings.as_strings(), **fitted.chosen})
    with no_stop:
        _write_whole(paths.model / MODEL_FILE, model)
        _write_whole(paths.model / CURVE_FILE, journal.curve().encode())
    journal.say(f"model written, {time.monotonic() - began:.1f} s after the start")


def _test(data: LabelledRows, fitted: Fitted, settings: Hyperparameters, journal: Journal) -> None:
    """Write the metrics of the test channel: of the predictions, and of the likes if any."""
    if fitted.judge_lists is not None:
        journal.lists_tested(fitted.judge_lists(data.rows, data.labels))
        return
    predictions = predict(data.rows, fitted.machine)
    likes = as_likes(data.labels, settings.like_threshold)
    expected = likes if settings.classifies else data.labels
    journal.tested(expected, predictions, classifies=settings.classifies)
    if fitted.like_link is not None:
        journal.tested(likes, fitted.like_link.probabilities(predictions), classifies=True)


def _this_host(config: Mapping[str, object]) -> str:
    hosts = config.get("hosts")
    if isinstance(hosts, list) and len(hosts) > 1:
        raise UnsupportedJobError(
            "resources", f"{len(hosts)} instances: this image trains on one, set InstanceCount to 1"
        )
    return str(config.get("current_host") or "algo-1")


def _read_object(path: Path) -> dict[str, object]:
    """Read a JSON object; a file that is not there counts as an empty one."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise UnsupportedJobError(path.name, f"is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise UnsupportedJobError(path.name, "is not a JSON object")
    return found


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file that is never seen half written: a killed job may be looked into."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    partial.replace(path)


def _fail(paths: Paths, reason: str) -> int:
    reason = reason if len(reason) <= _REASON_CHARACTERS else reason[: _REASON_CHARACTERS - 1] + "…"
    _logger.error(reason)
    try:
        with no_stop:
            _write_whole(paths.failure, reason.encode())
    except OSError:
        _logger.exception("the reason cannot be written to %s", paths.failure)
    return 1
