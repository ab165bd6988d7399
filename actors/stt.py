"""The STT stages: `stt-final` decodes closed segments, whose text is typed; `stt-draft` the open one, to be shown.

They are two processes of one program, so that a draft never waits for a final nor the reverse, and one may die alone.
Neither receives audio: a message names a range of samples, and the ring has them.
"""

from __future__ import annotations

import sys

from sottovoce.actors.base import run
from sottovoce.actors.draft import DraftRecogniser
from sottovoce.actors.final import FinalRecogniser

ROLES = {"final": FinalRecogniser, "draft": DraftRecogniser}

if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "--role" or sys.argv[2] not in ROLES:
        sys.exit(f"usage: python -m sottovoce.actors.stt --role {'|'.join(ROLES)}")
    run(ROLES[sys.argv[2]])
