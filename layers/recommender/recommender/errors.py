"""Everything that can go wrong, by who must act.

::

    RecommenderError
    ├── InputError               the uploader or the caller acts
    │   ├── MalformedRatingsError     a file holds no usable ratings, or too many bad rows
    │   ├── MissingRatingsError       a catalog has no rating files at all
    │   ├── UnsuitableRatingsError    readable, but nothing can be learned from it
    │   ├── MalformedItemsError       items.* cannot be read
    │   ├── InvalidConfigError        config.json breaks its schema
    │   ├── InvalidHyperparametersError  values that no training job can do anything with
    │   ├── InvalidCatalogNameError   a key or a path names no possible catalog
    │   ├── UnknownCatalogError       nothing serves under that name (yet)
    │   └── InvalidRequestError       an API call that cannot be answered as asked
    ├── ConfigurationError       the operator acts
    │   ├── MissingSettingsError      environment variables are absent or unreadable
    │   ├── ConflictingResourceError  a name is taken by something different
    │   ├── NoRoomError               the encoder's disk or memory is too small for a catalog
    │   ├── OversizedFileError        a rating file takes more room or time than the encoder has
    │   ├── TrainingFailedError       the training job ended Failed
    │   ├── TrainingStoppedError      somebody stopped the training job
    │   ├── TrainingOverdueError      the training job outlived its deadline
    │   ├── TransformFailedError      the batch transform job ended Failed
    │   ├── TransformStoppedError     somebody stopped the batch transform job
    │   ├── TransformOverdueError     the batch transform job outlived its deadline
    │   ├── MismatchedScoresError     a batch transform job gave not one score for each row
    │   ├── EndpointFailedError       the endpoint did not come up with the new model
    │   ├── EndpointOverdueError      the endpoint outlived its deadline
    │   ├── DamagedArtifactError      model.tar.gz is not a factorization machine
    │   ├── DamagedRecordError        RecordIO-protobuf bytes break the format
    │   ├── ShapeMismatchError        arrays that belong together disagree on a size
    │   └── LeaseLostError            another run owns the catalog now
    └── ServiceError             nobody acts: retried
        ├── ServiceUnavailableError   AWS throttled, timed out or answered 5xx
        └── EndpointBusyError         the endpoint is at work for another run

Step Functions matches the class's own name, so a state machine names leaves.
"""

from collections.abc import Callable, Sequence

MOST_CHARACTERS = 4000
"""Of a message. Step Functions and SNS take 256 KB, and of an error's cause 32."""
_MOST_NAMED = 10


def shown(text: str, most: int = 80) -> str:
    """Quote what somebody wrote, or its beginning."""
    return text if len(text) <= most else text[: most - 3] + "..."


def listed(names: Sequence[str], most: int = _MOST_NAMED) -> str:
    """Name the first few, and say how many more there are."""
    told = ", ".join(map(shown, names[:most]))
    return told + (f" and {len(names) - most:,} more" if len(names) > most else "")


class RecommenderError(Exception):
    """Base of every error that Matinee raises on purpose."""

    def __init__(self, message: str = "") -> None:
        """Say what is wrong; what is longer than anybody reads is cut."""
        super().__init__(shown(message, MOST_CHARACTERS))


class InputError(RecommenderError):
    """The uploader or the caller must act."""


class ConfigurationError(RecommenderError):
    """The operator must act."""


Refuse = Callable[[int, str], InputError]
"""Builds the error of the file at hand from a line number and a reason."""


class ServiceError(RecommenderError):
    """Nobody must act: the step is tried again."""


class MalformedRatingsError(InputError):
    """A ratings file holds nothing usable, or more bad rows than the reject limit.

    ``has_no_rows`` says that nothing else is wrong with it, as with the empty parts of a data
    lake's tables; ``leaves_others`` that the catalog's other files can be used.
    """

    def __init__(
        self,
        key: str,
        line: int,
        reason: str,
        *,
        has_no_rows: bool = False,
        leaves_others: bool = False,
    ) -> None:
        super().__init__(f"{key}, line {line}: {reason}")
        self.key, self.line, self.reason = key, line, reason
        self.has_no_rows, self.leaves_others = has_no_rows, leaves_others


