"""One file that cannot be read keeps no other from being read, whatever it is that happens."""

import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from recommender.aws import storage
from recommender.errors import (
    LeaseLostError,
    MalformedRatingsError,
    NoRoomError,
    ServiceUnavailableError,
)
from recommender.formats.parquet.pages import DecoderError
from recommender.ratings.table import RatingsBuilder
from recommender.steps import tensors
from recommender.steps.reading import notes, rating_files

from functions.encode_ratings import app
from testbed import films
from testbed.machine import Execution, KilledError
from testbed.runs import admit, manifest_of, run, upload_films
from testbed.stage import Stage

BAD = "ratings/films/z-bad.csv"
READ = rating_files.read_ratings


def encode(stage: Stage, execution: str) -> dict[str, Any]:
    return stage.run(
        "EncodeRatings", app.lambda_handler, {"catalog": "films", "execution": execution}
    )


def upload_with_bad(stage: Stage) -> str:
    """Put a file among good ones that the tests make a bad one; begin a run."""
    upload_films(stage)
    stage.upload(BAD, "user,item,rating\nanna,242,1\n")
    return str(admit(stage)["execution"])


def when_reading(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[RatingsBuilder], None], *keys: str
) -> None:
    """Let something happen while some files are read."""

    def read(chunks: Iterator[bytes], into: RatingsBuilder, *others: Any) -> None:
        if into.key in (keys or (BAD,)):
            act(into)
        READ(chunks, into, *others)

    monkeypatch.setattr(rating_files, "read_ratings", read)


def raising(error: BaseException) -> Callable[[RatingsBuilder], None]:
    def act(_: RatingsBuilder) -> None:
        raise error

    return act


def files_of(stage: Stage, done: Execution) -> set[str]:
    return {one["key"] for one in manifest_of(stage, done)["files"]}


GOOD = {films.TRAIN_KEY, films.TEST_KEY}


