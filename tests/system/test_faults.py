"""What the machine may lack: memory, descriptors, a place to write; what there may be too much of: services, boots."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from stages import LEAN

from sottovoce.actors.supervisor import Supervisor
from sottovoce.ops import service
from sottovoce.ops.exceptions import AlreadyRunning, NotEnough
from sottovoce.ops.live import feed
from sottovoce.ops.private import PrivateService, leftovers, private_service
from sottovoce.protocol.bus import STAGES
from sottovoce.protocol.clocks import now_ns
from sottovoce.protocol.config import load_config
from sottovoce.protocol.exceptions import PathError
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Event, SpeechOnset
from sottovoce.protocol.paths import Paths
from sottovoce.shm import RingWriter

BIN = Path(sys.executable).parent
WORDS = ["ever", "tried", "ever", "failed", "no", "matter", "try", "again", "fail", "again", "fail", "better"]


def words(text: str) -> list[str]:
    """Return the words of a text, without their case and points."""
    return [word.strip(".,!?").lower() for word in text.split()]


@pytest.fixture
def paths(home: Path) -> Paths:
    """Where that service runs; it types into a file, and its ring is small."""
    paths = Paths(home / "run", home / "state", home / "config.toml").ensure()
    configure(paths)
    return paths


def configure(paths: Paths, more: str = "") -> None:
    """Write the configuration of a service that types into a file."""
    file = paths.config.with_name("typed.txt")
    paths.config.write_text(
        f'[inject]\nbackends = ["file"]\nfile = "{file}"\n[capture]\nring_seconds = 30\n'
        f"[warden]\nrestarts = 100\n{LEAN}{more}"
    )


def text(paths: Paths) -> str:
    """Return what it has typed."""
    file = paths.config.with_name("typed.txt")
    return file.read_text() if file.exists() else ""


def logged(paths: Paths) -> str:
    """Return all that the stages have logged."""
    return "".join(path.read_text() for path in sorted(paths.logs.glob("*.jsonl")))


def wait_until(true: Callable[[], object], seconds: float = 60.0, paths: Paths | None = None) -> None:
    """Look until something is so."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"it did not come about in time\n{logged(paths) if paths else ''}"
        time.sleep(0.05)


def stage_pid(paths: Paths, stage: str) -> int:
    """Return the process that is a stage now, 0 for none."""
    return int(Supervisor(paths.supervisor_socket).processes()[stage]["pid"])


@contextlib.contextmanager
def running(paths: Paths) -> Iterator[None]:
    """Run a service for as long as the block lasts, and have it leave nothing behind."""
    process, _ = service.start(paths, detach=False)
    try:
        yield
    finally:
        service.stop(paths)
        process.wait(10)
    assert leftovers(paths) in ([], [str(paths.runtime / "filler")])