class MissingRatingsError(InputError):
    """A catalog has no rating files."""

    def __init__(self, catalog: str) -> None:
        super().__init__(f"catalog {catalog}: no file under ratings/{catalog}/ can be used")
        self.catalog = catalog


class UnsuitableRatingsError(InputError):
    """The ratings are readable, but nothing can be learned from them."""

    def __init__(self, catalog: str, reason: str) -> None:
        super().__init__(f"catalog {catalog}: {reason}")
        self.catalog, self.reason = catalog, reason


class MalformedItemsError(InputError):
    """An ``items.*`` file cannot be read."""

    def __init__(self, key: str, line: int, reason: str) -> None:
        super().__init__(f"{key}, line {line}: {reason}")
        self.key, self.line, self.reason = key, line, reason


class InvalidConfigError(InputError):
    """``config.json`` is not JSON or breaks its schema."""

    def __init__(self, key: str, path: str, reason: str) -> None:
        super().__init__(f"{key}, at {path}: {reason}")
        self.key, self.path, self.reason = key, path, reason


class InvalidHyperparametersError(InputError):
    """Hyperparameters are unknown, missing or out of range; all of them are named at once."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("hyperparameters: " + "; ".join(problems))
        self.problems = tuple(problems)


class InvalidCatalogNameError(InputError):
    """A key or a path names no possible catalog."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} is not a catalog name: 1 to 32 of a-z, 0-9 and '-', "
            "beginning and ending with a letter or a digit"
        )
        self.name = name


class UnknownCatalogError(InputError):
    """No model serves under that name."""

    def __init__(self, catalog: str) -> None:
        super().__init__(f"catalog {catalog} has no serving model (yet)")
        self.catalog = catalog


class UnknownItemError(InputError):
    """The run that serves has no such item."""

    def __init__(self, item: str) -> None:
        super().__init__(f"The run that serves has no item {shown(item)}.")
        self.item = item


class UnknownRunError(InputError):
    """The catalog has no such run, or none that has ended."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"There is no record of a run {shown(run_id)}.")
        self.run_id = run_id


class InvalidRequestError(InputError):
    """An API call cannot be answered as asked."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where, self.reason = where, reason


