"""Leave root: what reads data, models and requests runs as an account without rights.

SageMaker starts every container as root, and what it mounts below ``/opt/ml`` is root's. So root
opens what the account needs, and then is gone for good: no line of anybody's data is parsed by it.
"""

import contextlib
import os
import pwd
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from factorization_machines.errors import AccountError

VARIABLE = "MATINEE_RUN_AS"


@dataclass(frozen=True)
class Account:
    """An account of this container: its name and its numbers."""

    name: str
    user: int
    group: int


def account_of(environ: Mapping[str, str]) -> Account | None:
    """Find the account that ``MATINEE_RUN_AS`` names.

    Returns:
        The account; none if the variable is not set or empty.

    Raises:
        AccountError: there is no such account.
    """
    name = environ.get(VARIABLE)
    if not name:
        return None
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise AccountError(name, "not an account here") from None
    return Account(found.pw_name, found.pw_uid, found.pw_gid)


def leave_root(
    account: Account | None, readable: Sequence[Path] = (), writable: Sequence[Path] = ()
) -> None:
    """Become the account, in this process and all that it starts, with no way back.

    Does nothing without an account, or in a process that is not root's: that one has no more
    rights than whoever started it meant it to have.

    Args:
        account: whom to become.
        readable: folders that the account must be able to read with all that is in them; where it
            could not, they are lent to its group. Links are neither followed nor changed.
        writable: folders that are given to the account; made if they do not exist. What is in them
            already stays as it is.

    Raises:
        AccountError: root may not do this here, or the account still cannot read or write what
            it must.
    """
    if account is None or os.geteuid() != 0:
        return
    folders = [folder for folder in readable if folder.is_dir()]
    try:
        for folder in writable:
            folder.mkdir(parents=True, exist_ok=True)
            # A mount may refuse. What counts is whether the account can write, asked below.
            with contextlib.suppress(OSError):
                os.chown(folder, account.user, account.group)
        for folder in folders:
            with contextlib.suppress(OSError):
                _lend_one(str(folder.parent), account)
            _lend(folder, account)
        os.setgroups([])
        os.setresgid(account.group, account.group, account.group)
        os.setresuid(account.user, account.user, account.user)
    except OSError as error:
        raise AccountError(account.name, f"root cannot become it: {error}") from error
    for verb, right, wanted in (("read", os.R_OK, folders), ("write to", os.W_OK, writable)):
        for folder in wanted:
            if not os.access(folder, right | os.X_OK):
                raise AccountError(account.name, f"it cannot {verb} {folder}")


def _lend(folder: Path, account: Account) -> None:
    for place, folders, files in os.walk(folder):
        for name in [".", *folders, *files]:
            path = os.path.join(place, name)  # noqa: PTH118 - a channel may hold a million files
            with contextlib.suppress(OSError):
                _lend_one(path, account)


def _lend_one(path: str, account: Account) -> None:
    found = os.lstat(path)
    needed = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(found.st_mode) else 0)
    if stat.S_ISLNK(found.st_mode) or found.st_mode & needed == needed:
        return
    if found.st_uid != account.user:
        os.chown(path, -1, account.group, follow_symlinks=False)
        Path(path).chmod(stat.S_IMODE(found.st_mode) | needed << 3)
