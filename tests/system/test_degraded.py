"""What goes on while a part of the service cannot: another model, a missing stage, a poisonous utterance, a hang."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from stages import LEAN

from sottovoce.actors.process import frozen
from sottovoce.actors.supervisor import Supervisor
from sottovoce.models import Store
from sottovoce.ops.exceptions import ServiceError
from sottovoce.ops.live import feed
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.ops.service import status
from sottovoce.protocol.bus import Subscriber
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.control import request
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Body, Draft, Notice
from sottovoce.protocol.rows import UtteranceRow
from sottovoce.shm import CountersView, ShmError

DEADLINE_S = 60.0
PACE = 3.0
SOON_PARKED = "[warden]\nrestarts = 1\nwindow = 60\n"
PATIENT = SOON_PARKED + "stalled_after = 20\n"
"""One that does not make a stopped supervisord go on while a test looks at it."""
SETTINGS = '[vad]\nturn = ""\n[stt.final]\nfallback = "absent"\n'
SITE = """
import os, sys, time
from pathlib import Path
hang = Path(__file__).with_name("hang")
if "sottovoce.actors.transform" in sys.orig_argv and hang.exists():
    hang.unlink()
    time.sleep(600)
if "sottovoce.actors.stt" in sys.orig_argv and sys.orig_argv[-1] == "final":
    from sottovoce.models.engines.sherpa import SherpaOffline
    decode, held = SherpaOffline.decode, []
    def poisonable(self, samples, **options):
        if samples.size and abs(samples).max() > 0.99:
            os.kill(os.getpid(), 9)
        if Path(__file__).with_name("leak").exists():
            held.append(bytes(range(256)) * 120_000)
        return decode(self, samples, **options)
    SherpaOffline.decode = poisonable
if "sottovoce.actors.warden" in sys.orig_argv:
    from sottovoce.actors import memory
    memory._REST = 10
