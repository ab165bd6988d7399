"""Audio files: every common kind comes out alike, and every broken one as one clear line."""

from __future__ import annotations

import contextlib
import os
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from sottovoce.actors.audiofile import AudioFileError, blocks, decode_file, info

Samples = NDArray[np.float32]
SPEECH = Path(__file__).parents[2].parent / "shared" / "speech" / "clips"
RATE = 22_050


def tone(seconds: float = 2.0, rate: int = RATE, hertz: float = 440.0) -> Samples:
    """Return a sine of half of full scale."""
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def loudest_hertz(samples: Samples) -> float:
    """Return the frequency of the strongest component at 16 kHz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * 16_000 / len(samples)


def write(path: Path, samples: Samples, rate: int = RATE, **how: str) -> Path:
    """Write a sound file with libsndfile."""
    soundfile.write(path, samples, rate, **how)
    return path


def encode(path: Path, samples: Samples, codec: str, rate: int) -> Path:
    """Write a sound file with FFmpeg."""
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="fltp", layout="mono")
        frame.sample_rate = rate
        frame.pts = 0
        for packets in (stream.encode(frame), stream.encode(None)):
            container.mux(packets)
    return path


@pytest.fixture
def clip() -> Callable[[str], Path]:
    """Return a function that gives a clip of the shared speech, or skips the test."""

    def path(name: str) -> Path:
        if not (SPEECH / name).exists():
            pytest.skip(f"needs the shared speech clips beside the checkout ({name})")
        return SPEECH / name

    return path


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.wav", {"subtype": "PCM_16"}),
        ("a.wav", {"subtype": "PCM_24"}),
        ("a.wav", {"subtype": "FLOAT"}),
        ("a.wav", {"subtype": "ULAW"}),
        ("a.wav", {"subtype": "PCM_16", "format": "RF64"}),
        ("a.wav", {"subtype": "PCM_16", "format": "WAVEX"}),
        ("a.flac", {}),
        ("a.ogg", {}),
        ("a.aiff", {}),
        ("a.mp3", {}),
        ("a.caf", {}),
        ("a.au", {}),
        ("no-extension", {"format": "FLAC"}),
        ("wrong.txt", {"format": "MP3"}),
    ],
)
def test_every_format_comes_out_alike(tmp_path: Path, name: str, how: dict[str, str]) -> None:
    """The same tone, in whatever file under whatever name, is the same two seconds of mono float32 at 16 kHz."""
    path = write(tmp_path / name, tone(), **how)
    samples = decode_file(path)
    assert samples.dtype == np.float32
    assert len(samples) == 32_000
    assert loudest_hertz(samples) == pytest.approx(440, abs=1)
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.03)
    found = info(path)
    assert (found.path, found.sample_rate, found.channels) == (path, RATE, 1)
    assert found.duration_s == pytest.approx(2.0, abs=0.001)


@pytest.mark.parametrize(
    ("name", "codec", "rate"), [("a.m4a", "aac", 44_100), ("a.webm", "libopus", 48_000), ("a.mka", "aac", 22_050)]
)
def test_what_libsndfile_does_not_read_comes_out_too(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    """M4A from a telephone and WebM from a browser are read, to within the codec's padding."""
    path = encode(tmp_path / name, tone(rate=rate), codec, rate)
    samples = decode_file(path)
    assert len(samples) == pytest.approx(32_000, abs=1_600)
    assert loudest_hertz(samples) == pytest.approx(440, abs=1)
    assert info(path).sample_rate == rate


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_rate_and_channels(tmp_path: Path, rate: int, channels: int) -> None:
    """The length follows the rate to the sample, and channels are averaged: one of n gives an nth."""
    heard = np.zeros((rate * 2, channels), np.float32)
    heard[:, 0] = tone(rate=rate)
    samples = decode_file(write(tmp_path / "a.wav", heard, rate))
    assert len(samples) == 32_000
    assert np.abs(samples[1_000:-1_000]).max() == pytest.approx(0.5 / channels, rel=0.02)
    assert loudest_hertz(samples) == pytest.approx(440, abs=1)


