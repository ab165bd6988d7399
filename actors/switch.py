"""The switch: from one model to another while the stage works.

The new one is loaded beside the old one, in a thread, while that goes on decoding (the longest that the loop stood
still while `moonshine-tiny-en` was loaded was 13 ms), and takes its place between two utterances. It is on trial for a
minute: a stage that dies within that goes back to the model before, and so does one whose new model does not load.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, Literal, TypeVar

import msgspec

from sottovoce.models import ModelError
from sottovoce.protocol import choice as choices
from sottovoce.protocol.choice import Choice, Role
from sottovoce.protocol.exceptions import PathError
from sottovoce.protocol.paths import Paths

TRIAL_S = 60.0
T = TypeVar("T")
Tell = Callable[[Literal["info", "warning"], str], object]


class Switch(Generic[T]):
    """Follows the choice of one role.

    Args:
        paths: the service's paths.
        role: whose.
        load: loads a model by its name and decodes once; is called in a thread.
        tell: takes what the person is to know.
    """

    def __init__(self, paths: Paths, role: Role, load: Callable[[str], T], tell: Tell) -> None:
        self._paths, self._role, self._load, self._tell = paths, role, load, tell
        self._seen_ns = 0
        self._thread = ThreadPoolExecutor(1, "switch")
        self._loading: tuple[Choice, Future[T]] | None = None
        self._trial_until: float | None = None

    def begin(self, configured: str) -> str:
        """Return the model that a stage is to start with, and note that it does so.

        Args:
            configured: what the configuration says.
        """
        self._seen_ns = choices.changed_ns(self._paths, self._role)
        choice = self._read()
        if choice is None:
            return configured
        if choice.state in ("loading", "trial"):
            choice = self._refuse(choice, f"stt-{self._role} died with it within {TRIAL_S:.0f} s")
        elif choice.state == "wanted":
            self._write(choice, state="trial")
            self._trial_until = time.monotonic() + TRIAL_S
        return choice.effective

    def failed(self, reason: str) -> str | None:
        """Take in that the model of `begin` cannot be loaded; return the one to start with instead, None for none."""
        choice = self._read()
        if choice is None or choice.state == "refused" or choice.before == choice.model:
            return None
        return self._refuse(choice, reason).effective

    def turn(self, current: str) -> tuple[str, T] | None:
        """Look at the choice; return a new model and its name once it is loaded. It is the caller's then.

        Args:
            current: the model in use.
        """
        if self._trial_until is not None and time.monotonic() >= self._trial_until:
            self._trial_until = None
            choice = self._read()
            if choice is not None and choice.state == "trial":
                self._write(choice, state="kept")
        if self._loading is not None:
            return self._loaded() if self._loading[1].done() else None
        changed_ns = choices.changed_ns(self._paths, self._role)
        if changed_ns == self._seen_ns:
            return None
        self._seen_ns = changed_ns
        choice = self._read()
        if choice is None or choice.state != "wanted":
            return None
        if choice.model == current:
            self._write(choice, state="kept")
            return None
        choice = self._write(choice, state="loading", before=current)
        self._loading = choice, self._thread.submit(self._load, choice.model)
        return None

    def sleep_ms(self, most: int) -> int:
        """Return how long the stage may sleep: little while a model is being loaded."""
        return most if self._loading is None else min(most, 50)

    def close(self) -> None:
        """End in order: what was on trial is tried anew at the next start."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        choice = self._read()
        if choice is not None and choice.state in ("loading", "trial"):
            self._write(choice, state="wanted")

    def _read(self) -> Choice | None:
        """Return the choice; none where it cannot be read, which is told: what was configured will do."""
        try:
            return choices.read(self._paths, self._role)
        except PathError as error:
            self._tell("warning", str(error))
            return None

    def _loaded(self) -> tuple[str, T] | None:
        assert self._loading is not None  # noqa: S101 - asked by `turn`
        (choice, future), self._loading = self._loading, None
        try:
            loaded = future.result()
        except ModelError as error:
            self._refuse(choice, str(error))
            return None
        self._write(choice, state="trial")
        self._trial_until = time.monotonic() + TRIAL_S
        self._tell("info", f"stt-{self._role} uses {choice.model} from now on")
        return choice.model, loaded

    def _refuse(self, choice: Choice, reason: str) -> Choice:
        self._trial_until = None
        self._tell("warning", f"stt-{self._role} goes on with {choice.before}: {choice.model} is no use ({reason})")
        return self._write(choice, state="refused", reason=reason)

    def _write(self, choice: Choice, **changes: str) -> Choice:
        choice = msgspec.structs.replace(choice, **changes)
        with contextlib.suppress(OSError):  # no room: then a stage that dies of it is the warden's to give up
            choices.write(self._paths, self._role, choice)
        self._seen_ns = choices.changed_ns(self._paths, self._role)
        return choice
