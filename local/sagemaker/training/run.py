"""What happens in a training job: channels down, the container's ``train``, the model up."""

import contextlib
import json
import math
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from local.sagemaker.account.answers import said_back
from local.sagemaker.account.registry import Registry
from local.sagemaker.containers.machinery import Machinery
from local.sagemaker.containers.processes import Child, ClosingError
from local.sagemaker.faults import MAX_REASON, JobError
from local.sagemaker.jobs.run import Run
from local.sagemaker.storage.archives import pack
from local.sagemaker.training.job import TrainingJob
from local.sagemaker.training.metrics import final_metrics

HOST = "algo-1"
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
_WHO_ACTS = ("ClientError", "AlgorithmError", "InternalServerError")
_POLL = 0.05


class TrainingRun(Run[TrainingJob]):
    """One job's work."""

    def __init__(
        self, job: TrainingJob, folder: Path, machinery: Machinery, registry: Registry
    ) -> None:
        super().__init__(job, folder, machinery, registry)
        self._opt_ml = folder / "opt" / "ml"
        self._log = folder / "training.log"
        self._overdue = False

    def _work(self) -> None:
        job, algorithm = self._job, self._job.request["AlgorithmSpecification"]
        command = self._machinery.containers.command(algorithm.get("TrainingImage", ""), "train")
        self._make_folder()
        with self._registry.changing(self._job):
            job.started = time.time()
        self._enter("Downloading", "Downloading input data")
        self._download()
        if not self._proceeds():
            return
        wanted = {
            **job.request.get("Environment", {}),
            "TRAINING_JOB_NAME": job.name,
            "TRAINING_JOB_ARN": job.arn,
            "AWS_REGION": job.caller.region,
        }
        environment = self._machinery.containers.environment(self._opt_ml, wanted)
        self._enter("Training", "Training image download completed. Training in progress.")
        child = self._machinery.processes.start(command, environment, self._opt_ml, self._log)
        stream = f"{job.name}/{HOST}-{math.floor(time.time())}"
        copied = self._machinery.shipping.follow(self._log, LOG_GROUP, stream)
        try:
            cut_short = self._watch(child)
        finally:
            copied.set()
        self._finish(child, cut_short=cut_short)

    def _end(self, failure: str | None) -> None:
        job = self._job
        if failure is not None:
            self._clean()
        with self._registry.changing(self._job):
            if failure is not None:
                job.failure_reason = failure
                job.end("Failed", "Failed", "Training job failed")
            elif self._overdue:
                message = "Training job exceeded its maximum runtime"
                job.end("Stopped", "MaxRuntimeExceeded", message)
            elif job.stop_asked.is_set():  # while uploading, too: too late to lose the model
                job.end("Stopped", "Stopped", "Training job stopped")
            else:
                job.end("Completed", "Completed", "Training job completed")

    def _make_folder(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        for name in ("input/config", "input/data", "model", "output/data", "code", "checkpoints"):
            (self._opt_ml / name).mkdir(parents=True)
        request = self._job.request
        resources: Mapping[str, object] = request.get("ResourceConfig") or {}
        instance_type = resources.get("InstanceType", "local")
        group = {
            "instance_group_name": "homogeneousCluster",
            "instance_type": instance_type,
            "hosts": [HOST],
        }
        channels = {
            channel["ChannelName"]: {
                "TrainingInputMode": "File",
                "S3DistributionType": "FullyReplicated",  # there is one host: it reads everything
                "RecordWrapperType": "None",
                **said_back(channel, ("ContentType",)),
            }
            for channel in request.get("InputDataConfig", ())
        }
        self._write_config("hyperparameters", request.get("HyperParameters", {}))
        self._write_config("inputdataconfig", channels)
        self._write_config(
            "resourceconfig",
            {
                "current_host": HOST,
                "current_instance_type": instance_type,
                "current_group_name": "homogeneousCluster",
                "hosts": [HOST],
                "instance_groups": [group],
                "network_interface_name": "lo",
            },
        )
        hosts = resources.get("InstanceCount", 1)
        if hosts != 1:
            self._log.write_text(f"[local SageMaker] one host instead of {hosts}: it reads all\n")

    def _write_config(self, name: str, content: Mapping[str, object]) -> None:
        path = self._opt_ml / "input" / "config" / f"{name}.json"
        path.write_text(json.dumps(content), encoding="utf-8")

    def _download(self) -> None:
        for channel in self._job.request.get("InputDataConfig", ()):
            source = channel["DataSource"].get("S3DataSource")
            if source is not None:
                self._machinery.storage.download_prefix(
                    source["S3Uri"],
                    self._opt_ml / "input" / "data" / channel["ChannelName"],
                    self._proceeds,
                )

    def _watch(self, child: Child) -> bool:
        """Wait for the end, and say whether it was cut short."""
        began = self._job.started or time.time()
        deadline = time.monotonic() + self._job.max_runtime - (time.time() - began)
        while child.wait(_POLL) is None:
            if not self._proceeds():
                child.stop()
                return True
            if time.monotonic() > deadline:
                self._overdue = True
                with self._registry.changing(self._job):
                    self._job.begin_stopping()
                child.stop()
                return True
        # A stop that arrives while the container ends by itself counts as a stop.
        return not self._proceeds()

    def _finish(self, child: Child, *, cut_short: bool) -> None:
        job = self._job
        definitions = {
            definition["Name"]: definition["Regex"]
            for definition in job.request["AlgorithmSpecification"].get("MetricDefinitions", ())
        }
        with self._log.open(encoding="utf-8", errors="replace") as lines:
            metrics = final_metrics(lines, definitions)
        with self._registry.changing(self._job):
            job.metrics = metrics
        if self._machinery.processes.closing:
            raise ClosingError
        if not cut_short and child.poll() != 0:
            raise JobError(self._reason(child.poll() or 0))
        if not cut_short:
            self._enter("Uploading", "Uploading generated training model")
        if not cut_short or any(self._opt_ml.joinpath("model").iterdir()):
            self._upload("model", "model.tar.gz")
        if any(self._opt_ml.joinpath("output", "data").iterdir()):
            self._upload("output/data", "output.tar.gz")
        self._clean()

    def _upload(self, folder: str, name: str) -> None:
        archive = self._folder / name
        pack(self._opt_ml / folder, archive)
        artifact = self._job.artifact
        prefix = artifact.key.rpartition("/")[0]
        self._machinery.storage.upload(archive, type(artifact)(artifact.bucket, f"{prefix}/{name}"))
        archive.unlink()

    def _reason(self, code: int) -> str:
        """Why the container failed: its own words, or the last thing that it printed."""
        written = self._opt_ml / "output" / "failure"
        words = ""
        with contextlib.suppress(OSError):
            words = written.read_text(encoding="utf-8", errors="replace").strip()
        if words.startswith(_WHO_ACTS):
            return words
        if not words:
            with self._log.open(encoding="utf-8", errors="replace") as lines:
                words = next((line.strip() for line in reversed(list(lines)) if line.strip()), "")
        ending = f", exit code: {code}"
        return f"AlgorithmError: {words}"[: MAX_REASON - len(ending)] + ending

    def _enter(self, secondary: str, message: str) -> None:
        with self._registry.changing(self._job):
            if self._job.status == "InProgress":  # a job that is stopping stays Stopping
                self._job.enter(secondary, message)

    def _clean(self) -> None:
        """Give the disk back, as an instance does that is gone. Log and configuration stay."""
        for name in ("input/data", "model", "output/data", "checkpoints"):
            shutil.rmtree(self._opt_ml / name, ignore_errors=True)
