"""Processes that root starts and that go on as another account."""

import json
import os
import pwd
import stat
import tempfile
from pathlib import Path

import pytest
from factorization_machines import warm_up
from factorization_machines.errors import AccountError
from factorization_machines.process.account import account_of
from recommender.model.artifact import read_model_zip

from testbed.image import run_python

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")

NOBODY = pwd.getpwnam("nobody")

# All imports come first: the interpreter may lie where the account may not look.
LEAVE = """
import json, os, sys
from pathlib import Path
from factorization_machines.process.account import account_of, leave_root
root = Path(sys.argv[1])
os.setuid(int(os.environ.get("STARTED_BY", "0")))
leave_root(account_of(os.environ), [root / "input"], [root / "model", root / "output"])
try:
    os.setuid(0)
    back = True
except PermissionError:
    back = False
(root / "model/made").write_text("")
print(json.dumps({
    "users": os.getresuid(), "groups": [*os.getresgid(), *os.getgroups()], "back": back,
    "read": [p.read_text() for p in sorted((root / "input").rglob("file"))],
}))
"""
# Not compiled, for the same reason; what only a processor's instruction does is left out then.
TRAIN = """
import sys
import factorization_machines.adam.loops
from factorization_machines.job.train import main
factorization_machines.adam.loops.prefetch_row = lambda *_: None
sys.exit(main())
"""


@pytest.fixture
def opt_ml():
    """A folder that everybody reaches, unlike pytest's own, with what SageMaker puts there."""
    with tempfile.TemporaryDirectory() as path:
        root = Path(path)
        root.chmod(0o755)
        for name in ("input/data/train", "model", "output"):
            (root / name).mkdir(parents=True)
        yield root


def run(script, root, **others):
    return run_python(
        "-c", script, root, OPT_ML=str(root), **{"MATINEE_RUN_AS": "nobody", **others}
    )


def test_all_rights_of_root_are_gone_for_good(opt_ml):
    process = run(LEAVE, opt_ml)

    found = json.loads(process.stdout)
    assert found["users"] == [NOBODY.pw_uid] * 3
    assert found["groups"] == [NOBODY.pw_gid] * 3
    assert not found["back"]
    assert (opt_ml / "model/made").stat().st_uid == NOBODY.pw_uid


def test_what_only_root_could_read_is_lent_to_the_group_and_to_nobody_else(opt_ml):
    files = [opt_ml / "input/file", opt_ml / "input/data/train/file"]
    for file in files:
        file.write_text(file.parent.name)
        file.chmod(0o600)
        file.parent.chmod(0o700)
    opt_ml.chmod(0o700)

    process = run(LEAVE, opt_ml)

    assert json.loads(process.stdout)["read"] == ["train", "input"]
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o750
        assert (file.stat().st_uid, file.stat().st_gid) == (0, NOBODY.pw_gid)


def test_what_a_link_leads_to_is_not_lent(opt_ml):
    with tempfile.NamedTemporaryFile() as secret:
        (opt_ml / "input/link").symlink_to(secret.name)

        process = run(LEAVE, opt_ml)

        assert process.returncode == 0
        found = Path(secret.name).stat()
        assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o600, 0)


def test_whoever_is_not_root_stays_who_they_are(opt_ml):
    (opt_ml / "model").chmod(0o777)

    process = run(LEAVE, opt_ml, STARTED_BY="2")

    assert json.loads(process.stdout)["users"] == [2] * 3
    assert (opt_ml / "output").stat().st_uid == 0


def test_a_folder_that_cannot_be_given_is_named(opt_ml):
    # The account may not pass the folder above, which is not one that is lent.
    (opt_ml / "closed").mkdir(mode=0o700)
    (opt_ml / "closed/ml/input").mkdir(parents=True)

    process = run(LEAVE, opt_ml / "closed/ml")

    assert process.returncode == 1
    assert "MATINEE_RUN_AS is 'nobody': it cannot read" in process.stderr


def test_an_account_that_does_not_exist_is_named():
    with pytest.raises(AccountError, match="MATINEE_RUN_AS is 'no-such-account'"):
        account_of({"MATINEE_RUN_AS": "no-such-account"})


@pytest.mark.parametrize("environ", [{}, {"MATINEE_RUN_AS": ""}])
def test_no_account_is_asked_for_by_default(environ):
    assert account_of(environ) is None


@pytest.fixture
def job():
    """A job whose files are root's alone."""
    with tempfile.TemporaryDirectory() as path:
        warm_up.lay_out(Path(path), "adam-classifier")
        yield Path(path)


def test_a_job_that_root_starts_is_trained_by_the_account(job):
    process = run(TRAIN, job, NUMBA_DISABLE_JIT="1")

    assert process.returncode == 0, process.stdout + process.stderr
    model = job / "model/model_algo-1"
    assert model.stat().st_uid == NOBODY.pw_uid
    assert read_model_zip(model.read_bytes(), "model").rank == 4


def test_the_reason_of_a_failure_is_written_by_the_account(job):
    (job / "input/config/hyperparameters.json").write_text("{")

    process = run(TRAIN, job, NUMBA_DISABLE_JIT="1")

    assert process.returncode == 1
    assert (job / "output/failure").stat().st_uid == NOBODY.pw_uid
    assert "is not JSON" in (job / "output/failure").read_text()


def test_an_account_that_does_not_exist_ends_the_job_with_the_reason(job):
    process = run(TRAIN, job, MATINEE_RUN_AS="no-such-account")

    assert process.returncode == 1
    assert (
        (job / "output/failure")
        .read_text()
        .startswith("ClientError: MATINEE_RUN_AS is 'no-such-account': not an account here")
    )
