"""What is given up when memory runs short, and when it comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from stages import Stages

from sottovoce.actors import pressure
from sottovoce.actors.pressure import Level, Policy, Pressure, PressureWatch, Relief, current, forget
from sottovoce.protocol.config import Config, DraftConfig, MemoryConfig, SttConfig
from sottovoce.protocol.paths import Paths

CALM, HIGH, CRITICAL = Level.CALM, Level.HIGH, Level.CRITICAL
ALWAYS = Config(memory=MemoryConfig(ram_high=1, ram_critical=1, check_every=0.1))
"""Memory that is always short: more than 1 % of any machine's is taken."""
NEVER = Config(memory=MemoryConfig(ram_high=100, ram_critical=100, check_every=0.1))


def levels(policy: Policy, samples: Sequence[tuple[float, float]]) -> list[Level]:
    """Return the levels after each of these (seconds, percent)."""
    return [policy.look(percent, now) for now, percent in samples]


def test_it_rises_at_once() -> None:
    """A level begins with the first sample that reaches it."""
    policy = Policy(80, 90)
    assert levels(policy, [(0, 79.9), (1, 80), (2, 89.9), (3, 90), (4, 99)]) == [CALM, HIGH, HIGH, CRITICAL, CRITICAL]
    assert Policy(80, 90).look(95, 0) == CRITICAL


def test_it_falls_after_a_minute_of_room() -> None:
    """It ends when memory was below it by the margin for a minute on end, not when it has just been freed."""
    policy = Policy(80, 90, margin=5)
    assert levels(policy, [(0, 85), (10, 74), (40, 74), (69, 74), (70, 74)]) == [HIGH, HIGH, HIGH, HIGH, CALM]


def test_a_little_below_is_not_below() -> None:
    """Between a level and its margin nothing changes, and the minute begins anew."""
    policy = Policy(80, 90, margin=5)
    assert levels(policy, [(0, 85), (10, 74), (60, 76), (75, 74), (130, 74)]) == [HIGH] * 5
    assert policy.look(74, 135) == CALM


def test_room_for_what_comes_back() -> None:
    """What was taken out of memory will be there again: where that would raise it again, the level stays."""
    policy = Policy(80, 90, margin=5 + 10)
    assert levels(policy, [(0, 85), (1, 70), (100, 70)]) == [HIGH, HIGH, HIGH]
    assert levels(policy, [(101, 64), (161, 64)]) == [HIGH, CALM]


def test_from_critical_by_steps_or_at_once() -> None:
    """It falls to the level that there is now, be it the next one or none."""
    assert levels(Policy(80, 90), [(0, 95), (1, 82), (61, 82)]) == [CRITICAL, CRITICAL, HIGH]
    assert levels(Policy(80, 90), [(0, 95), (1, 50), (61, 50)]) == [CRITICAL, CRITICAL, CALM]


def test_who_takes_over_goes_on() -> None:
    """A policy that begins with a level ends it as if it had found it itself."""
    policy = Policy(80, 90, level=HIGH)
    assert levels(policy, [(0, 50), (59, 50), (60, 50)]) == [HIGH, HIGH, CALM]


def test_short_memory_is_a_state(paths: Paths) -> None:
    """It is told once, and stages can read it as long as it lasts; a successor of the warden does not tell it again."""
    assert current(paths) == Pressure()
    watch = PressureWatch(paths, ALWAYS)
    ((level, text),) = watch.look()
    assert level == "warning"
    assert "memory is " in text
    assert "drafts are not shown until there is room again; what is said is typed as before" in text
    assert "close what you do not need" in text
    assert current(paths).level == CRITICAL
    assert list(watch.look()) == []
    successor = PressureWatch(paths, ALWAYS)
    assert list(successor.look()) == []
    assert current(paths).level == CRITICAL
    successor.close()
    assert current(paths) == Pressure()
    forget(paths)


