"""Becomes the program that it is given, once the kernel has been asked to end it with its parent.

Run as a script, by `child.py`. The usual place for this request is between fork and exec, but there, in a process of
several threads, Python may run into a lock that nobody will ever release (subprocess, "preexec_fn"). This costs 15 ms.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2); it outlives exec


def main() -> None:
    """Run `launch.py PARENT PROGRAM [ARGUMENT...]`."""
    parent, program, *arguments = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):
        os.kill(os.getpid(), signal.SIGKILL)  # it died before the kernel was asked
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and what is ignored stays so
    os.execv(program, [program, *arguments])  # noqa: S606 - the catalogue names it


if __name__ == "__main__":
    main()
