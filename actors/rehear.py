"""A second hearing: what ends in mid-word is heard again with silence behind it, where a decoder came to no end.

A decoder that writes word by word has learned how utterances end, and some audio ends otherwise: a key is released in
the middle of a word, a file is cut. Then it may say the last words over and over. Of 2,298 beginnings of the clips, cut
every 60 ms, `moonshine-tiny-en` rambled on 117, "Ever tried ever tried, ever tried, ..." for 1.9 s of speech. Much of
that the guard refuses, and what was said was lost. Heard again with silence behind it, it rambled on none. (Silence
behind all of them would cost words elsewhere: `bench padding`.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from sottovoce.actors.guard import rambles
from sottovoce.models import Result
from sottovoce.protocol.clocks import SAMPLE_RATE

Decode = Callable[[NDArray[np.float32]], Result]

SILENCES_S: Final = (0.1, 0.2)
"""Seconds behind the audio, one after the other until the text has an end."""


def rehear(decode: Decode) -> Decode:
    """Return the same recogniser, which hears again what it rambled about; its first text stands if nothing helps.

    Args:
        decode: of samples (float32, shape (n,), 16 kHz).
    """

    def heard(samples: NDArray[np.float32]) -> Result:
        seconds = len(samples) / SAMPLE_RATE
        first = decode(samples)
        if not rambles(first.text, seconds):
            return first
        spent = first.decode_s
        for silence_s in SILENCES_S:
            again = decode(np.pad(samples, (0, round(silence_s * SAMPLE_RATE))))
            spent += again.decode_s
            if again.text.strip() and not rambles(again.text, seconds):
                return msgspec.structs.replace(again, audio_s=first.audio_s, decode_s=spent, reheard=True)
        return msgspec.structs.replace(first, decode_s=spent)

    return heard