def test_room_again(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """When there is room again that is told, and nothing is left of it."""
    monkeypatch.setattr(pressure, "_REST_S", 0.0)
    list(PressureWatch(paths, ALWAYS).look())
    watch = PressureWatch(paths, NEVER)
    assert list(watch.look()) == []  # the rest has begun
    watch._due = 0.0
    ((level, text),) = watch.look()
    assert (level, current(paths)) == ("info", Pressure())
    assert text.endswith("there is room again, and drafts are shown again")


def test_high_alone(paths: Paths) -> None:
    """On the first level drafts go; that is told, and nothing else is given up."""
    config = Config(memory=MemoryConfig(ram_high=1, ram_critical=100, check_every=0.1))
    ((level, text),) = PressureWatch(paths, config).look()
    assert (level, current(paths).level) == ("warning", HIGH)
    assert "dropped" not in text
    without = msgspec.structs.replace(config, stt=SttConfig(draft=DraftConfig(enabled=False)))
    forget(paths)
    ((_, text),) = PressureWatch(paths, without).look()
    assert "drafts" not in text


def test_no_more_often_than_it_may(paths: Paths) -> None:
    """Memory is looked at every so often, not in each turn."""
    watch = PressureWatch(paths, msgspec.structs.replace(ALWAYS, memory=MemoryConfig(check_every=3600.0)))
    assert list(watch.look()) == []
    watch._limits = ALWAYS.memory
    watch._ram = Policy(1, 1)
    assert list(watch.look()) == []
    assert current(paths).level == CALM


def test_files_that_nobody_uses(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is dropped from the file cache are the models that the configuration does not name."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("moonshine-tiny-en", "parakeet"):
        (tmp_path / "sottovoce" / "models" / name).mkdir(parents=True)
        (tmp_path / "sottovoce" / "models" / name / "model").write_bytes(bytes(3_000_000))
    watch = PressureWatch(paths, ALWAYS)
    assert [path.parent.name for path in watch._unused()] == ["parakeet"]
    ((_, text),) = watch.look()
    assert "3 MB of models that nobody uses were dropped" in text


def test_a_damaged_state_is_none(paths: Paths) -> None:
    """A file that somebody has overwritten makes no stage unload anything."""
    (paths.runtime / "memory.pressure").write_bytes(b"\x00")
    assert current(paths) == Pressure()


GROWS = """
import sys
from sottovoce.actors.pressure import Relief
from sottovoce.models.footprint import footprint
from sottovoce.protocol.paths import Paths
relief = Relief(Paths.from_environment())
small = [bytes(1000) for _ in range(200_000)]
kept = small[::50_000]
del small
before = footprint().pss
level = relief.turn()
print(int(level), before - footprint().pss)
"""


def test_stages_give_back_what_is_free(paths: Paths) -> None:
    """On the second level, and on that alone, a stage gives freed memory back to the machine."""
    returned = {}
    environment = {**os.environ, **paths.environment(), "PYTHONMALLOC": "malloc"}
    for config in (Config(memory=MemoryConfig(ram_high=1, ram_critical=100)), ALWAYS):
        forget(paths)
        list(PressureWatch(paths, config).look())
        said = subprocess.run(
            [sys.executable, "-c", GROWS], env=environment, capture_output=True, check=True, text=True
        )
        level, given_back = map(int, said.stdout.split())
        returned[Level(level)] = given_back
    assert returned[HIGH] < 20e6
    assert returned[CRITICAL] > 100e6
    assert Relief(paths).turn() == CRITICAL


def test_the_warden_watches(paths: Paths, stages: Stages) -> None:
    """The real warden keeps the state, tells the person, and takes the state with it when it ends."""
    paths.config.write_text("[memory]\nram_high = 1\nram_critical = 1\n")
    warden = stages.start("warden")
    stages.wait_until(lambda: current(paths).level == CRITICAL, warden)
    stages.wait_until(lambda: '"code":"pressure"' in stages.log(), warden)
    warden.kill()
    warden.wait()
    assert current(paths).level == CRITICAL
    warden = stages.start("warden")
    assert current(paths).level == CRITICAL
    warden.send_signal(signal.SIGTERM)
    warden.wait()
    assert current(paths) == Pressure()
    assert stages.log().count('"code":"pressure"') == 1
