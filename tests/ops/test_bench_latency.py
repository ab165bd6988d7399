"""The latency benchmark: its settings, its clock, its meter, the peers' processes, and a short run of everything."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sottovoce.actors.audiofile import decode_file
from sottovoce.ops import bench_latency, peers
from sottovoce.ops.bench_latency import configuration, lines
from sottovoce.ops.exceptions import OpsError
from sottovoce.ops.peers import PEERS, PeerMissing
from sottovoce.ops.score import Event
from sottovoce.ops.usage import Meter, family
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import load_config
from sottovoce.protocol.exceptions import ConfigError
from sottovoce.protocol.messages import Draft, Notice, Typed
from sottovoce.protocol.messages import Event as BusEvent

BECKETT = "Ever tried. Ever failed. No matter."
"""What is said in the first 4.6 seconds of the sample."""


@pytest.fixture
def manifest(beckett: Path, tmp_path: Path) -> Path:
    """A manifest with one clip: those seconds, `clip.wav` beside it."""
    soundfile.write(tmp_path / "clip.wav", decode_file(beckett)[: round(4.6 * SAMPLE_RATE)], SAMPLE_RATE)
    path = tmp_path / "manifest.jsonl"
    path.write_text(json.dumps({"audio": "clip.wav", "text": BECKETT, "lang": "en"}))
    return path


# -- settings ----------------------------------------------------------------------------------------------------------


def test_settings_become_the_service_s_configuration(tmp_path: Path) -> None:
    """Numbers, texts with and without quotes, lists and keys of `[inject]` arrive as they were meant."""
    toml, config = configuration(
        ["vad.threshold=0.6", "stt.final.model=tiny", 'history.keep = "session"', "inject.deliver_within=60",
         "stt.draft.enabled=false"]
    )  # fmt: skip
    file = tmp_path / "config.toml"
    file.write_text(f'[inject]\nbackends = ["file"]\nfile = "x"\n{toml}')
    loaded = load_config(file)
    assert (loaded.vad.threshold, loaded.stt.final.model, loaded.history.keep) == (0.6, "tiny", "session")
    assert (loaded.inject.deliver_within, loaded.stt.draft.enabled) == (60, False)
    assert (loaded.vad, loaded.stt, loaded.history) == (config.vad, config.stt, config.history)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("vad.endpiont=0.3", "endpiont"),
        ("vad.threshold=7", r"\$\.vad\.threshold"),
        ("vad.threshold", "SECTION.KEY=VALUE"),
        ("threshold=1", "SECTION.KEY=VALUE"),
    ],
)
def test_a_wrong_setting_is_named(setting: str, said: str) -> None:
    """A key or a value that the configuration does not have is told before anything runs."""
    with pytest.raises(ConfigError, match=said):
        configuration([setting])


def test_a_section_is_no_value() -> None:
    """A key below one that has a value is named, too."""
    with pytest.raises(ConfigError, match="final has been given a value"):
        configuration(["stt.final=1", "stt.final.model=tiny"])


# -- events ------------------------------------------------------------------------------------------------------------


def bus_event(t_ns: int, body: Draft | Typed | Notice) -> BusEvent:
    """Return an event of the bus."""
    return BusEvent(src="stt-final", boot="", seq=1, t_ns=t_ns, trace="", topic="", body=body)


def test_events_are_timed_from_the_first_sample() -> None:
    """Drafts and typed text keep their segment and get seconds since zero; what says nothing of text is left out."""
    draft = Draft(stream=1, first=512, end=9000, text="hel", stable=0, window_id=1)
    typed = Typed(stream=1, first=512, text="Hello.", backend="file", timings_ms={})
    notice = Notice(level="info", stage="vad", code="x", text="y")
    found = lines([bus_event(3 * 10**9, draft), bus_event(4 * 10**9, notice), bus_event(5 * 10**9, typed)], 2 * 10**9)
    assert found == [Event(1.0, "draft", "hel", 512), Event(3.0, "typed", "Hello.", 512)]


# -- what processes take -----------------------------------------------------------------------------------------------

_WORK = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
_PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {_WORK + "print(1, flush=True); input()"!r}], stdin=subprocess.PIPE)
input()
child.communicate()
"""


