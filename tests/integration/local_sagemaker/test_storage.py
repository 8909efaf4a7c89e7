"""What the local SageMaker takes from S3 and puts there: names of files, archives."""

import os
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from local.sagemaker.faults import JobError
from local.sagemaker.storage.archives import DamagedArchiveError, pack, unpack
from local.sagemaker.storage.s3 import name_below


@pytest.mark.parametrize(
    ("prefix", "key", "name"),
    [
        ("data/train/", "data/train/a.rec", "a.rec"),
        ("data/train", "data/train/a.rec", "a.rec"),
        ("data/train/", "data/train/deep/a.rec", "deep/a.rec"),
        ("data/train", "data/train-old/a.rec", "train-old/a.rec"),
        ("data/part-", "data/part-0001", "part-0001"),
        ("data/a.rec", "data/a.rec", "a.rec"),
        ("", "data/a.rec", "data/a.rec"),
    ],
)
def test_a_prefix_is_a_string_and_what_it_matches_keeps_a_name(
    prefix: str, key: str, name: str
) -> None:
    assert name_below(prefix, key) == PurePosixPath(name)


def test_a_key_cannot_leave_the_channel_s_folder() -> None:
    with pytest.raises(JobError, match="leaves its folder"):
        name_below("data/", "data/../../etc/passwd")


def test_archives_of_equal_files_are_equal_and_open_to_the_same(tmp_path: Path) -> None:
    for folder, moment in (("first", 1_000_000_000), ("second", 1_500_000_000)):
        for name in ("b", "a", "deep/c"):
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
            os.utime(path, (moment, moment))
        pack(tmp_path / folder, tmp_path / f"{folder}.tar.gz")
    first = (tmp_path / "first.tar.gz").read_bytes()
    assert first == (tmp_path / "second.tar.gz").read_bytes()
    unpack(tmp_path / "first.tar.gz", tmp_path / "third")
    assert (tmp_path / "third" / "deep" / "c").read_text() == "deep/c"


@pytest.mark.parametrize("name", ["../outside", "/outside", "link"])
def test_an_archive_that_reaches_outside_is_refused(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "bad.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo(name)
        if name == "link":
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc"
        archive.addfile(entry)
    inside = tmp_path / "inside"
    if name == "/outside":  # made relative: it lands inside
        unpack(tmp_path / "bad.tar.gz", inside)
        assert (inside / "outside").exists()
    else:
        with pytest.raises(DamagedArchiveError):
            unpack(tmp_path / "bad.tar.gz", inside)
    assert not (tmp_path / "outside").exists()
