"""What goes on while a part of the service cannot: another model, a missing stage, a poisonous utterance, a hang."""

from __future__ import annotations

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

from sottovoce.actors import fallback
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
SOON_PARKED = "[warden]\nrestarts = 1\nwindow = 60\n"
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
            held.append(bytes(range(256)) * 40_000)
        return decode(self, samples, **options)
    SherpaOffline.decode = poisonable
if "sottovoce.actors.warden" in sys.orig_argv:
    from sottovoce.actors import memory
    memory._REST = 10
"""
"""Runs at the start of every process of the service: one may hang before it has imported anything of ours, and the
final recogniser dies of samples at full scale, and may leak 10 MB in each decode. The warden weighs more often."""


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

    def turns(self, stage: str) -> bool:
        """Tell whether the stage's process has begun to work: the warden may overlook one that never had a page."""
        try:
            with CountersView.attach(self.service.paths.counters(stage)) as view:
                return view.alive and view.counters()["turns"] > 0
        except ShmError:
            return False

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
def broken(beckett: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two models that cannot be used, `deadly` and `refused`, and one that is not here, `absent`."""
    store, cache = Store(), tmp_path / "cache"
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
    catalogue = tmp_path / "config" / "sottovoce" / "models.toml"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text("".join(entries))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a `sitecustomize` that all processes of a service load, see SITE."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(SITE)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


# -- another model -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("broken")
def test_a_model_that_ends_the_process_is_replaced(beckett: Path, watch: Watch) -> None:
    """A model over which the engine ends the process: the fallback takes over, says so, and stays over restarts."""
    with private_service(config='[stt.final]\nmodel = "deadly"\n' + LEAN) as service:
        watcher = watch(service)
        log = (service.paths.logs / "warden.jsonl").read_text()
        assert "moonshine-tiny-en recognises what is typed in the place of deadly, with which stt-final died" in log
        assert "sottovoce restart stt-final" in log
        watcher.play(beckett, pace=0)
        assert {(row.state, row.model) for row in watcher.rows()} == {("typed", "moonshine-tiny-en")}
        for stage in ("stt-final", "warden"):
            watcher.kill(stage)
        watcher.play(beckett, pace=0)
        assert {(row.state, row.model) for row in watcher.rows()} == {("typed", "moonshine-tiny-en")}
        assert not watcher.told("fallback")
        # A person asks for the model again, which is as deadly as before.
        fallback.forget(service.paths)
        watcher.supervisor.restart("stt-final")
        watcher.until(lambda: watcher.told("fallback"))


@pytest.mark.usefixtures("broken")
def test_a_model_that_cannot_be_loaded_is_replaced_at_once(
    beckett: Path, watch: Watch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A model that the engine refuses costs no death; whoever starts the service is told; if both die, it is parked."""
    with private_service(config=f'[stt.final]\nmodel = "refused"\n{SOON_PARKED}' + LEAN) as service:
        assert "in the place of refused, which cannot be used (model refused: " in capfd.readouterr().err
        watcher = watch(service)
        watcher.play(beckett, pace=0)
        assert {(row.state, row.model) for row in watcher.rows()} == {("typed", "moonshine-tiny-en")}
        told = watcher.park("stt-final")
        assert "with its fallback model, moonshine-tiny-en, too" in told
        assert "stays in the audio ring" in told


@pytest.mark.usefixtures("broken")
def test_a_fallback_that_is_not_here(watch: Watch) -> None:
    """A fallback that was never pulled keeps no service from starting; when it is needed, that is told."""
    with private_service(config=f'[stt.final]\nfallback = "absent"\n{SOON_PARKED}' + LEAN) as service:
        told = watch(service).park("stt-final")
        assert "its fallback cannot be used: model absent is not installed; run: sottovoce models pull absent" in told


# -- a missing stage ---------------------------------------------------------------------------------------------------


def test_without_drafts_finals_are_typed(beckett: Path, watch: Watch) -> None:
    """The draft process is parked: nothing is shown while one speaks, everything is typed."""
    with private_service(config=SOON_PARKED) as service:
        watcher = watch(service)
        assert "everything is typed as before" in watcher.park("stt-draft")
        assert not any(isinstance(body, Draft) for body in watcher.play(beckett, pace=4))
        assert watcher.all_are("typed")
        assert service.text().lower().count("ever tried") == 1


@pytest.mark.usefixtures("broken")
def test_a_draft_that_never_starts_holds_nothing_up(
    beckett: Path, watch: Watch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A draft model that kills its process: the service is ready as soon as that is parked, and says so."""
    with private_service(config=f'[stt.draft]\nmodel = "deadly"\n{SOON_PARKED}') as service:
        assert "stt-draft died more than 1 times in 60 s and is parked" in capfd.readouterr().err
        watcher = watch(service)
        watcher.play(beckett, pace=0)
        assert watcher.all_are("typed")


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


def test_a_stopped_supervisord_is_told(watch: Watch) -> None:
    """`status` says why it knows nothing of the processes, at once."""
    with private_service(config="[warden]\nstalled_after = 20\n" + LEAN) as service:
        assert service.process is not None
        os.kill(service.process.pid, signal.SIGSTOP)
        try:
            watch(service).until(lambda: frozen(service.process.pid))
            report = status(service.paths)
            assert report["state"] == "idle"
            assert report["stages"] == {}
            assert f"is stopped; let it go on with: kill -CONT {service.process.pid}" in str(report["supervisord"])
        finally:
            os.kill(service.process.pid, signal.SIGCONT)
        watch(service).until(lambda: status(service.paths)["supervisord"] == "running")


@pytest.mark.parametrize(("stage", "waits"), [("inject", "transformed"), ("transform", "transcribed")])
def test_text_waits_for_its_stage(beckett: Path, watch: Watch, stage: str, waits: str) -> None:
    """What is said while the injector or the transform is parked waits, and is typed when the stage is back."""
    with private_service(config=SOON_PARKED) as service:
        watcher = watch(service)
        assert "waits in the journal" in watcher.park(stage)
        watcher.record(beckett)
        watcher.until(lambda: watcher.all_are(waits))
        assert service.text() == ""
        watcher.supervisor.restart(stage)
        watcher.until(lambda: watcher.all_are("typed"))
        assert service.text().lower().count("ever tried") == 1


def test_text_that_waited_too_long_is_offered(beckett: Path, watch: Watch) -> None:
    """The injector comes back later than deliver_within: nothing is typed into what has the focus by then."""
    with private_service(config=f"deliver_within = 1.0\n{SOON_PARKED}" + LEAN) as service:
        watcher = watch(service)
        watcher.park("inject")
        watcher.record(beckett)
        watcher.until(lambda: watcher.all_are("transformed"))
        watcher.until(lambda: all(row.age_s() > 1.0 for row in watcher.rows()))
        watcher.supervisor.restart("inject")
        watcher.until(lambda: watcher.all_are("late"))
        assert service.text() == ""


def test_who_ends_in_order_is_started_again(watch: Watch) -> None:
    """A stage that ends with 0 though supervisord did not ask it to, which supervisord takes for good, is started."""
    with private_service(config=SOON_PARKED + LEAN) as service:
        watcher = watch(service)
        before = watcher.pid("vad")
        watcher.kill("vad", signal.SIGTERM)
        watcher.until(lambda: watcher.pid("vad") not in (0, before))


# -- poison, hangs, growth ---------------------------------------------------------------------------------------------


def test_an_utterance_that_kills_the_recogniser_is_given_up(
    beckett: Path, tmp_path: Path, site: Path, watch: Watch
) -> None:
    """It is suppressed with the reason after three attempts, what follows is typed, and nothing is parked."""
    samples, _ = soundfile.read(beckett, dtype="int16")
    peace, poisonous = tmp_path / "peace.wav", tmp_path / "poison.wav"
    samples = (samples * 0.9).astype(np.int16)
    soundfile.write(peace, samples, SAMPLE_RATE)
    with private_service(config=LEAN) as service:
        watcher = watch(service)
        watcher.play(peace, pace=0)
        rows = watcher.rows()
        assert len(rows) > 2
        origin = Journal(service.paths.journal(keep="30d"))
        start = origin.recording_range(rows[1].stream, rows[1].first)[0]
        origin.close()
        samples[(rows[1].first + rows[1].speech_end) // 2 - start] = -32768
        soundfile.write(poisonous, samples, SAMPLE_RATE)
        said = service.text()
        watcher.play(poisonous)
        after = watcher.rows()
        assert [row.state for row in after] == ["typed", "suppressed", *["typed"] * (len(rows) - 2)]
        assert after[1].reason == "the recogniser died 3 times while it decoded this"
        heard = service.text().removeprefix(said).lower()
        assert ("ever tried" in heard, "ever failed" in heard, "better" in heard) == (True, False, True)
        assert len(watcher.told("poison")) == 1
        assert watcher.pid("stt-final")
        assert not watcher.told("parked.stt-final")


def test_a_stage_that_hangs_before_it_has_a_page_is_replaced(site: Path, watch: Watch) -> None:
    """A process that hangs in an import, and is not stopped, is killed after `starting_limit`."""
    with private_service(config="[warden]\nstarting_limit = 1.0\n" + LEAN) as service:
        watcher = watch(service)
        (site / "hang").touch()
        watcher.kill("transform")
        watcher.until(lambda: not (site / "hang").exists())
        hung = watcher.pid("transform")
        watcher.until(lambda: watcher.told("stalled"))
        assert watcher.told("stalled") == ["transform did not begin to work within 1 s and is replaced"]
        watcher.until(lambda: watcher.pid("transform") not in (0, hung))


def test_a_stage_that_grows_is_restarted_between_utterances(
    beckett: Path, tmp_path: Path, site: Path, watch: Watch
) -> None:
    """One that leaks is restarted, but not while anybody speaks or waits for text; that costs no word and no life."""
    samples, _ = soundfile.read(beckett, dtype="int16")
    twice = tmp_path / "twice.wav"  # the leak is found within 6 s, while he speaks
    soundfile.write(twice, np.concatenate([samples, samples]), SAMPLE_RATE)
    with private_service(config=f"{SOON_PARKED}growth = 25\nmemory_every = 0.1\n" + LEAN) as service:
        watcher = watch(service)
        (site / "leak").touch()
        before = watcher.pid("stt-final")
        watcher.play(twice, pace=2)
        watcher.until(lambda: any("stt-final had grown to" in text for text in watcher.told("memory")))
        rows = watcher.rows()
        assert {row.state for row in rows} == {"typed"}
        assert service.text().lower().count("no matter") == 2
        for notice, t_ns in watcher.notices:
            if notice.code != "memory":
                continue
            for row in rows:
                # Speech is known of after the pre-roll and the shortest speech; some room for the scheduler.
                known_ns = row.spoken_ns - (row.speech_end - row.first) * 10**9 // SAMPLE_RATE + 7 * 10**8
                assert row.typed_ns is not None
                assert not known_ns < t_ns < row.typed_ns, notice.text
        watcher.until(lambda: watcher.pid("stt-final") not in (0, before))
        watcher.play(beckett, pace=0)
        watcher.until(lambda: len(watcher.told("memory")) > 1)  # it leaks again, and is restarted again
        assert watcher.all_are("typed")
        assert not [notice for notice, _ in watcher.notices if notice.code.startswith("parked")]
