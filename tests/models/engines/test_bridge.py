"""The bridge: what a child does well comes through, what it does badly costs one decode and leaves nothing behind."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import leftovers
import numpy as np
import pytest
from numpy.typing import NDArray
from stages import wait_until

from sottovoce.models import DecodeCancelled, EngineFailed, EngineSettings, Entry, load_engine
from sottovoce.models.engines.bridge import Bridge
from sottovoce.models.engines.spool import Spool
from sottovoce.shm import RingReader, RingWriter

CHILDREN = Path(__file__).parents[1] / "bridge"
SECRET = "swordfish"  # noqa: S105
Samples = NDArray[np.float32]
Make = Callable[..., Bridge]


def entry(program: str, *arguments: str, **options: str | float | bool) -> Entry:
    """Return a catalogue entry for one of the children."""
    return Entry(
        name="child",
        task="asr",
        engine="bridge",
        licence="MIT",
        command=("{python}", str(CHILDREN / f"{program}.py"), *arguments),
        hotwords="prompt",
        options=options,
    )


def tone(samples: int, peak: float = 0.5) -> Samples:
    """Return samples of which the greatest is `peak`."""
    return np.linspace(-peak, peak, samples, dtype=np.float32)


def fill(writer: RingWriter) -> None:
    """Put 8,192 samples into a ring."""
    for frame in tone(8_192).reshape(-1, 512):
        writer.publish(frame, capture_ns=0)


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a runtime directory in memory; nothing may be in it in the end."""
    path = Path(tempfile.mkdtemp(prefix="sottovoce-test-", dir="/dev/shm"))
    monkeypatch.setenv("SOTTOVOCE_RUNTIME_DIR", str(path))
    yield path
    left = sorted(path.iterdir())
    shutil.rmtree(path)
    assert left == []