@pytest.mark.parametrize(
    "error",
    [
        OverflowError("Python int too large to convert to C long"),
        struct.error("unpack requires a buffer of 8 bytes"),
        RecursionError("maximum recursion depth exceeded"),
        OSError(5, "Input/output error"),
        ValueError("no such thing"),
        KeyError("x" * 100_000),
        AssertionError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_happens_while_a_file_is_read_refuses_that_file_and_the_others_train(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    execution = upload_with_bad(stage)
    when_reading(monkeypatch, raising(error))
    refused = run(stage, execution)
    assert refused.data["finish"]["outcome"] == "refused"
    message = manifest_of(stage, refused)["error"]["message"]
    assert message.startswith(f"{BAD}, line 1: the file cannot be read")
    assert type(error).__name__ in message
    assert len(message) < 1000
    following = run(stage, refused.data["finish"]["next"])
    assert following.status == "SUCCEEDED", following.error
    assert files_of(stage, following) == GOOD


def test_an_error_says_how_far_the_file_was_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = upload_with_bad(stage)
    into_log = RatingsBuilder.flush

    def fail_behind_rows(into: RatingsBuilder) -> None:
        into_log(into)
        if into.key == BAD and into.rows:
            raise OverflowError

    monkeypatch.setattr(RatingsBuilder, "flush", fail_behind_rows)
    with pytest.raises(MalformedRatingsError) as caught:
        encode(stage, execution)
    assert (caught.value.key, caught.value.line) == (BAD, 2)


def test_files_behind_one_that_cannot_be_read_are_still_judged(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = upload_with_bad(stage)
    stage.upload("ratings/films/zz.csv", "user,item,rating\nanna,242,many\n")
    when_reading(monkeypatch, raising(OverflowError()))
    with pytest.raises(MalformedRatingsError, match=r"also ratings/films/zz\.csv, line 2"):
        encode(stage, execution)


ACCESS_DENIED = ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")


@pytest.mark.parametrize(
    "error",
    [ServiceUnavailableError("s3:GetObject", "SlowDown"), ACCESS_DENIED],
    ids=lambda error: type(error).__name__,
)
def test_what_keeps_the_bytes_from_coming_is_no_fault_of_the_file(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    execution = upload_with_bad(stage)

    def stream(*_: object) -> Iterator[bytes]:
        yield b"user,item,rating\n"
        raise error

    monkeypatch.setattr(storage, "stream_version", stream)
    with pytest.raises(type(error)):
        encode(stage, execution)
    assert stage.listing("refused/") == []


def test_a_lease_that_is_lost_meanwhile_is_no_fault_of_the_file(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = upload_with_bad(stage)

    def lost(*_: object) -> None:
        raise LeaseLostError("films", execution)

    monkeypatch.setattr("recommender.steps.progress.reporter", lambda *_: lost)
    with pytest.raises(LeaseLostError):
        encode(stage, execution)
    assert stage.listing("refused/") == []


def test_a_decoder_that_does_not_start_is_no_fault_of_the_file(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = upload_with_bad(stage)
    when_reading(monkeypatch, raising(DecoderError("does not start")))
    with pytest.raises(DecoderError):
        encode(stage, execution)
    assert stage.listing("refused/") == []


@pytest.mark.parametrize("error", [MemoryError(), OSError(12, "Cannot allocate memory")])
def test_a_file_that_asks_for_more_memory_than_there_is_is_left_out_until_there_is_more(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "3008")
    execution = upload_with_bad(stage)
    with monkeypatch.context() as patched:
        when_reading(patched, raising(error))
        failed = run(stage, execution)
    assert failed.error["Error"] == "OversizedFileError"
    message = manifest_of(stage, failed)["error"]["message"]
    assert BAD in message
    assert "EncodeMemoryMB" in message
    following = run(stage, failed.data["finish"]["next"])
    assert files_of(stage, following) == GOOD
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "10240")
    assert files_of(stage, run(stage, admit(stage)["execution"])) == {*GOOD, BAD}


def full(into: RatingsBuilder) -> None:
    raise NoRoomError("disk", into.rows, 0, "EncodeDiskMB")


def test_a_disk_that_the_files_before_have_filled_is_the_catalogs_and_refuses_no_file(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = upload_with_bad(stage)
    when_reading(monkeypatch, full)  # behind 80 rows, and itself of one
    with pytest.raises(NoRoomError):
        encode(stage, execution)
    assert stage.listing("refused/") == []


def test_a_disk_that_one_file_fills_refuses_that_file(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_films(stage)
    stage.upload(BAD, "user,item,rating\n" + "anna,242,1\n" * 1000)
    when_reading(monkeypatch, full)
    failed = run(stage, str(admit(stage)["execution"]))
    assert "EncodeDiskMB" in manifest_of(stage, failed)["error"]["message"]
    assert files_of(stage, run(stage, failed.data["finish"]["next"])) == GOOD


class Deaths:
    """Kills the function that reads some files, and lets nothing of it be written any more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *keys: str, most: int = 99) -> None:
        self.count, self._most = 0, most
        self._is_dead = False
        write, take = storage.write, rating_files.RatingFiles.read

        def living(*given: Any) -> str:
            if self._is_dead:
                raise KilledError
            return write(*given)

        def begin(files: Any, *given: Any) -> None:
            self._is_dead = False
            take(files, *given)

        monkeypatch.setattr(storage, "write", living)
        monkeypatch.setattr(rating_files.RatingFiles, "read", begin)
        when_reading(monkeypatch, self.kill, *keys)

    def kill(self, *_: object) -> None:
        if self.count < self._most:
            self.count += 1
            self._is_dead = True
            raise KilledError


def test_a_file_that_kills_its_reader_twice_is_refused_and_the_others_train(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = upload_with_bad(stage)
    deaths = Deaths(monkeypatch, BAD)
    failed = run(stage, execution)
    assert deaths.count == 2
    assert failed.error["Error"] == "OversizedFileError"
    message = manifest_of(stage, failed)["error"]["message"]
    assert message.startswith(f"{BAD}: the encoder was ended 2 times while it read this file")
    following = run(stage, failed.data["finish"]["next"])
    assert following.status == "SUCCEEDED", following.error
    assert files_of(stage, following) == GOOD
    assert deaths.count == 2


def test_two_small_files_that_do_so_are_refused_by_one_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = upload_with_bad(stage)
    other = "ratings/films/z-worse.csv"
    stage.upload(other, "user,item,rating\nanna,242,1\n")
    Deaths(monkeypatch, BAD, other)
    failed = run(stage, execution)
    assert failed.error["Error"] == "OversizedFileError"
    assert f"; also {other}: " in manifest_of(stage, failed)["error"]["message"]
    assert files_of(stage, run(stage, failed.data["finish"]["next"])) == GOOD


def test_what_is_known_of_a_second_large_file_helps_the_next_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes, "_MOST_BYTES", 10)
    execution = upload_with_bad(stage)
    other = "ratings/films/z-worse.csv"
    stage.upload(other, "user,item,rating\nanna,242,1\n")
    deaths = Deaths(monkeypatch, BAD, other)
    failed = run(stage, execution)
    assert failed.error["Error"] == "Runtime.ExitError"
    again = run(stage, str(admit(stage)["execution"]))
    assert other in manifest_of(stage, again)["error"]["message"]
    assert files_of(stage, run(stage, again.data["finish"]["next"])) == GOOD
    assert deaths.count == 4


def test_one_death_may_be_anybodys(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    execution = upload_with_bad(stage)
    deaths = Deaths(monkeypatch, BAD, most=1)
    done = run(stage, execution)
    assert (done.status, deaths.count) == ("SUCCEEDED", 1)
    assert files_of(stage, done) == {*GOOD, BAD}
    assert stage.kept_json("reading/films.json") == {"reading": [], "deaths": {}}


def test_a_death_behind_the_reading_is_none_of_a_files(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = upload_with_bad(stage)
    deaths = Deaths(monkeypatch, "none")
    deaths._most = 3
    write = tensors.write
    monkeypatch.setattr(
        tensors, "write", lambda *given: (deaths.count < 3 and deaths.kill()) or write(*given)
    )
    done = run(stage, execution)
    assert (done.status, deaths.count) == ("SUCCEEDED", 3)
    assert files_of(stage, done) == {*GOOD, BAD}


def test_an_encoder_with_more_memory_tries_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "3008")
    execution = upload_with_bad(stage)
    with monkeypatch.context() as patched:
        Deaths(patched, BAD)
        run(stage, execution)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "10240")
    assert files_of(stage, run(stage, str(stage.lease()["owner"]))) == {*GOOD, BAD}


def notes_written(stage: Stage) -> list[list[str]]:
    return [
        json.loads(call.parameters["Body"].getvalue())["reading"]
        for call in stage.calls
        if call.operation == "PutObject" and call.parameters["Key"] == "reading/films.json"
    ]


def test_small_files_are_noted_many_at_a_time(stage: Stage) -> None:
    for number in range(150):
        stage.upload(f"ratings/films/{number:03}.csv", "user,item,rating\nanna,242,1\n")
    upload_films(stage)
    encode(stage, str(admit(stage)["execution"]))
    noted = notes_written(stage)
    assert [len(one) for one in noted] == [64, 64, 24, 0]
    assert len({name for one in noted for name in one}) == 152


def test_of_many_small_files_the_one_that_kills_is_found_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"ratings/films/{number:03}.csv" for number in range(30)]
    for name in names:
        stage.upload(name, "user,item,rating\nanna,242,1\n")
    upload_films(stage)
    deaths = Deaths(monkeypatch, names[20])
    failed = run(stage, str(admit(stage)["execution"]))
    assert deaths.count == 2
    assert manifest_of(stage, failed)["error"]["message"].startswith(names[20])
    assert stage.kept_json("reading/films.json")["reading"] == []
    following = run(stage, failed.data["finish"]["next"])
    assert files_of(stage, following) == {*GOOD, *names} - {names[20]}


def test_a_side_file_that_cannot_be_read_is_named(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OverflowError("too large")

    upload_films(stage)
    monkeypatch.setattr("recommender.steps.inputs.read_sheet", fail)
    done = run(stage, str(admit(stage)["execution"]))
    assert done.error["Error"] == "MalformedItemsError"
    assert (
        f"{films.ITEMS_KEY}, line 1: the file cannot be read (OverflowError: too large)"
        in (manifest_of(stage, done)["error"]["message"])
    )


def test_settings_with_thousands_of_unknown_fields_are_told_of_in_a_notice(stage: Stage) -> None:
    from testbed.ratings import hostile

    upload_films(stage)
    stage.upload("catalogs/films/config.json", hostile.config_of_unknown_fields(6000))
    done = run(stage, str(admit(stage)["execution"]))
    assert done.error["Error"] == "InvalidConfigError"
    (notice,) = stage.notices()
    assert "and 5,990 more" in notice.facts["summary"]
