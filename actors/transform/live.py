"""The rules of a language with a user's over them, read again when that file is saved."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, NamedTuple

from sottovoce.actors.transform.exceptions import RulesError
from sottovoce.actors.transform.transformer import Transformer


class Told(NamedTuple):
    """What a person should know of a change; it never holds dictated text."""

    level: Literal["info", "warning"]
    text: str


class LiveRules:
    """A transform that follows its file. `look` costs a stat(2), 2 us, where nothing has changed."""

    def __init__(self, language: str, path: Path) -> None:
        """Take the shipped rules; those at `path`, if it is there, come with the first `look`.

        RulesError: there are no shipped rules of this language.
        """
        self._language = language
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self.transformer = Transformer.load(language)

    def look(self) -> Told | None:
        """Read the file if it is another than at the last look; return what to tell of that, if anything.

        A file that is wrong changes nothing: the rules from before it stay in force.
        """
        seen = self._signature()
        if seen == self._seen:
            return None
        self._seen = seen  # from before the reading, so that what is saved meanwhile is seen at the next look
        try:
            self.transformer = Transformer.load(self._language, own=self._path)
        except RulesError as error:
            return Told("warning", f"{error}; the rules from before stay in force until that is mended")
        if seen is None:
            return Told("info", f"{self._path}: gone, so the rules are those of Sottovoce alone")
        return Told("info", f"{self._path}: these rules are in force now")

    def _signature(self) -> tuple[int, ...] | None:
        try:
            info = os.stat(self._path)  # noqa: PTH116 - 2 us, and 5 with pathlib
        except OSError:
            return None
        return info.st_mtime_ns, info.st_size, info.st_ino
