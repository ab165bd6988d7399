"""The transform compiled to machine code by mypyc, where that was done: it is the same source, and takes half the time.

`make` does it where there is a C compiler (`ops.compile`), and puts the result beside the virtual environment's
packages, in a folder whose name is a digest of the source. So what was compiled of another source is never loaded.
"""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from pathlib import Path
from typing import Final

MODULES: Final = (
    "address", "asking", "casing", "composer", "correcting", "figures", "formula", "heard", "identifier", "labels",
    "moments", "numbers", "numerals", "phrases", "prose", "quantities", "reading", "typography", "vocabulary", "words",
)  # fmt: skip
"""What an utterance goes through, but for classes that mypyc does not do: msgspec's, subclasses of dict."""
SOURCE: Final = Path(__file__).parent
STORE: Final = Path(sys.prefix) / "lib" / "sottovoce-compiled"


def folder() -> Path:
    """Return where the compiled modules of this source belong, whether they are there or not."""
    digest = hashlib.sha256(sysconfig.get_config_var("EXT_SUFFIX").encode())
    for path in sorted(SOURCE.glob("*.py")):  # all, since constants of the others may have been compiled in
        digest.update(path.read_bytes())
    return STORE / digest.hexdigest()[:16]


def paths() -> list[str]:
    """Return the folders with compiled modules of the package; none with `SOTTOVOCE_COMPILED=0` in the environment."""
    if os.environ.get("SOTTOVOCE_COMPILED") == "0":
        return []
    found = folder() / "sottovoce" / "actors" / "transform"
    return [str(found)] if found.is_dir() else []
