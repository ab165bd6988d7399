"""The choice: the model that a person has named for a role with `sottovoce model use`, and what came of it.

It is state, in a file for each role in the state directory, which the stage of that role looks at in each turn: a
command that came while the stage was being restarted would else be lost. It outlives the service and goes before the
configuration file, until another is made or it is taken back.

    wanted -> loading -> trial -> kept          loading, trial -> refused
      ^---------------------'  (the stage ended in order)

`loading` and `trial` are written before what they are about. Some engines end the whole process over a file that they
cannot use, so a stage that starts and finds either of them knows what its predecessor died of.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from sottovoce.protocol.config import Config
from sottovoce.protocol.exceptions import PathError
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.whole import write_whole

Role: TypeAlias = Literal["draft", "final"]
ROLES: tuple[Role, ...] = ("draft", "final")


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was chosen for a role."""

    model: str
    """The catalogue's name."""
    before: str
    """The model that is gone back to."""
    state: Literal["wanted", "loading", "trial", "kept", "refused"] = "wanted"
    reason: str = ""
    """Why it was refused."""

    @property
    def effective(self) -> str:
        """The model that is in use, or will be."""
        return self.before if self.state == "refused" else self.model


def read(paths: Paths, role: Role) -> Choice | None:
    """Return what was chosen, None if nothing was.

    Raises:
        PathError: the file cannot be read, or is none of ours; says what to do.
    """
    path = _file(paths, role)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Choice)
    except (FileNotFoundError, NotADirectoryError):  # whoever needs the directory tells of it
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise PathError(
            f"{path}: {error}; take the choice back: sottovoce model use --default --role {role}"
        ) from error


def write(paths: Paths, role: Role, choice: Choice) -> None:
    """Put a choice in the place of the one that is there: whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(_file(paths, role), msgspec.json.encode(choice))


def forget(paths: Paths, role: Role) -> None:
    """Take a choice back: the configuration file has the word again."""
    _file(paths, role).unlink(missing_ok=True)


def settled(paths: Paths, config: Config) -> Config:
    """Return the configuration with the models that were chosen.

    Raises:
        PathError: as of `read`.
    """
    stt = config.stt
    for role in ROLES:
        if (choice := read(paths, role)) is not None:
            section = msgspec.structs.replace(getattr(stt, role), model=choice.effective)
            stt = msgspec.structs.replace(stt, **{role: section})
    return msgspec.structs.replace(config, stt=stt)


def changed_ns(paths: Paths, role: Role) -> int:
    """Return when the choice was written (CLOCK_REALTIME ns), 0 if there is none; cheap enough for each turn."""
    try:
        return os.stat(_file(paths, role)).st_mtime_ns  # noqa: PTH116 - 2 us, and 5 with pathlib
    except OSError:
        return 0


def _file(paths: Paths, role: Role) -> Path:
    return paths.state / f"model.{role}.json"