def test_a_process_counts_with_all_that_it_started() -> None:
    """Processor time and memory are those of the process and of its children; ours are not in it."""
    parent = subprocess.Popen([sys.executable, "-c", _PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        meter = Meter(parent.pid)
        parent.stdout.readline()
        assert len(family(parent.pid)) == 2
        assert set(family(parent.pid)) < set(family(os.getpid()))
        usage = meter.read()
        assert 0.28 < usage.cpu_s < 5
        assert usage.processes == 2
        assert usage.pss_mib > 4
        assert usage.wall_s > 0.2
        parent.communicate("\n")
    assert family(parent.pid) == [parent.pid]


# -- the peers ---------------------------------------------------------------------------------------------------------


def test_a_missing_package_is_named_with_what_installs_it(tmp_path: Path) -> None:
    """A peer that is not installed is an error with the command for that interpreter."""
    bare = tmp_path / "bare" / "bin" / "python"
    venv.create(tmp_path / "bare", symlinks=True)
    with pytest.raises(PeerMissing, match=rf"moonshine-voice.*run: {bare} -m pip install 'moonshine-voice=="):
        peers.check(bare)


def test_an_interpreter_that_does_not_run_is_named(tmp_path: Path) -> None:
    """So is one that is not there, and one that ends at once."""
    with pytest.raises(OpsError, match=r"gone: is no Python that runs.*--peer-python"):
        peers.check(tmp_path / "gone")
    with pytest.raises(OpsError, match="ended with code 1"):
        peers.check(Path("/bin/false"))


@pytest.mark.parametrize("peer", {peer.program: peer for peer in PEERS}.values(), ids=lambda peer: peer.name)
def test_a_peer_hears_a_recording(beckett: Path, tmp_path: Path, peer: peers.Peer) -> None:
    """A peer shows drafts and decides finals of what is said, in the order of time and not before it is said."""
    try:
        assert peers.check(Path(sys.executable), [peer])[peer.program][0].isdigit()
    except PeerMissing as error:
        pytest.skip(str(error))
    with wave.open(str(beckett)) as file:
        rate, pcm = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), np.int16)
    assert rate == 16_000
    pcm = pcm[-round(3.6 * rate) :]  # "Fail again. Fail better."
    wav = tmp_path / "dictation.wav"
    with wave.open(str(wav), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(np.concatenate([pcm, np.zeros(rate, np.int16)]).tobytes())
    seconds = len(pcm) / rate + 1
    events, usage = peers.run(Path(sys.executable), peer, wav, seconds)
    assert {event.kind for event in events} == {"draft", "final"}
    assert [event.t for event in events] == sorted(event.t for event in events)
    assert events[0].t > 0.2
    said = " ".join(event.text for event in events if event.kind == "final").lower()
    assert {"again", "better"} & set(re.findall(r"\w+", said))  # the one that cuts early hears "fair" and "fell"
    assert usage.cpu_s > 0.1
    assert usage.wall_s > seconds - 0.1
    assert usage.pss_mib > 50


# -- the run -----------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(300)
def test_a_short_run(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One clip through a service of its own: every figure is there, the text is right, all of its processes count."""
    told: list[str] = []
    monkeypatch.setattr(bench_latency, "IDLE_S", 0.5)
    monkeypatch.setattr(bench_latency, "_SETTLED_S", 0.5)
    monkeypatch.setattr(bench_latency, "RELEASES", 2)
    monkeypatch.setattr(bench_latency, "sample", lambda: manifest.with_name("clip.wav"))
    report = bench_latency.run(manifest, gaps=[0.8], hesitation=True, settings=["vad.preroll=0.25"], tell=told.append)
    (dictation,) = report["dictations"]
    assert (report["clips"], report["model"], dictation["ratios"]) == (1, "moonshine-tiny-en", {})
    (ours,) = dictation["systems"].values()
    assert (ours["utterances"], ours["missed"]) == (1, 0)
    assert ours["finals"] >= 1
    assert ours["wer"] < 0.5
    # The room of this clip is louder than 35 dB under the voice, so its end by level is the file's, after the words.
    assert -1 < ours["ttfs_p50"] == ours["ttfs_p95"] < 30
    assert ours["ttfd_p50"] < dictation["audio_s"]
    assert ours["processes"] >= 8
    assert ours["cpu_s"] > 0.5
    assert ours["pss_mib"] > 100
    assert ours["pauses"] == sum(row["pauses"] for row in ours["by_pause"]) > 0
    alone = report["alone"]
    assert 0 <= alone["idle_cores"] < 2
    for frames in ("vad_frame_us", "vad_warm_us", "vad_model_us"):
        assert 0 < alone[frames]["p50"] <= alone[frames]["p99"]
    assert alone["ptt"]["releases"] == 2
    json.dumps(report, allow_nan=False)
    table = bench_latency.render(report)
    assert "hesitating, vad.preroll=0.25" in table
    assert all(name in table for name in (*bench_latency.RATIOS, "cut_rate", "0.2 to 0.4 s"))
    assert any("TTFS" in line for line in told)


def test_ratios_are_ours_over_theirs() -> None:
    """Below 1 is better; where they have none, or zero, there is no ratio."""
    theirs = dict.fromkeys(bench_latency.RATIOS, 2.0) | {"wer": 0.0, "flicker": None}
    found = bench_latency.ratios(dict.fromkeys(bench_latency.RATIOS, 1.0) | {"ttfd_p50": None}, theirs)
    assert (found["ttfs_p50"], found["cpu_s"]) == (0.5, 0.5)
    assert (found["wer"], found["flicker"], found["ttfd_p50"]) == (None, None, None)


def test_peers_are_not_run_with_another_model(manifest: Path) -> None:
    """A comparison on two models is refused."""
    with pytest.raises(OpsError, match=r"leave out stt\.final\.model"):
        bench_latency.run(manifest, settings=["stt.final.model=beckett"], against=True)


def test_the_page_has_every_figure() -> None:
    """docs/benchmarks.md explains each figure of the table."""
    page = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text()
    assert {name for name in (*bench_latency.RATIOS, *bench_latency.COUNTS) if f"`{name}`" not in page} == set()
