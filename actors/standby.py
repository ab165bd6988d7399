"""The standby: while an engine is broken, the fallback model decodes what it would have decoded.

A server that does not answer, or a child program that has died, is back in a while, mostly. Not to lose what is said
until then, and not to wait for a time limit with each sentence, the engine is left alone for a minute. A model that
cannot be loaded at all, or kills its process, is another matter (`actors.fallback`).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from sottovoce.actors.loaded import Loaded
from sottovoce.models import DecodeCancelled, EngineFailed, Result
from sottovoce.protocol.config import Config

REST_S = 60.0


class Standby:
    """Decodes by one of two models.

    Args:
        config: the configuration; `[stt.final] fallback` is the other model.
        tell: takes what the person is to know.
    """

    def __init__(self, config: Config, tell: Callable[[str], object]) -> None:
        self._config, self._tell = config, tell
        self._role = msgspec.structs.replace(config.stt.final, unload_after=REST_S)
        self._spare: Loaded | None = None
        self._broken_until = 0.0
        self.model = ""
        """The model that decoded last."""

    def decode(self, loaded: Loaded, samples: NDArray[np.float32]) -> Result:
        """Decode by `loaded`, or by the fallback while that is broken.

        Args:
            loaded: the model that is to decode.
            samples: float32, shape (n,), 16 kHz.

        Raises:
            DecodeCancelled: the decode was cancelled, which says nothing of the engine.
            EngineFailed: it broke, and there is no other model, or that breaks as well.
            ModelError: a model cannot be loaded now.
        """
        if time.monotonic() >= self._broken_until:
            try:
                self.model = loaded.model
                return loaded.get().decode(samples)
            except DecodeCancelled:
                raise
            except EngineFailed as error:
                if self._role.fallback in ("", loaded.model):
                    raise
                self._broken_until = time.monotonic() + REST_S
                self._tell(f"{error}; {self._role.fallback} takes its place for {REST_S:.0f} s")
        if self._spare is None:
            self._spare = Loaded(self._role.fallback, self._config, self._role)
        engine = self._spare.get()
        self._spare.lease.release()
        self.model = self._spare.model
        return engine.decode(samples)

    def rest(self) -> None:
        """Let the fallback leave memory when it has not been needed for a while; to be called between utterances."""
        if self._spare is not None:
            self._spare.lease.tick()

    def close(self) -> None:
        """Free the fallback."""
        if self._spare is not None:
            self._spare.close()