def test_16_khz_is_untouched(tmp_path: Path) -> None:
    """What has the right rate already comes out bit by bit."""
    samples = tone(rate=16_000)
    assert np.array_equal(decode_file(write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")), samples)


@pytest.mark.parametrize("frames", [512, 1, 40_000])
def test_blocks_are_the_whole_in_order(tmp_path: Path, frames: int) -> None:
    """Blocks have the size asked for, but for the last, and together are what decode_file gives."""
    path = write(tmp_path / "a.flac", tone(2.1))
    parts = list(blocks(path, frames))
    assert {len(part) for part in parts[:-1]} <= {frames}
    assert 0 < len(parts[-1]) <= frames
    assert np.array_equal(np.concatenate(parts), decode_file(path))


def test_blocks_take_flat_memory(tmp_path: Path) -> None:
    """Ten minutes of stereo are read with the memory of a few seconds."""
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 44_100, 2) as file:
        second = np.repeat(tone(1.0, 44_100)[:, np.newaxis], 2, axis=1)
        for _ in range(600):
            file.write(second)
    tracemalloc.start()
    try:
        assert sum(len(block) for block in blocks(path)) == 600 * 16_000
        assert tracemalloc.get_traced_memory()[1] < 5_000_000  # the whole of it is 38 MB
    finally:
        tracemalloc.stop()


def test_an_abandoned_file_is_closed(tmp_path: Path) -> None:
    """Whoever stops in the midst leaves no file open."""
    path = write(tmp_path / "a.wav", tone())
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - one less descriptor of our own
    reading = blocks(path)
    next(reading)
    reading.close()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("LJ001-0004.wav", 5.139), ("LJ001-0004.flac", 5.139), ("LJ001-0004.mp3", 5.139), ("jfk.flac", 11.0)],
)
def test_real_speech(clip: Callable[[str], Path], name: str, seconds: float) -> None:
    """Real recordings in three formats and two rates have their length."""
    assert len(decode_file(clip(name))) / 16_000 == pytest.approx(seconds, abs=0.001)


def test_the_same_speech_in_three_formats_is_the_same_sound(clip: Callable[[str], Path]) -> None:
    """FLAC is the WAV exactly; MP3 is it to within its loss, and not shifted by the encoder's delay."""
    wav, flac, mp3 = (decode_file(clip(f"LJ001-0004.{kind}")) for kind in ("wav", "flac", "mp3"))
    assert np.array_equal(wav, flac)
    assert np.corrcoef(wav, mp3)[0, 1] > 0.98


# What cannot be read. Each is made for real; each is one line that names the file, from decode_file and from blocks.


