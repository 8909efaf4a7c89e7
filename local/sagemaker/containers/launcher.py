"""Become a container program in a process group of its own, known to the guardian beforehand.

Started in the guardian's group, this tells the guardian which group is about to begin, begins it,
and turns into the program. So there is no moment at which the server could die and leave the
program behind, and every process that the program starts can be ended with it.

Run by path with ``python -I -S``: ``launcher.py <guardian's pipe> <program> <arguments>``.
"""

import os
import sys


def main() -> None:
    """Announce the group, begin it, and become the program."""
    pipe, program, *arguments = sys.argv[1:]
    os.write(int(pipe), b"+%d\n" % os.getpid())
    os.close(int(pipe))  # held open, it would keep the guardian waiting
    os.setpgid(0, 0)
    os.execv(program, [program, *arguments])  # noqa: S606 (no shell is wanted)


if __name__ == "__main__":
    main()