"""
"""Runs at the start of every process of the service: one may hang before it has imported anything of ours, and the
final recogniser dies of samples at full scale, and may leak 30 MB in each decode. The warden weighs more often."""


class Watcher:
    """A service, what it tells the person, and what its journal says."""

    def __init__(self, service: PrivateService) -> None:
        self.service = service
        self.supervisor = Supervisor(service.paths.supervisor_socket)
        self._subscriber = Subscriber(service.paths, ("notice",))
        self._journal = Journal(service.paths.journal(keep="30d"))
        self.notices: list[tuple[Notice, int]] = []

    def told(self, code: str) -> list[str]:
        """Return the texts of the notices of this code so far."""
        for event in self._subscriber.drain():
            if isinstance(event.body, Notice):
                self.notices.append((event.body, event.t_ns))
        return [notice.text for notice, _ in self.notices if notice.code == code]

    def rows(self) -> list[UtteranceRow]:
        """Return the utterances of the newest recording."""
        newest = self._journal.recording()
        return self._journal.utterances(generation=newest.generation) if newest else []

    def until(self, condition: Callable[[], object]) -> None:
        """Look until something is so."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, f"{self.notices}\n{[row.state for row in self.rows()]}"
            time.sleep(0.05)

    def pid(self, stage: str) -> int:
        """Return the process id of a stage, 0 while it has none."""
        return int(self.supervisor.processes()[stage]["pid"])

    def kill(self, stage: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Kill a stage's process as soon as it has one, and wait until that is gone."""
        self.until(lambda: self.pid(stage))
        killed = self.pid(stage)
        os.kill(killed, number)
        self.until(lambda: self.pid(stage) != killed)

    def settle(self, stage: str, *, inject: str = "", warden: str = PATIENT) -> None:
        """Restart a stage of the shared service with these settings, unless they are in force."""
        config = self.service.paths.config
        text = f'[inject]\nbackends = ["file"]\nfile = "{self.service.typed}"\n{inject}{SETTINGS}{warden}'
        if config.read_text() != text:
            config.write_text(text)
            self.supervisor.restart(stage)
            self.until(lambda: self.turns(stage))

    def count(self, stage: str, counter: str) -> int:
        """Return a counter of a stage, 0 while no process of it lives."""
        try:
            with CountersView.attach(self.service.paths.counters(stage)) as view:
                return view.counters()[counter] if view.alive else 0
        except ShmError:
            return 0

    def turns(self, stage: str) -> bool:
        """Tell whether the stage's process has begun to work: the warden may overlook one that never had a page."""
        return self.count(stage, "turns") > 0

    def park(self, stage: str) -> str:
        """Kill a stage as often as it takes with SOON_PARKED, and return what the person is told."""

        def kill_or_see() -> bool:
            if self.turns(stage):
                self.kill(stage)
            return bool(self.told(f"parked.{stage}"))

        self.until(kill_or_see)
        self.until(lambda: self.supervisor.processes()[stage]["statename"] == "STOPPED")
        return self.told(f"parked.{stage}")[-1]

    def play(self, audio: Path, *, pace: float = 1.0) -> list[Body]:
        """Record a file until all of it is typed or told, and return all that is said meanwhile."""
        bodies = []
        for event in feed(self.service.paths, audio, pace=pace):
            bodies.append(event.body)
            self.told("")  # a subscriber that is not read does not subscribe anew where a stage has been restarted
        return bodies

    def record(self, audio: Path) -> None:
        """Begin to record a file, as fast as it goes, and return at once."""
        source = {"type": "file", "path": str(audio), "pace": 0}
        request(self.service.paths.control, "start", {"source": source})

    def all_are(self, state: str) -> bool:
        """Tell whether the whole recording is segmented and its utterances are in this state."""
        newest, rows = self._journal.recording(), self.rows()
        return bool(newest and newest.drained and rows and {row.state for row in rows} == {state})

    def close(self) -> None:
        """Let go."""
        self._subscriber.close()
        self._journal.close()


def some_models(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Have two models that cannot be used, `deadly` and `refused`, and know one that is not here, `absent`."""
    store, cache = Store(), folder / "cache"
    models = cache / "sottovoce" / "models"
    models.mkdir(parents=True)
    for name in ("silero-v6", "smart-turn-v3", "moonshine-tiny-en"):
        (models / name).symlink_to(store.path(name))
    entries = []
    for name, constructor in (("deadly", "from_nemo_ctc"), ("refused", "from_nothing"), ("absent", "from_nemo_ctc")):
        entries.append(
            f'[models.{name}]\ntask = "asr"\nengine = "sherpa"\nlicence = "MIT"\nconstructor = "{constructor}"\n'
            f'arguments = {{ model = "silero_vad.onnx", tokens = "tokens.txt" }}\n'
            f'sources = [{{ type = "wheel", requirement = "nothing==1" }}]\n'
        )
        for model, file in (("silero-v6", "silero_vad.onnx"), ("moonshine-tiny-en", "tokens.txt")):
            data = (store.path(model) / file).read_bytes()
            entries.append(
                f'[[models.{name}.files]]\nname = "{file}"\nmember = "{file}"\nsize = {len(data)}\n'
                f'sha256 = "{hashlib.sha256(data).hexdigest()}"\n'
            )
            if name != "absent":
                (models / name).mkdir(exist_ok=True)
                (models / name / file).write_bytes(data)
    catalogue = folder / "config" / "sottovoce" / "models.toml"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text("".join(entries))
    patch.setenv("XDG_CACHE_HOME", str(cache))
    patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))


@pytest.fixture
def broken(beckett: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The models of `some_models`, for a service that the test starts."""
    some_models(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a `sitecustomize` that all processes of the shared service load, see SITE."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "sitecustomize.py").write_text(SITE)
    return folder


@pytest.fixture(scope="module")
def shared(beckett: Path, site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateService]:
    """A service that most tests share: each has its own warden, and brings back what it takes, but for the drafts."""
    with contextlib.ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            some_models(tmp_path_factory.mktemp("models"), patch)
            patch.setenv("PYTHONPATH", str(site))
            service = stack.enter_context(private_service(config=SETTINGS + PATIENT))
        yield service


@pytest.fixture
def watch() -> Iterator[Callable[[PrivateService], Watcher]]:
    """Return a function that watches a service for the rest of the test."""
    watchers: list[Watcher] = []

    def begin(service: PrivateService) -> Watcher:
        watchers.append(Watcher(service))
        return watchers[-1]

    yield begin
    for watcher in watchers:
        watcher.close()


Watch = Callable[[PrivateService], Watcher]


@pytest.fixture
def watcher(shared: PrivateService, watch: Watch) -> Watcher:
    """A watcher of the shared service, whose warden has the settings PATIENT."""
    watcher = watch(shared)
    watcher.settle("warden")
    return watcher


# -- another model -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("broken")
def test_models_that_cannot_be_used_are_told(beckett: Path, watch: Watch, capfd: pytest.CaptureFixture[str]) -> None:
    """Whoever starts the service is told of both, a final's model that is refused and a draft's that kills.

    The fallback takes over without a death; the service is ready as soon as the draft is parked; all that is said is
    typed. If the fallback dies too, the final is parked.
    """
    config = f'[stt.final]\nmodel = "refused"\n[stt.draft]\nmodel = "deadly"\n[vad]\nturn = ""\n{SOON_PARKED}'
    with private_service(config=config) as service:
        said = capfd.readouterr().err
        assert "in the place of refused, which cannot be used (model refused: " in said
        assert "stt-draft died more than 1 times in 60 s and is parked" in said
        watcher = watch(service)
        watcher.play(beckett, pace=0)
        assert watcher.all_are("typed")
        assert {row.model for row in watcher.rows()} == {"moonshine-tiny-en"}
        told = watcher.park("stt-final")
        assert "with its fallback model, moonshine-tiny-en, too" in told
        assert "stays in the audio ring" in told


@pytest.mark.usefixtures("broken")
def test_a_service_that_cannot_type_does_not_start() -> None:
    """The only model for what is typed kills its process: `up` does not wait for its limit, and says why."""
    config = f'[stt.final]\nmodel = "deadly"\nfallback = ""\n{SOON_PARKED}'
    with (
        pytest.raises(
            ServiceError, match=r"stt-final died more than 1 times in 60 s and is parked \(there is no other"
        ),
        private_service(config=config + LEAN),
    ):
        pass


# -- a missing stage ---------------------------------------------------------------------------------------------------


def test_without_drafts_finals_are_typed(beckett: Path, watcher: Watcher) -> None:
    """The draft process is parked: nothing is shown while one speaks, everything is typed."""
    before = watcher.service.text()
    assert "everything is typed as before" in watcher.park("stt-draft")
    assert not any(isinstance(body, Draft) for body in watcher.play(beckett, pace=4))
    assert watcher.all_are("typed")
    assert watcher.service.text().removeprefix(before).lower().count("ever tried") == 1


def test_text_waits_for_its_stage(beckett: Path, watcher: Watcher) -> None:
    """What is said while the transform, then the injector is parked waits, and is typed when both are back."""
    before = watcher.service.text()
    assert "waits in the journal" in watcher.park("transform")
    watcher.record(beckett)
    watcher.until(lambda: watcher.all_are("transcribed"))
    assert "waits in the journal" in watcher.park("inject")
    watcher.supervisor.restart("transform")
    watcher.until(lambda: watcher.all_are("transformed"))
    assert watcher.service.text() == before
    watcher.supervisor.restart("inject")
    watcher.until(lambda: watcher.all_are("typed"))
    assert watcher.service.text().removeprefix(before).lower().count("ever tried") == 1


def test_text_that_waited_too_long_is_offered(beckett: Path, watcher: Watcher) -> None:
    """The injector comes back later than deliver_within: nothing is typed into what has the focus by then."""
    before = watcher.service.text()
    watcher.park("inject")
    watcher.record(beckett)
    watcher.until(lambda: watcher.all_are("transformed"))
    watcher.until(lambda: all(row.age_s() > 1.0 for row in watcher.rows()))
    watcher.settle("inject", inject="deliver_within = 1.0\n")
    watcher.until(lambda: watcher.all_are("late"))
    assert watcher.service.text() == before
    watcher.settle("inject")


def test_a_restart_that_was_asked_for_is_no_death(watcher: Watcher) -> None:
    """Whoever tries settings restarts a stage more often than it may die, and it is not parked."""
    parked = watcher.count("warden", "parked")
    for _ in range(4):
        watcher.supervisor.restart("inject")
        watcher.until(lambda: watcher.turns("inject"))
    turns = watcher.count("warden", "turns")
    watcher.until(lambda: watcher.count("warden", "turns") > turns + 1)  # it has seen the last of them
    assert watcher.count("warden", "parked") == parked
    assert watcher.supervisor.processes()["inject"]["statename"] == "RUNNING"


def test_who_ends_in_order_is_started_again(beckett: Path, watcher: Watcher) -> None:
    """A stage that ends with 0 though supervisord did not ask it to, which supervisord takes for good, is started.

    A VAD that has looked at nothing yet does not hold up a file that is fed as fast as it goes: how far it is counts
    from the recording's beginning, not from that of the ring.
    """
    while watcher.count("capture", "position") < 10 * SAMPLE_RATE:  # so far may such a file be ahead of the VAD
        watcher.play(beckett, pace=0)
    before = watcher.pid("vad")
    watcher.kill("vad", signal.SIGTERM)
    watcher.until(lambda: watcher.pid("vad") not in (0, before))
    watcher.record(beckett)
    watcher.until(lambda: watcher.all_are("typed"))


def test_a_stopped_supervisord_is_told(watcher: Watcher) -> None:
    """`status` says why it knows nothing of the processes, at once."""
    service = watcher.service
    assert service.process is not None
    os.kill(service.process.pid, signal.SIGSTOP)
    try:
        watcher.until(lambda: frozen(service.process.pid))
        report = status(service.paths)
        assert report["state"] == "idle"
        assert report["stages"] == {}
        assert f"is stopped; let it go on with: kill -CONT {service.process.pid}" in str(report["supervisord"])
    finally:
        os.kill(service.process.pid, signal.SIGCONT)
    watcher.until(lambda: status(service.paths)["supervisord"] == "running")


# -- poison, hangs, growth ---------------------------------------------------------------------------------------------


def test_an_utterance_that_kills_the_recogniser_is_given_up(beckett: Path, tmp_path: Path, watcher: Watcher) -> None:
    """It is suppressed with the reason after three attempts, what follows is typed, and nothing is parked."""
    service = watcher.service
    watcher.settle("warden", warden="[warden]\n")
    samples, _ = soundfile.read(beckett, dtype="int16")
    peace, poisonous = tmp_path / "peace.wav", tmp_path / "poison.wav"
    samples = (samples * 0.9).astype(np.int16)
    soundfile.write(peace, samples, SAMPLE_RATE)
    watcher.play(peace, pace=0)
    rows = watcher.rows()
    assert len(rows) > 2
    origin = Journal(service.paths.journal(keep="30d"))
    start = origin.recording_range(rows[1].stream, rows[1].first)[0]
    origin.close()
    samples[(rows[1].first + rows[1].speech_end) // 2 - start] = -32768
    soundfile.write(poisonous, samples, SAMPLE_RATE)
    said = service.text()
    watcher.play(poisonous, pace=PACE)
    after = watcher.rows()
    assert [row.state for row in after] == ["typed", "suppressed", *["typed"] * (len(rows) - 2)]
    assert after[1].reason == "the recogniser died 3 times while it decoded this"
    heard = service.text().removeprefix(said).lower()
    assert ("ever tried" in heard, "ever failed" in heard, "better" in heard) == (True, False, True)
    assert len(watcher.told("poison")) == 1
    assert watcher.pid("stt-final")
    assert not watcher.told("parked.stt-final")


def test_a_stage_that_hangs_before_it_has_a_page_is_replaced(site: Path, watcher: Watcher) -> None:
    """A process that hangs in an import, and is not stopped, is killed after `starting_limit`."""
    watcher.settle("warden", warden="[warden]\nstarting_limit = 2.0\n")
    (site / "hang").touch()
    watcher.kill("transform")
    watcher.until(lambda: not (site / "hang").exists())
    hung = watcher.pid("transform")
    watcher.until(lambda: watcher.told("stalled"))
    assert watcher.told("stalled") == ["transform did not begin to work within 2 s and is replaced"]
    watcher.until(lambda: watcher.pid("transform") not in (0, hung))


def test_a_stage_that_grows_is_restarted_between_utterances(beckett: Path, site: Path, watcher: Watcher) -> None:
    """One that leaks is restarted, but not while anybody speaks or waits for text; that costs no word and no life."""
    said = watcher.service.text()
    (site / "leak").touch()
    watcher.supervisor.restart("stt-final")
    watcher.until(lambda: watcher.turns("stt-final"))
    before = watcher.pid("stt-final")
    watcher.settle("warden", warden=f"{SOON_PARKED}growth = 25\nmemory_every = 0.1\n")
    watcher.play(beckett, pace=PACE)
    watcher.until(lambda: any("stt-final had grown to" in text for text in watcher.told("memory")))
    rows = watcher.rows()
    assert {row.state for row in rows} == {"typed"}
    assert watcher.service.text().removeprefix(said).lower().count("no matter") == 1
    for notice, t_ns in watcher.notices:
        if notice.code != "memory":
            continue
        for row in rows:
            # Speech is known of after the pre-roll and the shortest speech; some room for the scheduler.
            spoken_ns = (row.speech_end - row.first) * 10**9 // SAMPLE_RATE - 7 * 10**8
            known_ns = row.spoken_ns - int(spoken_ns / PACE)
            assert row.typed_ns is not None
            assert not known_ns < t_ns < row.typed_ns, notice.text
    watcher.until(lambda: watcher.pid("stt-final") not in (0, before))
    watcher.play(beckett, pace=0)
    watcher.until(lambda: len(watcher.told("memory")) > 1)  # it leaks again, and is restarted again
    assert watcher.all_are("typed")
    assert not [notice for notice, _ in watcher.notices if notice.code.startswith("parked")]
    (site / "leak").unlink()


# -- and no other model ------------------------------------------------------------------------------------------------


def test_a_fallback_that_is_not_here(watcher: Watcher) -> None:
    """A fallback that was never pulled keeps no service from starting; when it is needed, that is told."""
    told = watcher.park("stt-final")
    assert "its fallback cannot be used: model absent is not installed; run: sottovoce models pull absent" in told
    watcher.supervisor.restart("stt-final")