class MissingSettingsError(ConfigurationError):
    """Environment variables are absent or unreadable; all of them are named at once."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("environment: " + "; ".join(problems))
        self.problems = tuple(problems)


class ConflictingResourceError(ConfigurationError):
    """A resource of that name exists, and it is not the one asked for."""

    def __init__(self, kind: str, name: str, difference: str) -> None:
        super().__init__(f"{kind} {name} exists already and differs: {difference}")
        self.kind, self.name, self.difference = kind, name, difference


class NoRoomError(ConfigurationError):
    """The encoder's disk or memory is too small for what a catalog holds.

    No uploader can mend that, and the files are not to blame: with more room they are encoded.
    """

    def __init__(self, what: str, rows: int, taken: int, parameter: str) -> None:
        super().__init__(
            f"the encoder's {what} is full after {rows:,} rows, of which {taken:,} bytes are "
            f"spooled: raise the stack's parameter {parameter}, or divide the files among several "
            "catalogs"
        )
        self.what, self.rows, self.taken, self.parameter = what, rows, taken, parameter


class OversizedFileError(ConfigurationError):
    """A rating file takes more memory, disk or time than the encoder has.

    With more of it the file may be read; until then the catalog does without it.
    ``leaves_others`` says that the catalog's other files can be used.
    """

    def __init__(self, key: str, reason: str, *, leaves_others: bool = False) -> None:
        super().__init__(f"{key}: {reason}")
        self.key, self.reason, self.leaves_others = key, reason, leaves_others


class TrainingFailedError(ConfigurationError):
    """The training job ended ``Failed``."""

    def __init__(self, job: str, reason: str) -> None:
        super().__init__(f"training job {job} failed: {reason}")
        self.job, self.reason = job, reason


class TrainingStoppedError(ConfigurationError):
    """Somebody, or its time limit, stopped the training job."""

    def __init__(self, job: str, status: str) -> None:
        super().__init__(f"training job {job} was stopped ({status})")
        self.job, self.status = job, status


class TrainingOverdueError(ConfigurationError):
    """The training job outlived its deadline."""

    def __init__(self, job: str, seconds: float) -> None:
        super().__init__(f"training job {job} did not end within {seconds:.0f} s")
        self.job, self.seconds = job, seconds


class TransformFailedError(ConfigurationError):
    """The batch transform job ended ``Failed``."""

    def __init__(self, job: str, reason: str) -> None:
        super().__init__(f"transform job {job} failed: {reason}")
        self.job, self.reason = job, reason


class TransformStoppedError(ConfigurationError):
    """Somebody stopped the batch transform job."""

    def __init__(self, job: str) -> None:
        super().__init__(f"transform job {job} was stopped")
        self.job = job


class TransformOverdueError(ConfigurationError):
    """The batch transform job outlived its deadline."""

    def __init__(self, job: str, seconds: float) -> None:
        super().__init__(f"transform job {job} did not end within {seconds:.0f} s")
        self.job, self.seconds = job, seconds


class MismatchedScoresError(ConfigurationError):
    """A batch transform job answered with other scores than one for each row it was asked."""

    def __init__(self, where: str, expected: int, found: object) -> None:
        super().__init__(f"{where}: expected a score for each of {expected:,} rows, found {found}")
        self.where, self.expected, self.found = where, expected, found


class EndpointFailedError(ConfigurationError):
    """The endpoint did not come up with the new model; an earlier model keeps serving."""

    def __init__(self, endpoint: str, reason: str) -> None:
        super().__init__(f"endpoint {endpoint}: {reason}")
        self.endpoint, self.reason = endpoint, reason


class EndpointOverdueError(ConfigurationError):
    """The endpoint outlived its deadline."""

    def __init__(self, endpoint: str, seconds: float) -> None:
        super().__init__(f"endpoint {endpoint} was not in service within {seconds:.0f} s")
        self.endpoint, self.seconds = endpoint, seconds


class DamagedArtifactError(ConfigurationError):
    """``model.tar.gz`` is not a factorization machine that can be trusted."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where, self.reason = where, reason


class DamagedRecordError(ConfigurationError):
    """RecordIO-protobuf bytes break the format."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"byte {offset}: {reason}")
        self.offset, self.reason = offset, reason


class ShapeMismatchError(ConfigurationError):
    """Arrays that belong together disagree on a size."""

    def __init__(self, what: str, expected: object, found: object) -> None:
        super().__init__(f"{what}: expected {expected}, found {found}")
        self.what, self.expected, self.found = what, expected, found


class LeaseLostError(ConfigurationError):
    """Another execution owns the catalog now; this one must not touch anything shared."""

    def __init__(self, catalog: str, owner: str) -> None:
        super().__init__(f"catalog {catalog} is no longer leased to {owner}")
        self.catalog, self.owner = catalog, owner


class ServiceUnavailableError(ServiceError):
    """AWS throttled, timed out or answered 5xx."""

    def __init__(self, operation: str, code: str) -> None:
        super().__init__(f"{operation}: {code}")
        self.operation, self.code = operation, code


class EndpointBusyError(ServiceError):
    """The endpoint is being made, updated or deleted for another run; it takes one at a time."""

    def __init__(self, endpoint: str, status: str) -> None:
        super().__init__(f"endpoint {endpoint} is {status}")
        self.endpoint, self.status = endpoint, status
