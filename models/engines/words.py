"""From a model's tokens and their times to words and theirs.

Tokens are pieces of words, and every family here marks where a word begins in the same way: a leading space, which
SentencePiece writes as U+2581; models of single letters have the space as a token. Scripts that are written without
spaces have a token for each character, and each is taken for a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sottovoce.models.engines.base import Word

LONGEST_TOKEN_S = 0.4
"""A token whose end is unknown lasts until the next, but no longer than this: models say when a token begins, and a
pause may follow it."""

_BYTE = re.compile(r"^<0x([0-9A-Fa-f]{2})>$")  # how sherpa-onnx shows a token that is a part of a character
_COMMAND = re.compile(r"^<[|].*[|]>$")  # <|en|> and the like: no speech
_UNSPACED = re.compile(r"[぀-ヿ㐀-䶿一-鿿豈-﫿]")


def spell(tokens: Iterable[str]) -> str:
    """Return the text of tokens; bytes that make no character come out as U+FFFD."""
    written = b"".join(
        bytes([int(byte[1], 16)]) if (byte := _BYTE.match(token)) else token.encode() for token in tokens
    )
    return written.decode(errors="replace").replace("▁", " ")


def words(
    tokens: Sequence[str], starts: Sequence[float], audio_s: float, durations: Sequence[float] = ()
) -> tuple[Word, ...]:
    """Group tokens into words.

    Args:
        tokens: as the model spells them.
        starts: when each begins, in seconds, never falling; of another number than the tokens if the model gives none.
        audio_s: seconds of audio; no word ends later.
        durations: how long each lasts, in seconds, where the model says.

    Returns:
        The words in order, none overlapping the next; nothing where there are no times.
    """
    if len(tokens) != len(starts):
        return ()
    spans: list[tuple[list[str], float, float]] = []
    for index, token in enumerate(tokens):
        if _COMMAND.match(token):
            continue
        start = min(max(starts[index], 0.0), audio_s)
        longest = durations[index] if len(durations) == len(tokens) else LONGEST_TOKEN_S
        following = starts[index + 1] if index + 1 < len(tokens) else audio_s
        end = max(start, min(start + longest, following, audio_s))
        if not spans or _begins(token, spans[-1][0][-1]):
            spans.append(([token], start, end))
        else:
            pieces, first, _ = spans[-1]
            # A lone space is no part of the word that it begins.
            spans[-1] = ([*pieces, token], first if spell(pieces).strip() else start, end)
    return tuple(Word(text, start, end) for pieces, start, end in spans if (text := spell(pieces).strip()))


def _begins(token: str, before: str) -> bool:
    return token[:1] in (" ", "▁") or bool(_UNSPACED.match(token)) or bool(_UNSPACED.match(before))