def refused(path: Path, says: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that a file is refused in one line, by every way in, and that no library prints anything."""
    for read in (decode_file, lambda path: list(blocks(path))):
        with pytest.raises(AudioFileError, match=says) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_what_is_no_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A missing file, a directory, a pipe and an empty file are each told apart."""
    refused(tmp_path / "missing.wav", "No such file or directory", capfd)
    refused(tmp_path, "is not a regular file", capfd)
    os.mkfifo(tmp_path / "pipe.wav")
    refused(tmp_path / "pipe.wav", "is not a regular file", capfd)
    (tmp_path / "empty.wav").touch()
    refused(tmp_path / "empty.wav", r"is empty \(0 bytes\)", capfd)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.m4a", "a"])
@pytest.mark.parametrize("content", [b"Dear Sir,\nit is late.\n" * 50, bytes(5_000), b"RIFF", b"ID3"])
def test_what_is_no_audio(tmp_path: Path, name: str, content: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    """Text, zeros and bare beginnings under any name are not audio."""
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, "not a readable audio file", capfd)


def test_a_header_and_nothing_after_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A WAV of 44 bytes, what a recorder that never heard anything leaves, holds no samples."""
    path = write(tmp_path / "a.wav", np.empty(0, np.float32), subtype="PCM_16")
    assert path.stat().st_size == 44
    refused(path, "holds no audio samples", capfd)


@pytest.mark.parametrize("kind", ["WAV", "RF64", "WAVEX"])
def test_a_wav_cut_short(tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A WAV with less than its header promises is refused with both lengths, already by its header."""
    path = write(tmp_path / "a.wav", tone(4.0), subtype="PCM_16", format=kind)
    os.truncate(path, path.stat().st_size - 2 * 2 * RATE)
    refused(path, r"is cut short or damaged: it promises 4\.00 s of audio and holds 2\.00 s", capfd)
    with pytest.raises(AudioFileError, match="cut short"):
        info(path)


@pytest.mark.parametrize("kind", ["ogg", "opus"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_an_ogg_cut_short(tmp_path: Path, kind: str, part: float, capfd: pytest.CaptureFixture[str]) -> None:
    """An OGG cut anywhere within a page is refused; cut between two, as a recorder leaves it, it is read."""
    noise = np.random.default_rng(3).normal(0, 0.1, 96_000).astype(np.float32)
    path = write(tmp_path / "a.ogg", noise, 24_000, format="OGG", subtype="OPUS" if kind == "opus" else "VORBIS")
    data = path.read_bytes()
    assert len(decode_file(path)) == 64_000
    os.truncate(path, round(len(data) * part))
    refused(path, "is cut short: it ends within a page", capfd)
    last_page = data.rindex(b"OggS")
    os.truncate(path, 0)
    path.write_bytes(data[:last_page])
    assert 32_000 < len(decode_file(path)) < 64_000


@pytest.mark.parametrize("kind", ["mp3", "flac", "mka"])
def test_others_cut_short(tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Half an MP3, FLAC or Matroska is refused, not transcribed as if it were all."""
    path = tmp_path / f"a.{kind}"
    encode(path, tone(4.0), "aac", RATE) if kind == "mka" else write(path, tone(4.0))
    os.truncate(path, path.stat().st_size // 2)
    refused(path, "is cut short or damaged: it promises 4|not a readable audio file", capfd)


@pytest.mark.parametrize("kind", ["flac", "ogg", "mp3"])
def test_damage_in_the_midst(tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A file overwritten in the midst is refused, and the libraries' chatter stays out of sight."""
    noise = np.random.default_rng(3).normal(0, 0.1, RATE * 4).astype(np.float32)  # a tone packs too small to damage
    path = write(tmp_path / f"a.{kind}", noise)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 6_000] = np.random.default_rng(4).bytes(6_000)
    path.write_bytes(data)
    refused(path, "not a readable audio file|cut short", capfd)


@pytest.mark.parametrize("length", [0xFFFF_FFFF, 0x7FFF_FFFF, 0])
def test_a_streamed_wav_has_no_length(tmp_path: Path, length: int) -> None:
    """A WAV written to a pipe, or by a recorder that was killed, has no length in its header: it is read to its end."""
    path = write(tmp_path / "a.wav", tone(), subtype="PCM_16")
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, 40, length)
    path.write_bytes(data)
    assert len(decode_file(path)) == 32_000


def test_chunks_before_the_samples_are_passed_over(tmp_path: Path) -> None:
    """A WAV with other chunks, one of odd length, before its samples is not thought to be cut."""
    data = write(tmp_path / "a.wav", tone(), subtype="PCM_16").read_bytes()
    extra = b"LIST" + struct.pack("<I", 5) + b"hello\0" + b"junk" + struct.pack("<I", 2) + b"xx"
    path = tmp_path / "b.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(data) - 8 + len(extra)) + data[8:36] + extra + data[36:])
    assert len(decode_file(path)) == 32_000


def test_an_mp3_without_a_length_is_read_to_its_end(tmp_path: Path) -> None:
    """An MP3 whose first frame does not say how long it is, a stream's recording, is not thought to be cut."""
    data = write(tmp_path / "a.mp3", tone(4.0)).read_bytes()
    first = data.index(b"\xff", 4) if b"Xing" in data[:200] or b"Info" in data[:200] else 0
    path = tmp_path / "b.mp3"
    path.write_bytes(data[first:])
    assert b"Xing" not in path.read_bytes()[:200]
    assert len(decode_file(path)) == pytest.approx(64_000, abs=3_200)


@pytest.mark.parametrize(
    "text",
    ["#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2.0,\na.mp3\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile a.mp3\n"],
)
def test_a_playlist_opens_no_other_file(tmp_path: Path, text: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A list that names other files, or addresses, is not followed, whatever FFmpeg could do with it."""
    write(tmp_path / "a.mp3", tone())
    (tmp_path / "list.m3u8").write_text(text)
    refused(tmp_path / "list.m3u8", "not a readable audio file", capfd)


def test_samples_that_are_no_numbers(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """NaN in a float WAV is refused with the place, since every model would choke on it later."""
    samples = tone()
    samples[RATE + 10] = np.nan
    refused(write(tmp_path / "a.wav", samples, subtype="FLOAT"), r"not numbers near 1\.00 s", capfd)


def test_a_film_without_sound(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A video file with no audio stream says so."""
    with av.open(tmp_path / "a.mkv", "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        for packets in (stream.encode(frame), stream.encode(None)):
            container.mux(packets)
    refused(tmp_path / "a.mkv", "has no audio in it", capfd)


def test_an_unknown_codec_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A WAV in a format that neither library knows is refused, not decoded as noise."""
    data = bytearray(write(tmp_path / "a.wav", tone(), subtype="PCM_16").read_bytes())
    struct.pack_into("<H", data, 20, 0x7F7F)
    (tmp_path / "a.wav").write_bytes(data)
    refused(tmp_path / "a.wav", "not a readable audio file: wav with an unknown codec", capfd)


def test_a_title_in_another_encoding_does_no_harm(tmp_path: Path) -> None:
    """Tags that are not UTF-8, as old taggers write them, do not keep the sound from being read."""
    path = tmp_path / "a.m4a"
    with av.open(path, "w") as container:
        container.metadata["title"] = "Uebermorgen"
        stream = container.add_stream("aac", rate=RATE)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(tone()[np.newaxis], format="fltp", layout="mono")
        frame.sample_rate = RATE
        frame.pts = 0
        for packets in (stream.encode(frame), stream.encode(None)):
            container.mux(packets)
    data = path.read_bytes()
    assert b"Uebermorgen" in data
    path.write_bytes(data.replace(b"Uebermorgen", "\xdcbermorgen.".encode("latin-1")))
    assert len(decode_file(path)) > 30_000


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "m4a", "webm"])
def test_whatever_the_bytes_are_it_is_sound_or_one_line(
    tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Files with a few bytes changed at random either decode or raise AudioFileError, and nothing is printed."""
    path = tmp_path / f"a.{kind}"
    if kind in {"m4a", "webm"}:
        rate = 48_000
        encode(path, tone(0.5, rate), "aac" if kind == "m4a" else "libopus", rate)
    else:
        write(path, tone(0.5))
    whole = path.read_bytes()
    rng = np.random.default_rng(11)
    for _ in range(60):
        data = bytearray(whole)
        for at in rng.integers(0, min(len(data), rng.choice([60, 400, len(data)])), 4):
            data[at] = rng.choice([0, 0x7F, 0x80, 0xFF])
        path.write_bytes(data)
        with contextlib.suppress(AudioFileError):
            assert np.isfinite(decode_file(path)).all()
    assert capfd.readouterr() == ("", "")