@pytest.fixture
def make(runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Return a function that makes a bridge; nothing of it may be left in the end."""
    mark = f"LEFTOVER={uuid.uuid4().hex}"
    monkeypatch.setenv(*mark.split("="))
    descriptors = leftovers.descriptors()
    made: list[Bridge] = []

    def make(
        program: str,
        *arguments: str,
        settings: EngineSettings = EngineSettings(timeout_s=20.0),  # noqa: B008 - it is frozen
        clock: Callable[[], float] = time.monotonic,
        **options: str | float | bool,
    ) -> Bridge:
        made.append(Bridge(entry(program, *arguments, **options), tmp_path, settings, clock=clock))
        return made[-1]

    yield make
    for bridge in made:
        bridge.close()
        bridge.close()
    made.clear()
    assert leftovers.processes(mark) == []
    assert leftovers.zombies() == []
    assert leftovers.threads("child") == []
    assert leftovers.descriptors() == descriptors


def test_what_the_child_hears_comes_through(make: Make, tmp_path: Path) -> None:
    """Text, tokens, words, probability and language of the child are the result's, with both times."""
    bridge = make("echo", settings=EngineSettings(language="de", hotwords=("Zürich", "\u2028"), provider="cpu"))
    result = bridge.decode(tone(16_000))
    assert result.text == "16000 samples, peak 0.5000 Zürich \u2028".strip()
    assert result.tokens == (" tok", "en")
    assert [(word.text, word.start_s, word.end_s) for word in result.words] == [("token", 0.0, 1.0)]
    assert (result.log_prob, result.language, result.audio_s) == (-0.5, "de", 1.0)
    assert result.load_s > 0
    assert result.decode_s > 0
    assert bridge.device == "cpu"
    assert f"loading child from {tmp_path}" in bridge.complaints


def test_load_engine_makes_it(runtime: Path, tmp_path: Path) -> None:
    """An entry of engine `bridge` gives a bridge."""
    engine = load_engine(entry("echo"), tmp_path)
    assert engine.decode(tone(800)).text == "800 samples, peak 0.5000"
    engine.close()


def test_the_child_stays_warm(make: Make) -> None:
    """All decodes are of one process."""
    bridge = make("echo")
    bridge.warm_up()
    pid = bridge.pid
    assert [bridge.decode(tone(n)).text.split()[0] for n in (1, 2, 3)] == ["1", "2", "3"]
    assert bridge.pid == pid


def test_unloading_keeps_the_process(make: Make) -> None:
    """After `unload` the next decode loads again, in the same process."""
    bridge = make("echo")
    pid, load_s = bridge.pid, bridge.load_s
    bridge.unload()
    bridge.unload()
    assert bridge.decode(tone(800)).text.startswith("800")
    assert bridge.pid == pid
    assert bridge.load_s != load_s


def test_what_a_library_prints_does_no_harm(make: Make) -> None:
    """What is written to standard output, by Python or below it, is none of the protocol's."""
    bridge = make("echo", print="{}")
    assert bridge.decode(tone(800)).text.startswith("800")
    assert bridge.complaints[-3:] == ("{}", "from native code", "{}")


def test_audio_comes_by_ring(make: Make, runtime: Path) -> None:
    """A child that reads the ring is told a range; no file is written, and the samples are the same."""
    bridge = make("echo")
    with RingWriter.open(runtime / "audio.ring", seconds=2.0) as writer:
        fill(writer)
        with RingReader.attach(runtime / "audio.ring") as reader:
            by_ring = bridge.decode_range(reader, 100, 5_000)
            assert by_ring.text == bridge.decode(reader.samples(100, 5_000)).text
            assert by_ring.audio_s == pytest.approx(0.30625)
            with pytest.raises(EngineFailed, match="no samples 100 to 9000"):
                bridge.decode_range(reader, 100, 9_000)
            assert bridge.decode_range(reader, 0, 0).text == ""
    (runtime / "audio.ring").unlink()


def test_a_child_without_the_ring_gets_a_file(make: Make, runtime: Path) -> None:
    """A range is read here and handed over by file, where the child knows no other way."""
    bridge = make("rude", "polite")
    with RingWriter.open(runtime / "audio.ring", seconds=2.0) as writer:
        fill(writer)
        with RingReader.attach(runtime / "audio.ring") as reader:
            assert bridge.decode_range(reader, 0, 8_000).text == "fine"
    (runtime / "audio.ring").unlink()


def test_audio_is_for_nobody_else(runtime: Path) -> None:
    """The directory is 0700, the file 0600 and gone after the block; a killed process's is removed by the next one."""
    left = runtime / "bridge-1-1-killed"
    left.mkdir()
    (left / "audio.f32").write_bytes(b"speech")
    spool = Spool()
    assert not left.exists()
    with spool.file(tone(10)) as path:
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        assert np.array_equal(np.fromfile(path, "<f4"), tone(10))
        other = Spool()  # a second engine of the same process leaves it alone
        assert path.exists()
        other.remove()
    assert not path.exists()
    spool.remove()


BAD = {
    "garbage": "are no answer: JSON is malformed",
    "not utf-8": "are no answer",
    "not an object": "are no answer: Expected `object`",
    "unknown type": "are no answer: Invalid value",
    "wrong field": r"are no answer: Expected `str`, got `array` - at `\$\.text`",
    "not a number": "are no answer",
    "wrong id": r"has answered request 4\d when request \d was asked",
    "partial": "exit status 3 in the middle of a line of 22 bytes",
    "oversized": "more than 1,048,576 bytes in one line",
    "flood": "(more than 64 lines that nobody asked for|are no answer)",
    "closes stdout": "has closed its standard output",
    # What it wrote while it loaded is shown, or kept back as well if it is read when audio is on its way already.
    "crashes": "was ended by SIGSEGV.*(loading the model; lines kept back, .*: [12]|lines kept back, .*: [23])$",
    "raises": r"exit status 1.*rude\.py\", line \d+, in misbehave \| ValueError; lines",
}


@pytest.mark.parametrize("habit", BAD)
def test_bad_manners_cost_one_decode(make: Make, habit: str) -> None:
    """What a child does wrong is named without quoting it; the next decode finds another process."""
    bridge = make("rude", habit)
    pid = bridge.pid
    with pytest.raises(EngineFailed, match=BAD[habit]) as caught:
        bridge.decode(tone(800))
    assert SECRET not in str(caught.value)
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(EngineFailed, match=BAD[habit]):
        bridge.decode(tone(800))


@pytest.mark.parametrize("habit", ["hangs", "partial and silent"])
def test_a_child_that_does_not_answer_is_ended(make: Make, habit: str) -> None:
    """After `timeout_s` the decode fails, and the process is gone, though it ignores SIGTERM."""
    bridge = make("rude", habit, settings=EngineSettings(timeout_s=0.2))
    pid = bridge.pid
    with pytest.raises(EngineFailed, match=r"has not answered decode within 0\.2 s"):
        bridge.decode(tone(800))
    assert not Path(f"/proc/{pid}").exists()


def test_what_nobody_asked_for_ends_the_child(make: Make) -> None:
    """A second answer to one request is found out before it can be taken for the answer to the next."""
    bridge = make("rude", "twice")
    bridge.decode(tone(800))
    # Whether the second line has come by then is up to the two processes; it is one mishap or the other.
    with pytest.raises(EngineFailed, match=r"nobody asked for|has answered request 3 when request 4"):
        bridge.decode(tone(800))


STARTS = {
    "banner": "8 bytes that are no answer",
    "version": "does not speak version 1 of the protocol",
    "dies at once": "exit status 1; its standard error ends: no such library",
    "silent": r"has not answered hello within 0\.3 s",
}


@pytest.mark.parametrize("habit", STARTS)
def test_a_child_that_does_not_start_is_named(make: Make, habit: str) -> None:
    """No engine is made of a child that does not speak as it should; why is told."""
    with pytest.raises(EngineFailed, match=STARTS[habit]):
        make("rude", habit, start_timeout_s=0.3 if habit == "silent" else 20.0)


def test_a_program_that_is_not_there_is_named(runtime: Path, tmp_path: Path) -> None:
    """A command that is not installed is named."""
    missing = Entry(name="child", task="asr", engine="bridge", licence="MIT", command=("no-such-program",))
    with pytest.raises(EngineFailed, match="no-such-program is not installed"):
        Bridge(missing, tmp_path, EngineSettings())


def test_a_program_that_cannot_be_run_is_named(make: Make, runtime: Path, tmp_path: Path) -> None:
    """A file that is no program ends with the kernel's reason."""
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF is what it says")
    program.chmod(0o700)
    broken = Entry(name="child", task="asr", engine="bridge", licence="MIT", command=(str(program),))
    with pytest.raises(EngineFailed, match=r"exit status 1; .*OSError: .*Exec format error"):
        Bridge(broken, tmp_path, EngineSettings())


@pytest.mark.parametrize(("option", "told"), [("refuse", "no such file here"), ("break", "RuntimeError: CUDA is gone")])
def test_a_model_that_does_not_load_is_told(make: Make, option: str, told: str) -> None:
    """Why a library cannot load a model comes through."""
    with pytest.raises(EngineFailed, match=f"cannot load the model: {told}"):
        make("echo", **{option: told.removeprefix("RuntimeError: ")})


def test_an_error_in_a_decode_keeps_the_child(make: Make) -> None:
    """An exception of the library is told by type and place, not by its text, and nothing is started again."""
    bridge = make("echo", **{"raise": SECRET})
    pid = bridge.pid
    for _ in range(3):
        with pytest.raises(EngineFailed, match=r"decoding 0\.05 s failed: ValueError in echo\.py, line \d+") as caught:
            bridge.decode(tone(800))
        assert SECRET not in str(caught.value)
    assert bridge.pid == pid
    assert any(SECRET in line for line in bridge.complaints)


def test_after_a_crash_it_is_started_again(make: Make, tmp_path: Path) -> None:
    """The decode after the one that crashed is answered by a new process."""
    bridge = make("rude", "crashes once", str(tmp_path / "crashed"))
    pid = bridge.pid
    with pytest.raises(EngineFailed, match="exit status 9"):
        bridge.decode(tone(800))
    assert bridge.decode(tone(800)).text == "fine"
    assert bridge.pid not in (pid, None)


def test_a_child_killed_between_two_decodes_is_started_again(make: Make) -> None:
    """A death that nobody waited for is noticed by the next decode, and mended by the one after."""
    bridge = make("echo")
    assert bridge.pid is not None
    os.kill(bridge.pid, signal.SIGKILL)
    with pytest.raises(EngineFailed, match="was ended by SIGKILL"):
        bridge.decode(tone(800))
    assert bridge.decode(tone(800)).text.startswith("800")


def test_who_keeps_crashing_is_started_less_and_less(make: Make) -> None:
    """The first restart is at once; then there are pauses, which double, and a refusal costs no time."""
    now = 0.0
    bridge = make("rude", "crashes", clock=lambda: now)
    for pause in (0, 0, 1, 2, 4):  # the first crash is of the one that was warm
        now += pause - 0.01
        if pause:
            with pytest.raises(EngineFailed, match="is started again in"):
                bridge.decode(tone(800))
        now += 0.01
        with pytest.raises(EngineFailed, match="SIGSEGV"):
            bridge.decode(tone(800))


def test_grandchildren_are_ended_too(make: Make) -> None:
    """What the child has started ends with it, in its session or in one of its own."""
    bridge = make("rude", "grandchildren")
    mark = f"LEFTOVER={os.environ['LEFTOVER']}"
    bridge.decode(tone(800))
    while len(leftovers.processes(mark)) < 3:  # one in the midst of its exec has no environment
        time.sleep(0.001)
    bridge.close()
    assert leftovers.processes(mark) == []


def test_a_child_that_will_not_go_is_killed(make: Make) -> None:
    """A child that ignores bye, the end of its input and SIGTERM is gone after `close` all the same."""
    bridge = make("rude", "stays")
    pid = bridge.pid
    bridge.close()
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(EngineFailed, match="model child is closed"):
        bridge.decode(tone(800))


def decode_in_thread(bridge: Bridge) -> tuple[threading.Thread, list[BaseException]]:
    """Start a decode in a thread, and return as it is handed over, with a list for what it raises."""
    raised: list[BaseException] = []

    def decode() -> None:
        try:
            bridge.decode(tone(800))
        except EngineFailed as error:
            raised.append(error)

    thread = threading.Thread(target=decode)
    thread.start()
    spool = Path(os.environ["SOTTOVOCE_RUNTIME_DIR"])
    while not list(spool.glob("bridge-*/*.f32")):
        assert thread.is_alive()
        time.sleep(0.001)
    return thread, raised


@pytest.mark.parametrize("cancels", [True, False])
def test_a_decode_can_be_cancelled(make: Make, cancels: bool, tmp_path: Path) -> None:
    """Another thread gives up a decode; a child that can stays warm, another one is replaced at the next decode."""
    bridge = make("echo", sleep_s=60.0)
    bridge.cancel()  # nothing is being decoded: nothing happens
    if not cancels:
        bridge.close()
        bridge = make("rude", "hangs", str(tmp_path / "asked"))
    pid = bridge.pid
    thread, raised = decode_in_thread(bridge)
    if not cancels:  # until it has been asked it is only not asked
        wait_until((tmp_path / "asked").exists)
    bridge.cancel()
    thread.join(10)
    assert [type(error) for error in raised] == [DecodeCancelled]
    assert bridge.pid == (pid if cancels else None)


def test_no_cancel_is_lost(make: Make) -> None:
    """Whenever a cancel comes, the decode ends at once, with its result or without, and the child stays warm."""
    bridge = make("echo", sleep_s=0.01, settings=EngineSettings(timeout_s=20.0))
    pid, over = bridge.pid, threading.Event()
    pauses = np.random.default_rng(3).uniform(0.0, 0.02, 10_000)

    def cancel() -> None:
        for pause in pauses:
            if over.wait(pause):
                return
            bridge.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    outcomes, longest = set(), 0.0
    for _ in range(100):
        began = time.monotonic()
        try:
            outcomes.add(bridge.decode(tone(800)).text)
        except DecodeCancelled:
            outcomes.add("cancelled")
        longest = max(longest, time.monotonic() - began)
    over.set()
    thread.join()
    assert outcomes == {"800 samples, peak 0.5000", "cancelled"}
    assert bridge.pid == pid
    assert longest < 10  # a lost one would have lasted until timeout_s


def test_closing_ends_a_decode(make: Make) -> None:
    """`close` in another thread ends a decode with an error that says so."""
    bridge = make("rude", "hangs")
    thread, raised = decode_in_thread(bridge)
    bridge.close()
    thread.join(10)
    assert [str(error) for error in raised] == ["model child is closed"]


def test_the_thread_that_made_it_may_end(make: Make) -> None:
    """The child belongs to the process, not to the thread that loaded it, whatever the kernel thinks of parents."""
    made: list[Bridge] = []
    thread = threading.Thread(target=lambda: made.append(make("echo")))
    thread.start()
    thread.join()
    assert made[0].decode(tone(800)).text.startswith("800")


OWNER = """
import sys
from pathlib import Path
from sottovoce.models import EngineSettings
from sottovoce.models.catalogue import Entry
from sottovoce.models.engines.bridge import Bridge
command = ("{python}", *sys.argv[1:])
entry = Entry(name="c", task="asr", engine="bridge", licence="MIT", command=command)
bridge = Bridge(entry, Path("/"), EngineSettings())
print(bridge.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["killed", "ends without close"])
def test_the_child_ends_with_us(runtime: Path, how: str) -> None:
    """A child that listens to nothing ends with the process that started it, killed or not."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(CHILDREN / "rude.py"), "stays"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert owner.stdin is not None
    assert owner.stdout is not None
    with owner:
        descriptor = os.pidfd_open(int(owner.stdout.readline()))
        if how == "killed":
            owner.kill()
        else:
            owner.stdin.close()
        assert select.select([descriptor], [], [], 10)[0]
        os.close(descriptor)
    if how == "killed":
        Spool().remove()  # which clears away the directory that it could not


def test_too_little_audio_asks_nobody(make: Make) -> None:
    """No samples, and fewer than the model wants, give empty text without the child."""
    bridge = make("rude", "crashes")
    assert bridge.decode(np.empty(0, np.float32)).text == ""


def test_requests_are_always_the_same(tmp_path: Path, runtime: Path) -> None:
    """What a child is asked is the same, byte by byte, but for where the audio is."""
    script = tmp_path / "child.sh"
    script.write_text(
        """#!/bin/sh
        answer() { echo "{\\"id\\": $(echo "$1" | sed 's/.*"id":\\([0-9]*\\).*/\\1/'), \\"type\\": \\"$2\\"$3}"; }
        while read -r line; do
            echo "$line" >> "$1"
            case "$line" in
                *'"type":"hello"'*) answer "$line" hello ', "protocol": 1' ;;
                *'"type":"load"'*) answer "$line" loaded ;;
                *'"type":"decode"'*) answer "$line" result ', "text": "sh"' ;;
                *'"type":"bye"'*) exit 0 ;;
            esac
        done
        """
    )
    script.chmod(0o700)
    shell = Entry(
        name="shell",
        task="asr",
        engine="bridge",
        licence="MIT",
        hotwords="prompt",
        languages=("en",),
        command=(str(script), "{directory}/asked"),
        options={"b": 1, "a": True, "start_timeout_s": 30},
    )
    bridge = Bridge(shell, tmp_path, EngineSettings(threads=2, hotwords=("x",)))
    result = bridge.decode(tone(800))
    bridge.close()
    assert (result.text, result.language) == ("sh", "en")
    lines = (tmp_path / "asked").read_text().splitlines()
    path = json.loads(lines[2])["audio"]["path"]
    assert lines == [
        '{"id":1,"protocols":[1],"software":"sottovoce","type":"hello"}',
        f'{{"directory":"{tmp_path}","gpu_memory":0,"id":2,"model":"shell","options":{{"a":true,"b":1}},'
        '"provider":"auto","threads":2,"type":"load"}',
        f'{{"audio":{{"kind":"file","path":"{path}","samples":800}},"hotwords":["x"],"id":3,"language":"",'
        '"type":"decode"}',
        '{"id":4,"type":"bye"}',
    ]
