"""The rules of a language with a user's over them, read again when that file is saved."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal, NamedTuple

from sottovoce.actors.transform.exceptions import RulesError
from sottovoce.actors.transform.transformer import Transformer
from sottovoce.protocol.whole import write_whole

_NEVER: Final = (-1,)  # no file has this signature


class Told(NamedTuple):
    """What a person should know of a change; it never holds dictated text."""

    level: Literal["info", "warning"]
    text: str


class LiveRules:
    """A transform that follows its file. `look` costs a stat(2), 2 us, where nothing has changed."""

    def __init__(self, language: str, path: Path, kept: Path) -> None:
        """Take the shipped rules; those at `path`, if it is there, come with the first `look`.

        Args:
            language: "en".
            path: the user's file.
            kept: where the last one of it that was sound is kept, for the stage that is started over a wrong one: the
                rules from before stay in force whether or not somebody is killed meanwhile.

        Raises:
            RulesError: there are no shipped rules of this language.
        """
        self._language = language
        self._path = path
        self._kept = kept
        self._seen: tuple[int, ...] | None = _NEVER
        self.transformer = Transformer.load(language)

    def look(self) -> Told | None:
        """Read the file if it is another than at the last look; return what to tell of that, if anything.

        A file that is wrong changes nothing: the rules from before it stay in force.
        """
        seen = self._signature()
        if seen == self._seen:
            return None
        first = self._seen == _NEVER
        self._seen = seen  # from before the reading, so that what is saved meanwhile is seen at the next look
        if seen is None and first:
            self._forget()
            return None
        try:
            self.transformer = Transformer.load(self._language, own=self._path)
        except RulesError as error:
            stay = "the rules from before stay" if not first or self._recalled() else "those of Sottovoce alone are"
            return Told("warning", f"{error}; {stay} in force until that is mended")
        if seen is None:
            self._forget()
            return Told("info", f"{self._path}: gone, so the rules are those of Sottovoce alone")
        try:
            self._keep(seen)
        except OSError as error:
            why = error.strerror or error
            return Told("info", f"{self._path}: these rules are in force now; they cannot be kept for a restart: {why}")
        return Told("info", f"{self._path}: these rules are in force now")

    def _recalled(self) -> bool:
        """Take the rules that were in force when the stage before this one ended; False if there are none."""
        if not self._kept.is_file():
            return False
        try:
            self.transformer = Transformer.load(self._language, own=self._kept)
        except RulesError:  # of another version, or damaged: then there are none
            return False
        return True

    def _keep(self, seen: tuple[int, ...] | None) -> None:
        """Keep the file that was read; not one that was saved since, which the next look judges."""
        content = self._path.read_bytes()
        if self._signature() != seen:
            return
        self._kept.parent.mkdir(mode=0o700, exist_ok=True)
        write_whole(self._kept, content)

    def _forget(self) -> None:
        self._kept.unlink(missing_ok=True)

    def _signature(self) -> tuple[int, ...] | None:
        try:
            info = os.stat(self._path)  # noqa: PTH116 - 2 us, and 5 with pathlib
        except OSError:
            return None
        return info.st_mtime_ns, info.st_size, info.st_ino