def up(paths: Paths, *, code: int, before: str = "", environ: Mapping[str, str] | None = None) -> str:
    """Run `sottovoce up --detach` after some shell commands; check its exit code and return what it said."""
    done = subprocess.run(
        ["sh", "-c", f'{before}exec "$0" up --detach', BIN / "sottovoce"],
        env={**os.environ, **paths.environment()} if environ is None else environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == code, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


@contextlib.contextmanager
def mounted(path: Path, options: str) -> Iterator[Path]:
    """Have a small file system of its own at `path`; skip where that is not allowed."""
    command = ["mount", "-t", "tmpfs", "-o", f"mode=0700,{options}", "none", path]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"needs the right to mount a file system: {done.stderr.decode().strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


def fill(directory: Path) -> Path:
    """Leave not one byte, and return the file that took them."""
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


# -- memory ------------------------------------------------------------------------------------------------------------


def test_no_room_for_the_ring_is_told_before_anything_starts(paths: Paths) -> None:
    """On a runtime directory that is too small `up` says how much is needed where, and leaves nothing running."""
    configure(paths, '[history]\nkeep = "none"\n')
    with mounted(paths.runtime, "size=2m"):
        said = up(paths, code=1)
        assert f"{paths.runtime}: 6.9 MiB are needed" in said
        assert "ring_seconds" in said
        assert leftovers(paths) in ([], [str(paths.runtime / "service.lock")])
        fill(paths.runtime)
        assert "and 0.0 MiB are free" in up(paths, code=1)


def test_memory_that_runs_out_under_a_service(beckett: Path, paths: Paths) -> None:
    """With no byte left, stages that die wait and say so; with room again, all is typed, once, and no SIGBUS came.

    A ring that is removed and cut short on a full file system stops no stage; with room, the recording goes on.
    """
    with mounted(paths.runtime, "size=12m"), running(paths):
        run_out_of_memory(beckett, paths)
        before, struck = len(text(paths)), False
        for number, _ in onsets(paths, beckett):
            if number == 2 and not struck:
                struck = True
                os.kill(stage_pid(paths, "capture"), signal.SIGSTOP)  # so that it cannot mend it in between
                os.truncate(paths.ring, 0)
                filler = fill(paths.runtime)
                os.kill(stage_pid(paths, "capture"), signal.SIGKILL)
                wait_until(lambda: '"code":"full"' in logged(paths), paths=paths)
                filler.unlink()
        typed = words(text(paths)[before:])
        assert typed[-2:] == WORDS[-2:]
        assert len(typed) <= len(WORDS)


def test_memory_that_runs_out_with_the_journal_in_it(beckett: Path, paths: Paths) -> None:
    """With `keep = "none"` the journal is in that memory, too, and what is said waits for room in the same way."""
    configure(paths, '[history]\nkeep = "none"\n')
    with mounted(paths.runtime, "size=12m"), running(paths):
        run_out_of_memory(beckett, paths)


def run_out_of_memory(beckett: Path, paths: Paths) -> None:
    """Leave no room while somebody speaks, kill four stages, make room once they wait, and look at what is typed."""
    filler = None
    for number, _ in onsets(paths, beckett):
        if number == 2 and filler is None:
            filler = fill(paths.runtime)
            for stage in ("vad", "stt-final", "transform", "capture"):
                os.kill(stage_pid(paths, stage), signal.SIGKILL)
            wait_until(lambda: logged(paths).count("cannot start: ") >= 4, paths=paths)
            filler.unlink()
    assert filler is not None
    wait_until(lambda: words(text(paths)) == WORDS, paths=paths)
    assert "SIGBUS" not in (paths.logs / "supervisord.log").read_text()
    assert "bytes are needed and" in logged(paths)
    assert not any("Bus error" in file.read_text() for file in paths.logs.glob("*.native.log"))


def onsets(paths: Paths, audio: Path) -> Iterator[tuple[int, Event]]:
    """Record a file at three times its pace; yield each event with how many utterances have begun."""
    number = 0
    for event in feed(paths, audio, pace=3):
        number += isinstance(event.body, SpeechOnset)
        yield number, event


# -- descriptors -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(beckett: Path) -> Iterator[PrivateService]:
    """A service whose stages may die often, started under a soft limit of descriptors that is too low."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    try:
        with private_service(config='[warden]\nrestarts = 100\n[vad]\nturn = ""\n') as running:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            yield running
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_low_limit_of_descriptors(shared: PrivateService, paths: Paths) -> None:
    """A soft limit that is too low is raised; a hard one ends `up` with what is needed and how to get it."""
    said = up(paths, code=1, before="ulimit -Sn 64; ulimit -Hn 64; ")
    assert "at most 64 files" in said
    assert "needs 1024" in said
    assert shared.process is not None
    for pid in (shared.process.pid, *(stage_pid(shared.paths, stage) for stage in STAGES)):
        assert resource.prlimit(pid, resource.RLIMIT_NOFILE)[0] >= 1024


@pytest.mark.parametrize(
    "stages", [("vad", "warden"), ("capture", "transform"), ("stt-final", "conductor"), ("stt-draft", "inject")]
)
def test_a_stage_without_descriptors_is_replaced(
    shared: PrivateService, beckett: Path, stages: tuple[str, str]
) -> None:
    """A stage that can open nothing more says so and is replaced; every word of what is being said is typed, once.

    So it is with two of them at once.
    """
    before, pids = shared.text(), dict[str, int]()
    for number, _ in onsets(shared.paths, beckett):
        if number == 2 and not pids:
            pids = {stage: stage_pid(shared.paths, stage) for stage in stages}
            for pid in pids.values():
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(list(Path(f"/proc/{pid}/fd").iterdir())),) * 2)
    assert pids
    wait_until(lambda: all(stage_pid(shared.paths, stage) not in (0, pid) for stage, pid in pids.items()))
    assert words(shared.text().removeprefix(before)) == WORDS
    for stage in stages:
        log = (shared.paths.logs / f"{stage}.jsonl").read_text()
        native = (shared.paths.logs / f"{stage}.native.log").read_text()
        assert "Too many open files" in log + native


# -- too many services -------------------------------------------------------------------------------------------------


def test_two_services_cannot_share_a_journal(paths: Paths, home: Path) -> None:
    """A second service with the same state directory is refused, told where the first one is, and harms it not.

    Once the first one is gone, however it ended, it starts. Missing parents are made. Where the runtime directory is no
    tmpfs, as that of the second one, ring and counters are in a private folder of /dev/shm, until the end.
    """
    disk = Path(tempfile.mkdtemp(prefix="sv-", dir="/var/tmp"))
    first = Paths(home / "a" / "run", home / "b" / "c" / "state", paths.config)
    other = Paths(disk / "run", first.state, paths.config).ensure()
    process, _ = service.start(first, detach=False)
    try:
        assert first.logs.is_dir()
        pids = pids_of(first)
        with pytest.raises(AlreadyRunning, match=f"from the runtime directory {first.runtime};"):
            service.start(other, detach=False)
        assert "another service works with" in up(other, code=1)
        assert pids == pids_of(first)
    finally:
        process.kill()  # the lock goes with it, however it ends
        process.wait(10)
    try:
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids.values()))
        with running(other):
            assert service.running(other) is not None
            if on_disk := other.shared != other.runtime:
                assert other.ring.is_relative_to("/dev/shm")
                assert other.shared.stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(disk)
    if not on_disk:
        pytest.skip("/var/tmp is a tmpfs here: nothing was seen of a runtime directory on a disk")


def pids_of(paths: Paths) -> dict[str, int]:
    """Return the process of each stage."""
    return {stage: info["pid"] for stage, info in Supervisor(paths.supervisor_socket).processes().items()}


# -- another boot ------------------------------------------------------------------------------------------------------


def test_what_another_boot_left_is_told_and_never_typed(paths: Paths, home: Path) -> None:
    """Ring, counters, sockets, locks, a pid file and a journal of the last boot hinder no start; its texts are late."""
    journal = Journal(paths.journal(keep="30d"))
    generation = journal.begin_recording('{"type": "microphone"}')
    with RingWriter.open(paths.ring, seconds=30) as writer:
        journal.capture_began(generation, stream=writer.stream, first=0)
        for first in (1, 2, 3):
            journal.segmented(
                generation=generation, stream=writer.stream, first=first, end=9, speech_end=9, position=9,
                spoken_ns=now_ns(), wall_ns=time.time_ns(),
            )  # fmt: skip
    for ordinal in (1, 2):
        journal.transcribed(ordinal, text="quite secret", model="m")
    journal.transformed(1, text="quite secret", context="")
    journal.close()
    stranger = subprocess.Popen(["sleep", "600"])
    (paths.runtime / "supervisord.pid").write_text(str(stranger.pid))
    for stage in STAGES:
        paths.lock(stage).write_text(str(stranger.pid))
        (paths.shared / f"{stage}.counters").write_bytes(bytes(512))
        (paths.shared / f"{stage}.counters").chmod(0o600)
    for name in ("supervisor.sock", "control", "ring.doorbell", *(f"{stage}.events" for stage in STAGES)):
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(paths.runtime / name))
    boot = home / "boot"
    boot.write_text(f"{uuid.uuid4()}\n")
    reboot = f"mount --bind {boot} /proc/sys/kernel/random/boot_id && "
    try:
        require_unshare("--mount")
        said = subprocess.run(
            ["unshare", "--mount", "sh", "-c", f'{reboot} exec "$0" up --detach', BIN / "sottovoce"],
            env={**os.environ, **paths.environment()}, capture_output=True, text=True, check=False, timeout=90,
        )  # fmt: skip
        assert said.returncode == 0, said.stderr
        assert "2 utterances of another boot are not typed any more" in said.stderr
        assert "the audio of 1 utterances" in said.stderr
        journal = Journal(paths.journal(keep="30d"))
        wait_until(lambda: journal.unfinished() == 0 and not journal.open_recordings(), paths=paths)
        assert [row.state for row in journal.utterances()] == ["late", "late", "suppressed"]
        assert "audio is gone" in (journal.utterance(3).reason or "")
        journal.close()
        assert text(paths) == ""
        assert "left behind by another boot" in logged(paths)
        assert stranger.poll() is None
        assert service.stop(paths)
        assert leftovers(paths) == []
    finally:
        stranger.kill()
        stranger.wait()


def require_unshare(*arguments: str) -> None:
    """Skip where such a namespace may not be made."""
    done = subprocess.run(["unshare", *arguments, "true"], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"needs the right to make a namespace: {done.stderr.decode().strip()}")


# -- places ------------------------------------------------------------------------------------------------------------


def test_a_read_only_state_directory_is_named(paths: Paths) -> None:
    """Where nothing can be written, `up` ends with exit code 5, the directory and the variable that names another."""
    with mounted(paths.state, "size=1m"):
        paths.ensure()
        subprocess.run(["mount", "-o", "remount,ro", paths.state], check=True)
        said = up(paths, code=5)
        assert f"{paths.state}: nothing can be written there: Read-only file system" in said
        assert "SOTTOVOCE_STATE_DIR" in said
    assert leftovers(paths) in ([], [str(paths.runtime / "service.lock")])


def test_a_full_state_directory_is_named(paths: Paths) -> None:
    """Where the disk of the state directory is full, `up` says so."""
    with mounted(paths.state, "size=1m"):
        paths.ensure()
        fill(paths.state)
        said = up(paths, code=1)
        assert str(paths.state) in said
        assert "make room" in said


def test_a_place_that_cannot_be_made_is_named(paths: Paths, home: Path) -> None:
    """A parent that is a file, or one of another user, ends `up` with exit code 5 and what is wrong with it."""
    (home / "file").touch()
    below, itself = (Paths(paths.runtime, state, paths.config) for state in (home / "file" / "state", home / "file"))
    assert str(below.state) in up(below, code=5)
    with pytest.raises(PathError, match=str(itself.state)):
        service.start(itself, detach=False)
    other = home / "theirs"
    other.mkdir(mode=0o700)
    if os.geteuid():
        pytest.skip("needs root, to give a folder to somebody else")
    os.chown(other, 65534, 65534)
    assert "belongs to uid 65534" in up(Paths(other, paths.state, paths.config), code=5)
    with pytest.raises(PathError, match="belongs to uid 65534"):
        service.start(Paths(paths.runtime, other, paths.config), detach=False)


def test_without_a_runtime_directory_of_the_session(paths: Paths, home: Path) -> None:
    """Without XDG_RUNTIME_DIR the service runs in a folder of /dev/shm; where that is no tmpfs, `up` says so."""
    require_unshare("--mount")
    environ = {
        name: value
        for name, value in {**os.environ, **paths.environment()}.items()
        if name not in ("XDG_RUNTIME_DIR", "SOTTOVOCE_RUNTIME_DIR")
    }
    script = (
        f"mount --bind {home} /mnt && mount -t tmpfs none /dev/shm && mkdir -p {home} && mount --bind /mnt {home} && "
        '"$0" up --detach && ls /dev/shm/sottovoce-*/audio.ring && "$0" down'
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, BIN / "sottovoce"],
        env=environ, capture_output=True, text=True, check=False, timeout=90,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"/dev/shm/sottovoce-{os.getuid()}/audio.ring" in done.stdout
    ramless = (
        "mkdir -p /var/tmp/sv-shm && mount --bind /mnt /mnt && mount --bind /var/tmp/sv-shm /dev/shm && "
        '"$0" up --detach; code=$?; rm -rf /var/tmp/sv-shm/*; exit $code'
    )
    environ["SOTTOVOCE_STATE_DIR"], environ["SOTTOVOCE_CONFIG"] = "/var/tmp/sv-shm/state", str(home / "none.toml")
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", ramless, BIN / "sottovoce"],
        env=environ, capture_output=True, text=True, check=False, timeout=90,
    )  # fmt: skip
    Path("/var/tmp/sv-shm").rmdir()
    assert done.returncode == 5, done.stderr
    assert "not on a tmpfs" in done.stderr


def test_room_is_counted_for_what_is_not_there_yet(paths: Paths) -> None:
    """A ring that has its memory already needs it no second time, so a service that was killed can be started again."""
    from sottovoce.ops.preflight import require_room

    config = load_config(paths.config)
    with mounted(paths.runtime, "size=4m"):
        RingWriter.open(paths.ring, seconds=30).close()
        require_room(paths, config)
        paths.ring.unlink()
        (paths.runtime / "other").write_bytes(bytes(3 << 19))
        with pytest.raises(NotEnough, match=r"2\.9 MiB"):
            require_room(paths, config)
