"""Memory that is short, in a whole service: the draft's model goes, what is said is typed, and the draft comes back."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from stages import wait_until

from sottovoce.actors.pressure import Level, current, forget
from sottovoce.actors.supervisor import Supervisor
from sottovoce.ops.live import feed
from sottovoce.ops.private import PrivateService, private_service
from sottovoce.protocol.messages import Draft
from sottovoce.shm import CountersView, ShmError

SHORT = "[memory]\nram_high = 1\nram_critical = 100\ncheck_every = 0.1\n"
"""More than 1 % of any machine's memory is taken."""


def counted(service: PrivateService, stage: str, counter: str) -> int:
    """Return a counter of a stage, 0 while no process of it lives."""
    try:
        with CountersView.attach(service.paths.counters(stage)) as view:
            return view.counters()[counter] if view.alive else 0
    except ShmError:
        return 0


def drafts(service: PrivateService, audio: Path) -> int:
    """Record a file, and return how many drafts were shown until all of it was typed."""
    return sum(isinstance(event.body, Draft) for event in feed(service.paths, audio, pace=3.0))


def test_drafts_go_and_come_back(opening: Path) -> None:
    """From the first level on no draft is shown and its model is out of memory; every word is typed.

    A draft stage that is restarted while memory is short finds it short; once it is not, drafts are shown again.
    """
    with private_service(config=SHORT + '[vad]\nturn = ""\n') as service:
        wait_until(lambda: counted(service, "stt-draft", "unloads") == 1)
        assert drafts(service, opening) == 0
        assert service.text().lower().count("ever tried") == 1
        assert counted(service, "stt-draft", "decodes") == 0
        # From here on the warden looks at it once, and the draft stage alone has to know.
        config = service.paths.config
        config.write_text(config.read_text().replace("check_every = 0.1", "check_every = 3600"))
        Supervisor(service.paths.supervisor_socket).restart("warden")
        wait_until(lambda: counted(service, "warden", "turns") > 1)
        with CountersView.attach(service.paths.counters("stt-draft")) as view:
            os.kill(view.pid, signal.SIGKILL)
        wait_until(lambda: not counted(service, "stt-draft", "unloads"))
        wait_until(lambda: counted(service, "stt-draft", "unloads") == 1)
        assert drafts(service, opening) == 0
        assert current(service.paths).level == Level.HIGH
        forget(service.paths)
        wait_until(lambda: drafts(service, opening))  # the first may be over before the model is there again
