"""Noises to speak against, and levels to speak at: what `sottovoce bench noise` mixes.

Each noise is a function of a length and of a random generator, so the seed decides every sample; voices are real clips.
What it stands for, and where its numbers are from:

- *hum*: mains of 50 or 60 Hz that leaks into a cable: 40 harmonics, those of twice the mains, which rectifiers and
  transformers make, louder than the odd ones;
- *fan*: turbulence, pink below 400 Hz and brown above, and the tone at which the blades pass (7 blades at 2400
  revolutions a minute, 280 Hz) with an overtone, which wavers by 1 %;
- *typing*: keys struck at intervals of 238 ms in the mean, with a standard deviation of 112 ms (Dhakal et al.,
  "Observations on Typing from 136 Million Keystrokes", CHI 2018), log-normal, with a rest now and then. A stroke is
  the key's rattle and the desk's thump, its release a tenth of a second later the same at a third of the amplitude;
- *music*: chords of four with decaying partials, a bass, a drum and a hi-hat at 100 beats a minute;
- *babble*: six voices at once, a canteen; *voice*: one at a time, with pauses, somebody in the same room. Both are
  clips that are not dictated, as heard from afar: low-passed at 4 and 3 kHz, in a room with 0.5 s of reverberation;
- *recorded*: recordings of a manifest in which nobody speaks.

*SNR* is the active level of speech over that of the noise, both by the same measure: ITU-T P.56, method B, which counts
only the time in which somebody speaks (`active_level`). So pauses between sentences, between keys or in the neighbour's
talk do not make a noise louder than it is. Band limits of the meter (P.56 has a filter) are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sottovoce.protocol.clocks import SAMPLE_RATE

NOMINAL_DB: Final = -26.0
"""Active level of speech in dB of full scale that telephony aims at (ITU-T P.56 and its software tools, G.191)."""
PEAKS: Final[Mapping[str, float]] = {"quiet": 0.05, "faint": 0.01, "clipping": 4.0}
"""Levels to speak at, as the recording's peak before the converter, whose full scale is 1.0."""

Samples = NDArray[np.float32]
Wave = NDArray[np.float64]
Noise = Callable[[int, np.random.Generator], Wave]

_HOP: Final = SAMPLE_RATE // 100
_SMOOTH_S, _HANGOVER_S, _MARGIN_DB = 0.03, 0.2, 15.9  # P.56, table of method B's parameters


