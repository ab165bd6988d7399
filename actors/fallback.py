"""The fallback: another model for `stt-final` where the configured one cannot be loaded, or kills it.

Two find that out: the stage itself, when a model does not load, and the warden, when the stage has used up its
restarts. Some engines end the whole process over a file that they cannot use, so the stage alone would not do.

What was found out is a file in the runtime directory that holds the model's name. It outlives the stage and the warden,
and ends with the service run, or when a person restarts the stage: then the model is tried anew. It is of no account to
another model, so who has changed the configuration need not clear it.
"""

from __future__ import annotations

from pathlib import Path

from sottovoce.models import ModelError, Store
from sottovoce.protocol.config import FinalConfig
from sottovoce.protocol.paths import Paths

STAGE = "stt-final"


class Fallback:
    """Whether the fallback is in force in this run of the service.

    Args:
        paths: the service's paths.
        settings: `[stt.final]`, which names both models.
    """

    def __init__(self, paths: Paths, settings: FinalConfig) -> None:
        self._path, self._model, self._spare = _file(paths), settings.model, settings.fallback

    @property
    def exists(self) -> bool:
        """Whether the configuration has one."""
        return self._spare not in ("", self._model)

    @property
    def taken(self) -> bool:
        """Whether it is in force."""
        try:
            return self.exists and self._path.read_text() == self._model
        except FileNotFoundError:
            return False

    def refusal(self) -> str:
        """Return why it cannot be taken now; "" if it can."""
        if not self.exists:
            return "there is no other model: [stt.final] fallback names none"
        if self.taken:
            return f"with its fallback model, {self._spare}, too"
        try:
            Store().path(self._spare)
        except ModelError as error:
            return f"its fallback cannot be used: {error}"
        return ""

    def take(self, why: str) -> str:
        """Put it in force from the stage's next start on, and return what the person is to be told.

        Args:
            why: what is wrong with the model, as a relative clause.
        """
        partly = self._path.with_suffix(".partly")
        partly.write_text(self._model)
        partly.replace(self._path)  # whole or not there: the stage may be starting at this instant
        return (
            f"{self._spare} recognises what is typed in the place of {self._model}, {why}; see `sottovoce logs "
            f"{STAGE}`, mend the cause, then: sottovoce restart {STAGE}"
        )


def forget(paths: Paths) -> None:
    """Have the configured model tried again: at the start of a service, and of the stage by a person."""
    _file(paths).unlink(missing_ok=True)


def _file(paths: Paths) -> Path:
    return paths.runtime / f"{STAGE}.fallback"
