"""The soak: estimators on series whose slope is known, the day, the samples, and a short run with a real service."""

from __future__ import annotations

import json
import math
import mmap
import os
import random
import subprocess
import sys
import tempfile
import threading
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sottovoce.ops import bench_soak, soak
from sottovoce.ops.day import Composer, Stretch, day, sound_files
from sottovoce.ops.sample import process, size
from sottovoce.ops.series import KINDS, kind_of
from sottovoce.ops.trend import Tolerance, least_squares, rates, theil_sen, trend
from sottovoce.protocol.config import Config, load_config

HOURS = np.linspace(0, 24, 400)


def noise(seed: int, rho: float = 0.0) -> NDArray[np.float64]:
    """Return 400 numbers of deviation 1, each `rho` times the one before plus something new."""
    rng = np.random.default_rng(seed)
    new, series = rng.standard_normal(400) * math.sqrt(1 - rho**2), np.zeros(400)
    for i in range(400):
        series[i] = rho * series[i - 1] + new[i]
    return series


# -- the estimators ----------------------------------------------------------------------------------------------------


def test_both_slopes_of_a_line_are_its_slope() -> None:
    """A straight line has its own slope by either estimator, and an interval of no width."""
    values = 5 + 0.25 * HOURS
    assert least_squares(HOURS, values) == pytest.approx(0.25)
    assert theil_sen(HOURS, values) == pytest.approx((0.25, 0.25, 0.25))


@pytest.mark.parametrize("rho", [0.0, 0.95])
def test_noise_is_flat(rho: float) -> None:
    """Of forty flat series with noise, neighbours alike or not, nearly none is said to grow."""
    found = [trend(HOURS, 1000 + 20 * noise(seed, rho), Tolerance()).verdict for seed in range(40)]
    assert found.count("grows") <= 4  # one-sided, at 2.5 %: 1 is expected


def test_growth_is_found_in_noise() -> None:
    """A slope of half the noise's deviation in a day is found, and the interval holds it."""
    for seed in range(10):
        found = trend(HOURS, 1000 + HOURS + 20 * noise(seed) * 0.5, Tolerance(day=5))
        assert found.verdict == "grows"
        assert found.low_per_h < 1 < found.high_per_h
        assert found.day == pytest.approx(24, rel=0.5)


def test_growth_within_the_tolerance_is_flat() -> None:
    """What grows by less than the tolerance, in a day, in the run or as a share of its size, is of no account."""
    values = 1000 + HOURS
    assert trend(HOURS, values, Tolerance(day=23)).verdict == "grows"
    assert trend(HOURS, values, Tolerance(day=25)).verdict == "flat"
    assert trend(HOURS, values, Tolerance(run=25)).verdict == "flat"
    assert trend(HOURS, values, Tolerance(share=0.1)).verdict == "flat"


def test_a_warm_up_is_cut_off() -> None:
    """What rises in the part that is cut off and then stays is flat; with a shorter cut it grows."""
    values = 1000 + 500 * np.minimum(1, HOURS / 18) + noise(1)
    assert trend(HOURS, values, Tolerance(day=20), warm_up=0.8).verdict == "flat"
    assert trend(HOURS, values, Tolerance(day=20), warm_up=0.1).verdict == "grows"


def test_one_step_is_not_growth() -> None:
    """A single step in mid-run moves least squares, not the verdict: an allocator took memory once."""
    values = np.where(HOURS < 15, 1000.0, 1100.0)
    found = trend(HOURS, values, Tolerance(day=5))
    assert found.ols_per_h > 1
    assert found.verdict == "flat"


def test_a_leak_in_steps_is_growth() -> None:
    """A descriptor that is lost every three hours is found: whole numbers, long stretches alike."""
    found = trend(HOURS, 40 + np.floor(HOURS / 3), Tolerance(day=0.9, run=0.5))
    assert (found.verdict, round(found.day)) == ("grows", 8)


