"""The microphone, through PortAudio: its callback writes the ring, and does nothing else.

The callback runs on PortAudio's thread. It publishes the block, counts overflows, notes the time, and writes one byte
to an eventfd that wakes the stage's loop; the doorbell is rung there, since a zmq socket belongs to one thread.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sottovoce.actors.capture.feed import FeedEnded
from sottovoce.actors.exceptions import ActorError
from sottovoce.protocol.clocks import SAMPLE_RATE, now_ns, suspended_ns
from sottovoce.shm import FRAME_SAMPLES, RingWriter

_ASLEEP_NS = 100_000_000  # what the two clocks differ by at most without a suspend is microseconds
_SILENT_NS = 3_000_000_000
"""No callback for this long: the sound server is gone or hung. A first one may take 2 s (DESIGN section 6)."""


class MicrophoneUnavailable(ActorError):
    """The input device cannot be opened; the text says what was tried and what to do."""


class MicrophoneFeed:
    """Feeds an input device.

    Args:
        writer: the ring.
        device: "default", an index, or part of a device's name.

    Raises:
        MicrophoneUnavailable: no PortAudio, no such device, or it is refused.
    """

    def __init__(self, writer: RingWriter, device: str) -> None:
        try:
            import sounddevice
        except OSError as error:  # the wheel needs the system's libportaudio
            raise MicrophoneUnavailable(
                f"{error}; install PortAudio: apt install libportaudio2 (Debian), dnf install portaudio (Fedora)"
            ) from error
        self._writer = writer
        self.wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._heard_ns = now_ns()
        self._asleep_ns = suspended_ns()
        self._resampler: Any = None
        chosen = None if device == "default" else int(device) if device.isdigit() else device
        try:
            rate = self._rate(sounddevice, chosen)
            self._stream = sounddevice.InputStream(
                samplerate=rate, device=chosen, channels=1, dtype="float32",
                blocksize=FRAME_SAMPLES * rate // SAMPLE_RATE, latency="low", callback=self._callback,
            )  # fmt: skip
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            os.close(self.wake)
            raise MicrophoneUnavailable(
                f"input device {device!r} cannot be opened: {error}; choose another with [capture] device in the "
                "configuration, or check that the sound server runs"
            ) from error

    def _rate(self, sounddevice: Any, device: int | str | None) -> int:
        """Return 16 kHz where the device takes it, else its own rate, resampled here."""
        try:
            sounddevice.check_input_settings(device=device, channels=1, dtype="float32", samplerate=SAMPLE_RATE)
        except sounddevice.PortAudioError:
            import soxr

            rate = int(sounddevice.query_devices(device, "input")["default_samplerate"])
            self._resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
            return rate
        return SAMPLE_RATE

    def _callback(self, indata: NDArray[np.float32], _frames: int, _time: Any, status: Any) -> None:
        now = now_ns()
        if (slept := suspended_ns() - self._asleep_ns) > _ASLEEP_NS:
            # What was said before and what is said after are not one sentence: the index jumps over the time between.
            self._asleep_ns += slept
            self._writer.skip(slept * SAMPLE_RATE // 10**9)
        samples = indata[:, 0]
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples)
        if status.input_overflow:
            self._writer.count_xruns(1)
        for start in range(0, len(samples), FRAME_SAMPLES):
            self._writer.publish(samples[start : start + FRAME_SAMPLES], capture_ns=now)
        self._heard_ns = now
        os.eventfd_write(self.wake, 1)

    def pump(self) -> bool:
        """Tell whether the callback has published since the last call.

        Raises:
            FeedEnded: no callback came for 3 s.
        """
        try:
            return os.eventfd_read(self.wake) > 0
        except BlockingIOError:
            if now_ns() - self._heard_ns > _SILENT_NS:
                raise FeedEnded("the sound server stopped answering") from None
            return False

    def sleep_ms(self) -> int:
        """Return the longest sleep; `wake` ends it sooner."""
        return 250

    def close(self) -> None:
        """Stop the device. May block for ever on a hung server; the warden's limit ends that."""
        self._stream.abort()
        self._stream.close()
        os.close(self.wake)
