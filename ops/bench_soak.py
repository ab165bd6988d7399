"""`sottovoce bench soak`: a day of dictation at many times its pace, and whether anything grew.

A private service gets recordings that `ops.day` composes, one after another, with rests in between; each is fed at
`speed` times real time and waited for until all of it is typed. A rest is shortened by what the stages took to catch
up; `behind_s` tells how far the day fell behind for that, at most and in the end. All the while what the processes and
files take is sampled (`ops.sample`) over simulated time, and `ops.trend` judges each series. Nothing is lost if what
was typed is what the journal has, and the journal has each segment that the detector finds in a dictation by itself.

What the clock of the wall must not decide, since only the audio is sped up (`configuration`):

- `[inject] deliver_within`: decoding takes what it takes, so a dictation of two minutes, fed in three seconds, is typed
  later after it was "spoken" than anybody would wait. Nothing may become late for that;
- `[transform] carry` and `[stt.draft] interval` are divided by `speed`, so that a rest is as long, and drafts as many
  as the machine can do;
- `[vad] endpoint` is a fixed silence: pauses are over before anybody could read how the text in them ends.

A recording of a dictation is shorter than the ring, and those before an open microphone are nearly silent: no ring is
lapped unless the stages stop for minutes of audio. Retention (`[history] keep`) goes by the clock of the wall, so
nothing is forgotten here; the journal's growth is told in bytes an utterance.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sottovoce.models import Store
from sottovoce.ops.day import Composer, day, sound_files
from sottovoce.ops.demo import SAMPLE
from sottovoce.ops.exceptions import OpsError, ServiceError
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.ops.soak import ENDPOINT_S, Soak
from sottovoce.protocol.exceptions import ControlError

ZERO: Final = (
    "lost", "duplicated", "out_of_order", "lapped", "in_doubt", "late", "restarts", "ended_early",
    "left_behind", "grows",
)  # fmt: skip
"""What must be 0, or empty."""
SAMPLES: Final = 400  # of a run, unless told otherwise: 9 processes take 30 ms a sample


def run(
    *, hours: float, speed: float, seed: int, every: float | None = None, audio: Sequence[Path] = (),
    tell: Callable[[str], object] = lambda _: None,
) -> dict[str, Any]:  # fmt: skip
    """Run the benchmark.

    Args:
        hours: of the simulated day.
        speed: times real time.
        seed: of the day.
        every: seconds (of the wall) between two samples; by default 400 samples in all, two a second at most.
        audio: recordings, or folders of them, in place of the sample of the demo.
        tell: is called with a line of progress every 10 s.

    Returns:
        What `docs/soak.md` lists.

    Raises:
        AudioFileError, ModelError, OpsError: there is nothing to play, or to play to.
    """
    rng = random.Random(seed)
    composer = Composer(list(sound_files(audio)) or [Store().path(SAMPLE) / f"{SAMPLE}.wav"], rng)
    every = max(0.5, hours * 3600 / speed / SAMPLES) if every is None else every
    report: dict[str, Any] = {"hours": hours, "speed": speed, "seed": seed, "every_s": every}
    try:
        with (
            private_service(config=configuration(speed)) as service,
            _soak(service, composer, speed, every, tell) as soak,
        ):
            soak.calibrate()
            report["ended_early"] = ""
            try:
                for stretch in day(hours, rng):
                    soak.live(stretch)
            except (ControlError, OpsError) as error:  # what was seen until then is worth more than the error alone
                report["ended_early"] = str(error)
            report |= soak.report()
    except ServiceError as error:
        if "series" not in report:
            raise
        report["left_behind"] = str(error)
    report["failed"] = [name for name in ZERO if report[name]]
    return report


def configuration(speed: float) -> str:
    """Return what is set for the private service, as TOML; the head of this file has the reasons."""
    return (
        f"deliver_within = 3600\n[vad]\nendpoint = {ENDPOINT_S}\n[transform]\ncarry = {30 / speed:.4f}\n"
        f"[stt.draft]\ninterval = {0.2 / speed:.4f}\n"
    )


@contextmanager
def _soak(
    service: PrivateService, composer: Composer, speed: float, every: float, tell: Callable[[str], object]
) -> Iterator[Soak]:
    with tempfile.TemporaryDirectory(prefix="sottovoce-soak-", dir=service.typed.parent) as folder:
        soak = Soak(service, composer, Path(folder), speed=speed, every=every, tell=tell)
        try:
            yield soak
        finally:
            soak.close()


def render(report: Mapping[str, Any]) -> str:
    """Return the report as lines of text: what happened, and the series as a table."""
    lines = [
        f"{name:<30}{value}" for name, value in report.items() if name not in ("series", "samples", "grows", "failed")
    ]
    columns = ("first", "last", "min", "max", "ols_per_h", "sen_per_h", "low_per_h", "high_per_h", "in_24h")
    lines += ["", f"{'':<28}" + "".join(f"{column:>11}" for column in columns) + "  verdict"]
    for name, found in report["series"].items():
        figures = "".join(f"{'' if found[column] is None else format(found[column], '.4g'):>11}" for column in columns)
        lines.append(f"{name:<28}{figures}  {found['verdict']}{'' if found['must_be_flat'] else ' (may grow)'}")
    said = f"failed: {', '.join(report['failed'])}" if report["failed"] else "all that must be flat is flat"
    return "\n".join([*lines, "", said + (f": {', '.join(report['grows'])}" if report["grows"] else "")])
