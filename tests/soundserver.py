"""A sound server of a test's own: a speaker, whose monitor is a microphone, and microphones to plug and unplug."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sottovoce.protocol.clocks import SAMPLE_RATE

PATIENCE_S = 60.0  # what is waited for here takes 0.3 s
# Alone, without the system's configuration, whose twenty devices PortAudio would try one after the other.
ALSA = """
pcm.default { type pulse hint { show on description "Default" } }
ctl.default { type pulse }
"""


class SoundServer:
    """A PulseAudio that has one sink, `speaker`.

    Args:
        folder: where its files are.
        microphones: names of sources that hear what the sink plays, the first being the default; without one, the
            default is the sink's monitor.
    """

    processes: list[subprocess.Popen[bytes]]
    address = "pulse.sock"

    def __init__(self, folder: Path, *microphones: str) -> None:
        self._folder, self._microphones = folder, microphones
        self._modules: dict[str, str] = {}
        self.environ = {
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_SERVER": f"unix:{folder}/{self.address}",
            "ALSA_CONFIG_PATH": str(folder / "alsa.conf"),
            "PULSE_LATENCY_MSEC": "20",
        }
        (folder / "alsa.conf").write_text(ALSA)
        self.start()

    def start(self) -> None:
        """Start it, at first or again."""
        self.processes = []
        self.run_server()
        deadline = time.monotonic() + PATIENCE_S
        while not self.does("set-default-source", "speaker.monitor"):
            assert time.monotonic() < deadline, (self._folder / "server.log").read_text()
            time.sleep(0.02)
        for name in self._microphones:
            self.plug(name)
        if self._microphones:
            self.default(self._microphones[0])

    def run_server(self) -> None:
        """Start its processes, with the speaker."""
        self.spawn(
            "pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=yes",
            # A null sink that rewinds renders up to two seconds ahead: the first sound came after 1.6 s, now 0.04.
            "-L", f"module-null-sink sink_name=speaker rate={SAMPLE_RATE} channels=1 norewinds=1",
            "-L", "module-rescue-streams",  # as in every default configuration
            "-L", f"module-native-protocol-unix auth-anonymous=1 socket={self._folder}/pulse.sock",
        )  # fmt: skip

    def spawn(self, *command: str) -> None:
        """Start one of its processes."""
        with (self._folder / "server.log").open("ab") as log:
            environ = {**os.environ, **self.environ}
            self.processes.append(subprocess.Popen(command, env=environ, stdout=log, stderr=log))

    def pactl(self, *arguments: str) -> str:
        """Ask the server something."""
        command = ["pactl", *arguments]
        return subprocess.run(
            command, env={**os.environ, **self.environ}, capture_output=True, check=True, timeout=PATIENCE_S, text=True
        ).stdout.strip()

    def does(self, *arguments: str) -> bool:
        """Ask the server for something, and whether it was done."""
        try:
            self.pactl(*arguments)
        except subprocess.CalledProcessError:
            return False
        return True

    def plug(self, name: str, channels: int = 1) -> None:
        """Plug a microphone in that hears the speaker."""
        self._modules[name] = self.pactl(
            "load-module", "module-remap-source", f"source_name={name}", "master=speaker.monitor",
            f"source_properties=device.description=The-{name}", f"channels={channels}",
        )  # fmt: skip

    def unplug(self, name: str) -> None:
        """Pull a microphone out."""
        self.pactl("unload-module", self._modules.pop(name))

    def default(self, name: str) -> None:
        """Make a source the default."""
        self.pactl("set-default-source", name)

    def play(self, path: Path) -> None:
        """Play a file to its end."""
        assert self.playing(path).wait(40) == 0

    def playing(self, path: Path) -> subprocess.Popen[bytes]:
        """Begin to play a file."""
        # With the 20 ms of `environ`, which go before the option, a loaded machine put silence of 5 ms into a chirp.
        environ = {**os.environ, **self.environ}
        del environ["PULSE_LATENCY_MSEC"]
        return subprocess.Popen(["paplay", "--latency-msec=500", str(path)], env=environ)

    def freeze(self) -> None:
        """Have it hang."""
        for process in self.processes:
            process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        for process in self.processes:
            process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a crash would."""
        for process in reversed(self.processes):
            process.kill()
            process.wait()


class PipeWire(SoundServer):
    """A PipeWire in its place: the same questions, other answers now and then."""

    address = "pulse/native"

    def run_server(self) -> None:
        """Start its processes, then the speaker."""
        for left in self._folder.glob("pipewire-0*"):
            left.unlink()
        bus = f"unix:path={self._folder}/bus"
        (self._folder / "bus").unlink(missing_ok=True)
        self.environ["DBUS_SESSION_BUS_ADDRESS"] = bus
        self.spawn("dbus-daemon", "--session", "--nofork", f"--address={bus}")
        self._wait_for("bus")
        self.spawn("pipewire")
        self._wait_for("pipewire-0")
        self.spawn("wireplumber")
        self.spawn("pipewire-pulse")
        deadline = time.monotonic() + PATIENCE_S
        speaker = ("load-module", "module-null-sink", "sink_name=speaker", f"rate={SAMPLE_RATE}", "channels=1")
        while not self.does(*speaker):
            assert time.monotonic() < deadline, (self._folder / "server.log").read_text()
            time.sleep(0.05)

    def _wait_for(self, name: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not (self._folder / name).exists():
            assert time.monotonic() < deadline, (self._folder / "server.log").read_text()
            time.sleep(0.02)


_NEEDED: dict[type[SoundServer], dict[str, str]] = {
    SoundServer: {"pulseaudio": "pulseaudio"},
    PipeWire: {
        "pipewire": "pipewire",
        "pipewire-pulse": "pipewire-pulse",
        "wireplumber": "wireplumber",
        "dbus-daemon": "dbus-daemon",
    },
}


@contextmanager
def sound_server(*microphones: str, kind: type[SoundServer] = SoundServer) -> Iterator[SoundServer]:
    """Run a sound server for the length of the block; skip the test where something is missing."""
    if ctypes.util.find_library("portaudio") is None:
        pytest.skip("PortAudio is not here; run: apt install libportaudio2")
    for tool, package in {"pactl": "pulseaudio-utils", "paplay": "pulseaudio-utils", **_NEEDED[kind]}.items():
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not here; run: apt install --no-install-recommends {package}")
    if not list(Path("/usr/lib").glob("**/alsa-lib/libasound_module_pcm_pulse.so")):
        pytest.skip("ALSA's pulse plugin is not here; run: apt install libasound2-plugins")
    with tempfile.TemporaryDirectory(prefix="sv-pulse-", ignore_cleanup_errors=True) as folder:
        running = kind(Path(folder), *microphones)
        try:
            yield running
        finally:
            running.kill()