def active_level(samples: Samples | Wave) -> float:
    """Return the level of the active part, in dB of full scale; -inf for silence.

    ITU-T P.56, method B, in hops of 10 ms: active is where the envelope (time constant 30 ms, twice) is above a
    threshold, or was 200 ms ago; the threshold is the one that lies 15.9 dB below the level it leads to.
    """
    hops = -(-len(samples) // _HOP)
    padded = np.zeros(hops * _HOP)
    padded[: len(samples)] = samples
    blocks = padded.reshape(hops, _HOP)
    energy = float(np.square(blocks).sum())
    if energy == 0.0:
        return float("-inf")
    envelope = _smooth(_smooth(np.abs(blocks).mean(axis=1)))
    hangover = round(_HANGOVER_S * SAMPLE_RATE / _HOP)
    held = np.array([envelope[max(0, at - hangover) : at + 1].max() for at in range(hops)])
    held_db = 20 * np.log10(held + 1e-12)
    level = -np.inf
    for threshold in np.arange(held_db.min(), held_db.max(), 0.1):  # the level grows more slowly than the threshold
        level = 10 * np.log10(energy / (np.count_nonzero(held_db >= threshold) * _HOP))
        if level - threshold <= _MARGIN_DB:
            break
    return float(level) if np.isfinite(level) else float(10 * np.log10(energy / len(samples)))


def at_level(samples: Samples | Wave, level: float) -> Samples:
    """Return samples at an active level in dB of full scale; silence stays silence."""
    found = active_level(samples)
    scale: float = 10 ** ((level - found) / 20) if np.isfinite(found) else 0.0
    return np.asarray(samples * scale, np.float32)


def captured(samples: Samples, peak: float | None = None) -> Samples:
    """Return what a converter of 16 bits makes of samples, scaled to a peak before if one is given; clipped at 1.0."""
    scale = 1.0 if peak is None else peak / max(float(np.abs(samples).max(initial=0.0)), 1e-12)
    steps: Samples = np.round(np.clip(samples * scale, -1.0, 1.0) * 32767)
    return (steps / 32767).astype(np.float32)


def noises(voices: Sequence[Samples] = (), recordings: Sequence[Samples] = ()) -> dict[str, Noise]:
    """Return the noises that can be made.

    Args:
        voices: clips of people who do not dictate, float32, shape (n,), 16 kHz; without any there is no `babble` or
            `voice`.
        recordings: of noise; without any there is no `recorded`.
    """
    found: dict[str, Noise] = {
        "hum50": partial(hum, mains=50), "hum60": partial(hum, mains=60),
        "fan": fan, "typing": keyboard, "music": music,
    }  # fmt: skip
    if voices:
        found |= {"babble": partial(babble, voices=voices), "voice": partial(voice, voices=voices)}
    if recordings:
        found["recorded"] = partial(recorded, recordings=recordings)
    return found


def hum(length: int, rng: np.random.Generator, *, mains: int) -> Wave:
    """Return mains hum; `mains` in whole Hz, so that a second of it can be repeated."""
    t, wave = np.arange(SAMPLE_RATE) / SAMPLE_RATE, np.zeros(SAMPLE_RATE)
    for order in range(1, 41):
        if order * mains < SAMPLE_RATE / 2:
            loud = (1.0 if order == 1 or order % 2 == 0 else 0.4) / order
            wave += loud * np.sin(2 * np.pi * (order * mains * t + rng.uniform()))
    return np.resize(wave, length)


def fan(length: int, rng: np.random.Generator) -> Wave:
    """Return a fan."""
    rush = shaped(rng.standard_normal(length), lambda f: 1 / np.sqrt(np.maximum(f, 30) * (1 + (f / 400) ** 2)))
    rush /= rush.std()
    waver = 1 + 0.01 * shaped(rng.standard_normal(length), lambda f: f < 0.5) / np.sqrt(0.5 / (SAMPLE_RATE / 2))
    turns = np.cumsum(7 * 2400 / 60 * waver) / SAMPLE_RATE
    return np.asarray(rush + 0.3 * np.sin(2 * np.pi * turns) + 0.1 * np.sin(4 * np.pi * turns))


def keyboard(length: int, rng: np.random.Generator) -> Wave:
    """Return keys being struck."""
    wave = np.zeros(length)
    spread = np.sqrt(np.log(1 + (0.112 / 0.238) ** 2))
    at = 0.0
    while True:
        at += rng.lognormal(np.log(0.238) - spread**2 / 2, spread)
        if rng.uniform() < 0.02:  # every ten words or so somebody thinks
            at += rng.uniform(1.0, 4.0)
        if round(at * SAMPLE_RATE) >= length:
            return wave
        loud = rng.uniform(0.6, 1.0)
        _add(wave, at, loud * _stroke(rng))
        _add(wave, at + rng.uniform(0.08, 0.12), loud / 3 * _stroke(rng))


def music(length: int, rng: np.random.Generator) -> Wave:
    """Return a band that plays four chords: C, a, F, G."""
    wave, beat = np.zeros(length), 0.6
    chords = ((48, 60, 64, 67), (45, 57, 60, 64), (41, 57, 60, 65), (43, 55, 59, 62))
    for number in range(int(length / SAMPLE_RATE / beat) + 1):
        at = number * beat
        bass, *notes = chords[number // 4 % 4]
        struck = [bass] if number % 2 else [bass, *notes]
        struck.append(int(rng.choice(notes)) + 12)  # a tune
        for note in struck:
            _add(wave, at, 0.3 * rng.uniform(0.7, 1.0) * _note(440 * 2 ** ((note - 69) / 12)))
        if number % 2 == 0:
            t = np.arange(round(0.15 * SAMPLE_RATE)) / SAMPLE_RATE
            _add(wave, at, 0.8 * np.exp(-t / 0.05) * np.sin(2 * np.pi * 70 * t))
        hat = shaped(rng.standard_normal(round(0.06 * SAMPLE_RATE)), lambda f: f > 5000)
        _add(wave, at + beat / 2, 0.15 * hat * np.exp(-np.arange(len(hat)) / (0.015 * SAMPLE_RATE)))
    return wave


def babble(length: int, rng: np.random.Generator, *, voices: Sequence[Samples]) -> Wave:
    """Return six people who talk at once, all as loud."""
    talk = sum(_talk(length, rng, voices, rest=0.3) for _ in range(6))
    return distant(np.asarray(talk), rng, cutoff=4000.0)


def voice(length: int, rng: np.random.Generator, *, voices: Sequence[Samples]) -> Wave:
    """Return somebody who talks elsewhere in the room, and stops now and then."""
    return distant(_talk(length, rng, voices, rest=2.0), rng, cutoff=3000.0)


def recorded(length: int, rng: np.random.Generator, *, recordings: Sequence[Samples]) -> Wave:
    """Return recordings one after the other, from the beginning again where they end."""
    return _talk(length, rng, recordings, rest=0.0)


def shaped(wave: Wave, gain: Callable[[Wave], NDArray[np.float64 | np.bool_]]) -> Wave:
    """Return a wave whose spectrum is multiplied by a gain, a function of the frequency in Hz; phases stay."""
    spectrum = np.fft.rfft(wave)
    spectrum *= gain(np.fft.rfftfreq(len(wave), 1 / SAMPLE_RATE).astype(np.float64))
    return np.fft.irfft(spectrum, len(wave))


def distant(wave: Wave, rng: np.random.Generator, *, cutoff: float, reverberation_s: float = 0.5) -> Wave:
    """Return a wave as heard from afar: the high frequencies are gone, and the room is as loud as the direct sound.

    The room's answer is noise that decays by 60 dB in `reverberation_s` (Moorer, "About this reverberation business",
    1979).
    """
    t = np.arange(round(reverberation_s * SAMPLE_RATE)) / SAMPLE_RATE
    room = rng.standard_normal(len(t)) * 10 ** (-3 * t / reverberation_s)
    room /= np.sqrt(np.square(room).sum())
    room[0] += 1.0
    size = len(wave) + len(room) - 1
    size += -size % (1 << 15)  # a length with small factors, for the transform
    wet = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(room, size), size)[: len(wave)]
    return shaped(wet, lambda f: 1 / np.sqrt(1 + (f / cutoff) ** 8))


def _smooth(envelope: Wave) -> Wave:
    keep = np.exp(-_HOP / SAMPLE_RATE / _SMOOTH_S)
    smooth, state = np.empty_like(envelope), 0.0
    for at, value in enumerate(envelope):
        state = keep * state + (1 - keep) * value
        smooth[at] = state
    return smooth


def _add(wave: Wave, at_s: float, piece: Wave) -> None:
    """Add a piece to a wave where it begins, as far as there is room."""
    first = round(at_s * SAMPLE_RATE)
    room = wave[first : first + len(piece)]
    room += piece[: len(room)]


def _stroke(rng: np.random.Generator) -> Wave:
    """Return a key's rattle, resonances between 1.5 and 6 kHz for 10 ms, and the desk's thump at 150 Hz for 25 ms."""
    t = np.arange(round(0.06 * SAMPLE_RATE)) / SAMPLE_RATE
    rattle = sum(np.sin(2 * np.pi * (f * t + rng.uniform())) for f in rng.uniform(1500, 6000, 5)) / 5
    hiss = 0.3 * rng.standard_normal(len(t))
    return np.asarray((rattle + hiss) * np.exp(-t / 0.003) + 0.5 * np.sin(2 * np.pi * 150 * t) * np.exp(-t / 0.008))


def _note(frequency: float) -> Wave:
    """Return a struck string of 1.5 s: partials fall by 1/n, and the higher ones die sooner."""
    t = np.arange(round(1.5 * SAMPLE_RATE)) / SAMPLE_RATE
    return np.asarray(
        sum(
            np.sin(2 * np.pi * order * frequency * t) / order * np.exp(-t * (2 + order))
            for order in range(1, 9)
            if order * frequency < SAMPLE_RATE / 2
        )
    )


def _talk(length: int, rng: np.random.Generator, clips: Sequence[Samples], *, rest: float) -> Wave:
    """Return clips one after the other, in any order, all as loud, with rests of up to twice `rest` seconds."""
    level: list[Wave] = [at_level(clip, 0.0).astype(np.float64) for clip in clips]
    parts, there = list[Wave](), 0
    while there < length:
        for number in rng.permutation(len(clips)):
            parts += [level[number], np.zeros(round(rng.uniform(0, 2 * rest) * SAMPLE_RATE))]
            there += len(parts[-2]) + len(parts[-1])
    return np.concatenate(parts)[:length]
