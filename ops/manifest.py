"""A manifest of recordings: a JSON object a line, with `audio` (relative to the manifest), `text`, `lang`, `words`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from sottovoce.ops.exceptions import OpsError


class ManifestError(OpsError):
    """A manifest cannot be read, a line of it is wrong, or it has not what is asked for; one line says which."""


class Line(msgspec.Struct, frozen=True):
    """What is used of a manifest's line."""

    audio: str
    text: str | None = None
    """What is said; "" where nobody speaks, None where it is not known."""
    lang: str | None = None
    words: tuple[tuple[str, float, float], ...] = ()
    """Each word with where it begins and ends, in seconds of the recording."""


def lines(manifest: Path) -> Iterator[tuple[int, Line]]:
    """Yield the lines that are not blank, with their numbers from 1.

    Raises:
        ManifestError: it cannot be read, or a line is wrong.
    """
    try:
        content = manifest.read_bytes()
    except OSError as error:
        raise ManifestError(f"{manifest}: cannot be read: {error.strerror}") from error
    for number, line in enumerate(content.splitlines(), 1):
        if line.strip():
            try:
                yield number, msgspec.json.decode(line, type=Line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise ManifestError(f"{manifest}: line {number}: {error}") from error
