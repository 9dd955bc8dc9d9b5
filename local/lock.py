"""One run at a time per directory, and the directory itself."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from local.errors import LocalError

FILE_NAME = "run.lock"


class RunLock:
    """Holds `directory` (made with mode 0700) for one run; `with RunLock(directory) as lock`.

    The kernel frees it when the process ends in any way. Raises LocalError when another run holds it.
    """

    def __init__(self, directory: Path, *, default_directory: Path) -> None:
        self._directory = directory
        self._path = directory / FILE_NAME
        self._default = default_directory
        self._descriptor = -1
        self.former_run_was_killed = False

    def __enter__(self) -> RunLock:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._refuse_foreign_directory()
            self._directory.chmod(0o700)
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except (PermissionError, FileExistsError, NotADirectoryError) as error:
            raise LocalError(
                f"{self._directory} cannot be used ({error.strerror}). Set LOCAL_DIR to another."
            ) from None
        if not self._acquire():
            os.close(self._descriptor)
            raise LocalError(
                f"It is already running here (process {holder(self._directory) or 'unknown'}). "
                "Use it, or stop it with Ctrl-C there or `python -m local stop`."
            )
        # A run that ends well empties the file.
        self.former_run_was_killed = os.fstat(self._descriptor).st_size > 0
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(self, *_: object) -> None:
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    def _acquire(self) -> bool:
        # More than once, because `is_held` of another process takes the lock for an instant to look.
        for _ in range(5):
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                time.sleep(0.05)
        return False

    def _refuse_foreign_directory(self) -> None:
        """`reset` empties this directory: a LOCAL_DIR set to somebody's documents must never become ours."""
        if self._directory == self._default or self._path.exists():
            return
        if any(self._directory.iterdir()):
            raise LocalError(f"{self._directory} holds other things. Set LOCAL_DIR to an empty or a new directory.")


def is_held(directory: Path) -> bool:
    """Whether a run holds `directory` now."""
    try:
        descriptor = os.open(directory / FILE_NAME, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def holder(directory: Path) -> int | None:
    """The process id that the run in `directory` wrote, or None."""
    try:
        return int((directory / FILE_NAME).read_text())
    except (OSError, ValueError):
        return None
