"""Noises and levels: what is asked for is what comes out."""

from __future__ import annotations

import numpy as np
import pytest

from sottovoce.ops.noise import PEAKS, Samples, active_level, at_level, captured, distant, noises

RATE = 16_000
LENGTH = 20 * RATE
KINDS = ("hum50", "hum60", "fan", "typing", "music", "babble", "voice", "recorded")


def talk(pitch: float, seconds: float = 2.0) -> Samples:
    """Return what stands for a voice: a tone in syllables, with a pause at its end."""
    t = np.arange(round(seconds * RATE)) / RATE
    syllables = (np.sin(2 * np.pi * 4 * t) > 0) & (t < 0.7 * seconds)
    return (0.2 * np.sin(2 * np.pi * pitch * t) * syllables).astype(np.float32)


MAKERS = noises([talk(200), talk(300), talk(3500)], [talk(1000)])


def tone(seconds: float) -> Samples:
    """Return a tone of -9 dB of full scale."""
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def made(kind: str, seed: int = 1) -> np.ndarray:
    """Return 20 s of a noise."""
    return MAKERS[kind](LENGTH, np.random.default_rng(seed))


def band(wave: np.ndarray, low: float, high: float) -> float:
    """Return the share of a wave's power between two frequencies."""
    power = np.abs(np.fft.rfft(wave)) ** 2
    frequencies = np.fft.rfftfreq(len(wave), 1 / RATE)
    return float(power[(frequencies >= low) & (frequencies < high)].sum() / power.sum())


def test_the_active_level_of_a_tone_is_its_rms() -> None:
    """Of what sounds all the time, the active level is the level."""
    assert active_level(tone(5)) == pytest.approx(-9.03, abs=0.1)
    assert active_level(tone(5) / 100) == pytest.approx(-49.03, abs=0.1)


def test_silence_does_not_lower_the_active_level() -> None:
    """A minute of silence behind 5 s of tone lowers the mean by 11 dB and the active level by less than 1 dB."""
    padded = np.pad(tone(5), (0, 60 * RATE))
    assert 10 * np.log10(np.mean(padded**2)) < -20
    assert active_level(padded) == pytest.approx(-9.03, abs=1.0)


def test_silence_has_no_level() -> None:
    """Nothing, or no samples at all, is at minus infinity, and cannot be made louder."""
    assert active_level(np.zeros(RATE, np.float32)) == active_level(np.zeros(0, np.float32)) == -np.inf
    assert not at_level(np.zeros(RATE, np.float32), -26.0).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_noise_is_as_long_and_as_loud_as_asked(kind: str) -> None:
    """Every noise has its length, no part that is not a number, and the level that is asked for."""
    noise = at_level(made(kind), -36.0)
    assert noise.shape == (LENGTH,)
    assert noise.dtype == np.float32
    assert np.isfinite(noise).all()
    assert active_level(noise) == pytest.approx(-36.0, abs=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides(kind: str) -> None:
    """One seed makes one noise, sample by sample; another makes another, but of the one recording there is."""
    np.testing.assert_array_equal(made(kind), made(kind))
    assert (kind == "recorded") == np.array_equal(made(kind), made(kind, seed=2))


@pytest.mark.parametrize(("kind", "mains"), [("hum50", 50), ("hum60", 60)])
def test_hum_is_harmonics_of_the_mains(kind: str, mains: int) -> None:
    """All of its power is at multiples of the mains, also where a second of it is repeated."""
    assert sum(band(made(kind), order * mains - 0.5, order * mains + 0.5) for order in range(1, 41)) > 0.999


def test_fan_noise_falls_with_frequency_and_has_a_tone() -> None:
    """It is louder below 500 Hz than above, and the passing blades stand out of it at 280 Hz."""
    wave = made("fan")
    assert band(wave, 0, 500) > 0.8
    assert band(wave, 270, 290) > 3 * band(wave, 300, 320)


def test_typing_is_struck_at_human_intervals() -> None:
    """Three to five strokes a second, each a peak with little between them."""
    wave = np.abs(MAKERS["typing"](60 * RATE, np.random.default_rng(3)))
    loudest = wave[: 60 * RATE // 160 * 160].reshape(-1, 160).max(axis=1)
    struck = (loudest[1:] > 0.4) & (loudest[:-1] <= 0.4)
    assert 2.0 <= struck.sum() / 60 <= 6.0
    assert np.median(loudest) < 0.1


def test_what_is_far_away_is_dull_and_rings_on() -> None:
    """High frequencies are gone, and sound goes on for some tenths of a second after its end."""
    dry = np.zeros(2 * RATE)
    dry[RATE // 2 : RATE] = np.random.default_rng(1).standard_normal(RATE // 2)
    wet = distant(dry, np.random.default_rng(2), cutoff=3000.0)
    assert band(wet, 5000, 8000) < 0.1 * band(dry, 5000, 8000)
    tail, late = np.square(wet[RATE : RATE + 1600]).mean(), np.square(wet[-RATE // 4 :]).mean()
    assert tail > 0.02 * np.square(wet[RATE // 2 : RATE]).mean()
    assert late < 0.01 * tail


def test_without_clips_there_are_no_voices() -> None:
    """What is made of recordings can only be made where there are some."""
    assert sorted(noises()) == sorted(KINDS[:5])
    assert sorted(noises([talk(200)])) == sorted(KINDS[:7])


@pytest.mark.parametrize("name", ["quiet", "faint"])
def test_a_quiet_recording_has_the_peak_asked_for(name: str) -> None:
    """What is too quiet keeps its shape, in steps of 16 bits."""
    taken = captured(talk(200), PEAKS[name])
    assert np.abs(taken).max() == pytest.approx(PEAKS[name], abs=1 / 32767)
    np.testing.assert_allclose(taken * 32767, np.round(taken * 32767), atol=1e-3)
    np.testing.assert_allclose(taken / PEAKS[name], talk(200) / 0.2, atol=0.01)


def test_a_loud_recording_is_clipped() -> None:
    """At four times full scale the peaks are flat at 1.0, and so are most samples of a tone."""
    taken = captured(tone(1), PEAKS["clipping"])
    assert np.abs(taken).max() == 1.0
    assert (np.abs(taken) == 1.0).mean() > 0.7


def test_a_converter_leaves_what_is_within_its_range() -> None:
    """Without a peak nothing is scaled; half a step of 16 bits is the most that changes."""
    np.testing.assert_allclose(captured(talk(200)), talk(200), atol=0.5001 / 32767)