def test_an_outlier_moves_nothing() -> None:
    """One wild value near the end leaves the robust slope where it was."""
    values = 1000 + noise(2)
    values[-1] = 1e6
    found = trend(HOURS, values, Tolerance(day=5))
    assert (found.verdict, round(found.sen_per_h, 1)) == ("flat", 0)
    assert found.ols_per_h > 100


def test_values_may_be_missing() -> None:
    """NaN stands for no value; a series that has too few is not judged, and JSON gets null for what there is not."""
    values = np.where(np.arange(400) % 2, math.nan, 10 + HOURS)
    assert trend(HOURS, values, Tolerance()).sen_per_h == pytest.approx(1)
    assert trend(HOURS[:4], HOURS[:4], Tolerance()).verdict == "too short"
    assert trend(HOURS, HOURS, Tolerance(least_h=20)).verdict == "too short"
    empty = trend([], [], Tolerance())
    assert (empty.verdict, empty.as_dict()["first"]) == ("too short", None)
    json.dumps(empty.as_dict(), allow_nan=False)


def test_totals_become_rates() -> None:
    """A running total becomes what it grew by an hour, but where it falls and where the clock stands still."""
    assert rates([0, 1, 3, 4], [10, 12, 18, 2])[1:3] == [2, 3]
    assert math.isnan(rates([0, 1], [2, 1])[1])
    standing = rates([0, 1, 1.0001, 2], [0, 1, 4, 5])
    assert math.isnan(standing[2])
    assert standing[3] == 4


# -- the day -----------------------------------------------------------------------------------------------------------


def test_a_day_is_long_and_mostly_silent() -> None:
    """A day has its hours, is the same for the same seed, and is recorded for about two thirds of it."""
    stretches = list(day(24, random.Random(3)))
    assert stretches == list(day(24, random.Random(3))) != list(day(24, random.Random(4)))
    assert sum(stretch.seconds for stretch in stretches) == pytest.approx(24 * 3600)
    recorded = sum(stretch.seconds for stretch in stretches if stretch.kind != "idle") / (24 * 3600)
    speech = sum(stretch.seconds * stretch.share for stretch in stretches) / (24 * 3600)
    assert 0.5 < recorded < 0.8
    assert 0.05 < speech < 0.1
    assert max(stretch.seconds for stretch in stretches if stretch.kind == "dictation") < Config().capture.ring_seconds


