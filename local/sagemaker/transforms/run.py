"""What happens in a transform job: a model server up, every object through it, answers to S3."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from local.sagemaker.account.registry import Registry
from local.sagemaker.containers.machinery import Machinery
from local.sagemaker.faults import JobError
from local.sagemaker.hosting.model_server import ModelServer, NoAnswerError
from local.sagemaker.jobs.run import Run
from local.sagemaker.storage.s3 import Location
from local.sagemaker.transforms.job import TransformJob
from local.sagemaker.transforms.splitting import payloads

LOG_GROUP = "/aws/sagemaker/TransformJobs"
_MIB = 1 << 20
_DEFAULT_MAX_PAYLOAD = 6
_DEFAULT_TIMEOUT = 600.0
_MAX_ORIGINAL = 400


class TransformRun(Run[TransformJob]):
    """One job's work."""

    def __init__(
        self, job: TransformJob, folder: Path, machinery: Machinery, registry: Registry
    ) -> None:
        super().__init__(job, folder, machinery, registry)
        limit = job.request.get("MaxPayloadInMB", _DEFAULT_MAX_PAYLOAD)
        several = job.request.get("BatchStrategy", "MultiRecord") == "MultiRecord"
        self._several, self._limit = several, limit * _MIB
        client = job.request.get("ModelClientConfig", {})
        self._timeout = client.get("InvocationsTimeoutInSeconds", _DEFAULT_TIMEOUT)
        self._server = ModelServer(
            job.name,
            job.model,
            folder / "server",
            folder / "transform.log",
            LOG_GROUP,
            machinery,
            {
                **job.request.get("Environment", {}),
                "SAGEMAKER_BATCH": "true",
                "SAGEMAKER_BATCH_STRATEGY": "MULTI_RECORD" if several else "SINGLE_RECORD",
                "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(limit),
                "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "1",
            },
            role="transform job",
        )

    def _work(self) -> None:
        job = self._job
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        with self._registry.changing(self._job):
            job.started = job.modified = time.time()
        source = job.request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        names = self._machinery.storage.download_prefix(
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

    def _end(self, failure: str | None) -> None:
        self._server.stop()
        for name in ("input", "output"):
            shutil.rmtree(self._folder / name, ignore_errors=True)
        with self._registry.changing(self._job):
            if self._job.stop_asked.is_set():
                self._job.end("Stopped")
            else:
                self._job.end("Completed" if failure is None else "Failed", failure)

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
            self._machinery.storage.upload(answers, target.below(f"{name}.out"))
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
