"""A child that runs one of our own engines, for the contract; option `entry` is its entry as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sottovoce.models import Entry, OfflineEngine, load_engine
from sottovoce.models.bridge import Decode, Handler, Heard, Load, Said, main

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Relay(Handler):
    """An engine in another process."""

    name = "relay"
    engine: OfflineEngine | None = None

    def load(self, request: Load) -> None:
        """Load the engine that the entry in our options names."""
        entry = msgspec.json.decode(str(request.options["entry"]), type=Entry)
        self.engine = load_engine(entry, Path(request.directory))

    def decode(self, samples: NDArray[np.float32], request: Decode) -> Heard:
        """Have the engine decode."""
        assert self.engine is not None
        result = self.engine.decode(samples)
        words = tuple(Said(word.text, word.start_s, word.end_s) for word in result.words)
        return Heard(result.text, result.tokens, words, result.log_prob, result.language)

    def unload(self) -> None:
        """Close the engine."""
        if self.engine is not None:
            self.engine.close()


if __name__ == "__main__":
    main(Relay())