def test_clips_are_put_into_noise(tmp_path: Path) -> None:
    """A recording has its length, its clips where they are said to be, apart, and nothing but faint noise between."""
    clip = tmp_path / "clip.wav"
    with wave.open(str(clip), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(np.full(16000, 9000, np.int16).tobytes())
    composer = Composer(list(sound_files([tmp_path])), random.Random(1))
    placed = composer.place(Stretch("dictation", 60))
    samples = composer.samples(placed, 60)
    assert len(samples) == 60 * 16000
    assert 5 < len(placed) < 50
    loud = np.zeros(len(samples), bool)
    for piece in placed:
        assert not loud[max(0, piece.first - 8000) : piece.end].any()
        loud[piece.first : piece.end] = True
    assert np.abs(samples[loud] - 9000.0).max() < 400
    assert 20 < samples[~loud].std() < 50
    assert max(piece.end for piece in composer.unbroken(7)) == 7 * 16000


# -- the samples -------------------------------------------------------------------------------------------------------


def test_a_process_is_measured() -> None:
    """Descriptors, threads, memory and time of this very process are counted, and rise when it takes more."""
    before = process(os.getpid())
    wait = threading.Event()
    thread = threading.Thread(target=wait.wait)
    with tempfile.TemporaryFile(), tempfile.TemporaryFile(), tempfile.TemporaryFile():
        thread.start()
        with mmap.mmap(-1, 5 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
            memory.write(b"1" * (5 << 20))
            after = process(os.getpid())
        wait.set()
        thread.join()
    assert after["fds"] - before["fds"] == 3
    assert after["threads"] - before["threads"] == 1
    assert after["anon_kib"] - before["anon_kib"] > 4 * 1024
    assert after["cpu_s"] >= before["cpu_s"] > 0
    assert after["switches"] >= before["switches"] > 0
    assert after["rss_kib"] >= after["pss_kib"] >= after["anon_kib"] > 0


def test_an_ended_process_is_not_there() -> None:
    """A process that has ended and been waited for raises, so that the sampler passes over it."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with pytest.raises((FileNotFoundError, ProcessLookupError)):
        process(child.pid)


def test_files_are_counted_once(tmp_path: Path) -> None:
    """A file that fits two patterns counts once; sizes add up."""
    (tmp_path / "a.jsonl").write_bytes(b"123")
    (tmp_path / "a.jsonl.1").write_bytes(b"4567")
    assert size(tmp_path, "*.jsonl*", "a*") == (2, 7)


def test_the_page_has_every_series_and_every_figure() -> None:
    """docs/soak.md lists each kind of series, and each figure that must be 0."""
    page = (Path(__file__).parents[2] / "docs" / "soak.md").read_text()
    missing = {name for name in (*KINDS, *bench_soak.ZERO) if f"{name}`" not in page} - {"grows"}
    assert missing == set()


# -- the run -----------------------------------------------------------------------------------------------------------


def test_the_settings_are_settings(tmp_path: Path) -> None:
    """What is set for the service is understood by it: nothing becomes late, rests and drafts keep their measure."""
    file = tmp_path / "config.toml"
    file.write_text(f"[inject]\n{bench_soak.configuration(20)}")
    config = load_config(file)
    assert config.inject.deliver_within == 3600
    assert (config.transform.carry, config.stt.draft.interval) == (1.5, 0.01)


@pytest.mark.timeout(400)  # 12 s on two cores that have nothing else to do
def test_a_short_day(beckett: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute and more of a day at 16 times the pace: all is typed, and every process and file has its series."""
    monkeypatch.setattr(soak, "_UNBROKEN_S", 4.0)  # no memory is judged here
    monkeypatch.setattr(soak, "_UNBROKEN_PACE", 16.0)
    told: list[str] = []
    report = bench_soak.run(hours=1.2 / 60, speed=16, seed=2, every=0.3, tell=told.append)
    wanted = {"lost", "duplicated", "out_of_order", "lapped", "in_doubt", "late", "restarts"}
    assert {name: report[name] for name in wanted} == dict.fromkeys(wanted, 0)
    assert (report["ended_early"], report["left_behind"], report["unanswered"]) == ("", "", 0)
    assert report["segments_checked"] >= report["clips"]
    assert report["recordings"] >= 2
    assert report["clips"] >= 2
    assert report["utterances"] == report["typed"] + report["suppressed"] > report["clips"]
    assert report["unheard"] == 0
    stages = {name.partition(".")[0] for name in report["series"]}
    assert stages >= {"conductor", "capture", "vad", "stt-draft", "stt-final", "transform", "inject", "warden"}
    assert {kind for kind in KINDS if not any(kind_of(name) is KINDS[kind] for name in report["series"])} == set()
    assert report["series"]["vad.fds"]["first"] > 3
    assert report["series"]["stt-final.anon_kib"]["min"] > 40_000
    assert report["series"]["latency_ms"]["max"] > 0
    assert report["samples"]["hours"] == sorted(report["samples"]["hours"])
    assert {len(values) for values in report["samples"].values()} == {len(report["samples"]["hours"])}
    assert 1.2 / 60 * 0.7 < report["samples"]["hours"][-1] <= 1.2 / 60
    assert any("getting ready" in line for line in told)
    json.dumps(report, allow_nan=False)
    table = bench_soak.render(report)
    assert "stt-final.anon_kib" in table
    assert len({line.index(" flat") for line in table.splitlines() if " flat" in line and "kib" in line}) == 1
