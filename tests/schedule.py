"""Which worker of pytest-xdist runs what: two at most run tests in real time, one those that need a processor alone.

A test of a running service mostly waits for speech to be spoken, and is wrong about it where the machine is busy: with
three services at once on two cores, five tests of 5,100 took a delay for a fault. So from three workers on, the last
one takes the other tests, at a lower priority, and comes to the services when nothing else is left.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

SLOW = (
    "tests/system/test_microphone.py",
    "tests/actors/capture/test_microphone.py",
    "tests/system/test_degraded.py",
    "tests/system/test_faults.py",
    "tests/system/test_suspend.py",
    "tests/ops/test_bench_latency.py",
    "tests/system/test_doctor.py",
    "tests/system/test_endpoint.py",
    "tests/system/test_chaos.py",
    "tests/system/test_ring_faults.py",
    "tests/system/test_model_use.py",
    "tests/system/test_two_models.py",
    "tests/system/test_long_speech.py",
)
"""More than half a minute, most of them with few tests, which xdist would hand out last: then one worker is left."""
REAL_TIME = (
    *SLOW,
    "tests/system/",
    "tests/ops/test_bench_latency.py",
    "tests/ops/test_bench_soak.py",
    "tests/ops/test_devices.py",
    "tests/ops/test_doctor.py",
    "tests/protocol/test_bus.py",
    "tests/protocol/test_journal_processes.py",
)
AT_ANY_PACE = ("tests/system/test_promise_model.py",)
"""A computation, in spite of where it is."""
NICE = 5
"""Three steps of 5 in nice(2) are a factor of 3 in the share of a core; less than 15, so that nothing starves."""


def in_real_time(nodeid: str) -> bool:
    """Tell whether a test, or a file of them, keeps time with something outside itself."""
    return nodeid.startswith(REAL_TIME) and not nodeid.startswith(AT_ANY_PACE)


class Schedule(LoadFileScheduling):  # type: ignore[misc]
    """Hands out whole files, those in real time first, but to the last of three or more workers."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        last = len(self.nodes) > 2 and node is self.nodes[-1]
        slow = () if last else (file for file in SLOW if file in self.workqueue)
        wanted = next(chain(slow, (file for file in self.workqueue if in_real_time(file) is not last)), None)
        if wanted is not None:
            self.workqueue.move_to_end(wanted, last=False)
        super()._assign_work_unit(node)
