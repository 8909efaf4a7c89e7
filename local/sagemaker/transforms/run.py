"""What happens in a transform job: a model server up, every object through it, answers to S3."""

import logging
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from local.sagemaker.containers.machinery import Machinery
from local.sagemaker.containers.processes import ClosingError
from local.sagemaker.faults import JobError
from local.sagemaker.hosting.model_server import ModelServer, NoAnswerError
from local.sagemaker.storage.s3 import Location
from local.sagemaker.transforms.splitting import payloads

if TYPE_CHECKING:
    from local.sagemaker.transforms.operations import TransformJob

logger = logging.getLogger(__name__)

LOG_GROUP = "/aws/sagemaker/TransformJobs"
_MIB = 1 << 20
_DEFAULT_MAX_PAYLOAD = 6
_DEFAULT_TIMEOUT = 600.0
_MAX_ORIGINAL = 400


@dataclass(frozen=True)
class TransformRunner:
    """Runs each job in a thread of its own, in ``<folder>/<job>``."""

    folder: Path
    machinery: Machinery
    lock: threading.RLock

    def start(self, job: "TransformJob") -> None:
        """Begin the job's work."""
        work = _TransformRun(self, job).run
        threading.Thread(target=work, name=f"transform-{job.name}", daemon=True).start()


class _TransformRun:
    """One job's work."""

    def __init__(self, runner: TransformRunner, job: "TransformJob") -> None:
        self._runner, self._job = runner, job
        self._folder = runner.folder / job.name
        limit = job.request.get("MaxPayloadInMB", _DEFAULT_MAX_PAYLOAD)
        several = job.request.get("BatchStrategy", "MultiRecord") == "MultiRecord"
        self._several, self._limit = several, limit * _MIB
        client = job.request.get("ModelClientConfig", {})
        self._timeout = client.get("InvocationsTimeoutInSeconds", _DEFAULT_TIMEOUT)
        self._server = ModelServer(
            job.name,
            job.model,
            self._folder / "server",
            self._folder / "transform.log",
            LOG_GROUP,
            runner.machinery,
            {
                **job.request.get("Environment", {}),
                "SAGEMAKER_BATCH": "true",
                "SAGEMAKER_BATCH_STRATEGY": "MULTI_RECORD" if several else "SINGLE_RECORD",
                "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(limit),
                "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "1",
            },
            role="transform job",
        )

    def run(self) -> None:
        """Bring the job to a terminal status, whatever happens."""
        job, reason = self._job, None
        try:
            self._work()
        except ClosingError:
            reason = "InternalServerError: the local SageMaker was stopped"
        except JobError as error:
            reason = error.reason
        except Exception as error:
            logger.exception("transform job %s", job.name)
            reason = f"InternalServerError: {type(error).__name__}: {error}"
        finally:
            self._server.stop()
            for name in ("input", "output"):
                shutil.rmtree(self._folder / name, ignore_errors=True)
        with self._runner.lock:
            if job.stop_asked.is_set():
                job.end("Stopped")
            else:
                job.end("Completed" if reason is None else "Failed", reason)
        logger.info("transform job %s: %s", job.name, job.status)

    def _work(self) -> None:
        job = self._job
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        with self._runner.lock:
            job.started = job.modified = time.time()
        source = job.request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        names = self._runner.machinery.storage.download_prefix(
            source, self._folder / "input", self._proceeds
        )
        self._server.launch()
        self._server.wait_ready()
        failures: list[str] = []
        for name in names:
            if not self._proceeds():
                return
            try:
                self._transform(name)
            except JobError as error:
                # The other objects still get their output, as on SageMaker.
                failures.append(f"{name}: {error.reason}")
        if failures:
            more = f" (and {len(failures) - 1} more)" if failures[1:] else ""
            raise JobError(f"ClientError: {failures[0]}{more}. See {self._server.log}")

    def _transform(self, name: PurePosixPath) -> None:
        """Answer one object: all of it, or nothing."""
        answers = self._folder / "output" / f"{name}.out"
        answers.parent.mkdir(parents=True, exist_ok=True)
        by_line = self._job.request["TransformOutput"].get("AssembleWith", "None") == "Line"
        with answers.open("wb") as output:
            for answer in self._answers(self._folder / "input" / name):
                output.write(answer.rstrip(b"\r\n") + b"\n" if by_line else answer)
        if self._proceeds():
            target = Location.parse(self._job.request["TransformOutput"]["S3OutputPath"])
            self._runner.machinery.storage.upload(answers, target.below(f"{name}.out"))
        answers.unlink()

    def _answers(self, path: Path) -> Iterator[bytes]:
        source = self._job.request["TransformInput"]
        split = source.get("SplitType", "None")
        headers = {"Content-Type": source.get("ContentType", "application/octet-stream")}
        accept = self._job.request["TransformOutput"].get("Accept")
        if accept is not None:
            headers["Accept"] = accept
        for payload in payloads(path, split, several=self._several, limit=self._limit):
            if not self._proceeds():
                return
            try:
                answer = self._server.invoke(payload, headers, self._timeout)
            except NoAnswerError as error:
                raise JobError(f"AlgorithmError: {error}") from error
            if answer.status >= 400:
                message = answer.body[:_MAX_ORIGINAL].decode("utf-8", "replace")
                raise JobError(f"the model answered {answer.status}: {message}")
            yield answer.body

    def _proceeds(self) -> bool:
        return not self._job.stop_asked.is_set()
