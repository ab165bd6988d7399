"""The stages, each a process of its own.

A stage asks to die with supervisord in its first moments, here, and not after its imports: those take 0.3 s, and under
load 3 s, for which a stage that was just being started would outlive a supervisord that is killed.
"""

import os
import sys

if os.environ.get("SUPERVISOR_ENABLED") and sys.argv[:1] == ["-m"]:  # what it is while `python -m` looks for the module
    from sottovoce.actors.exceptions import EXIT_UNMENDABLE, Unmendable
    from sottovoce.actors.process import die_with_parent

    try:
        die_with_parent()
    except Unmendable as error:
        print(error, file=sys.stderr)  # noqa: T201 - there is no log yet
        sys.exit(EXIT_UNMENDABLE)
