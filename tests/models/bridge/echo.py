"""A child that hears nothing but what the samples are, run by tests: `python echo.py`."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

from sottovoce.models.bridge import Decode, Handler, Heard, Load, Refused, Said, main

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Echo(Handler):
    """Tells how many samples there were and how loud, and does what its options say beside it."""

    name = "echo"
    version = "1"
    cancels = True

    def load(self, request: Load) -> None:
        """Remember the options; fail if they say so."""
        self.options: dict[str, Any] = request.options
        if "refuse" in self.options:
            raise Refused(str(self.options["refuse"]))
        if "break" in self.options:
            raise RuntimeError(str(self.options["break"]))
        self.cancels = bool(self.options.get("cancels", True))
        self.device = request.provider
        print("loading", request.model, "from", request.directory)  # noqa: T201 - as libraries do

    def decode(self, samples: NDArray[np.float32], request: Decode) -> Heard:
        """Describe the samples."""
        if "print" in self.options:
            print(self.options["print"], flush=True)  # noqa: T201
            os.write(1, b"from native code\n")
            sys.stderr.write(f"{self.options['print']}\n")
        if "raise" in self.options:
            raise ValueError(self.options["raise"])
        until = time.monotonic() + float(self.options.get("sleep_s", 0))
        while time.monotonic() < until:
            request.check()
            time.sleep(0.005)  # it is busy
        peak = float(abs(samples).max())
        text = f" {samples.size} samples, peak {peak:.4f} {' '.join(request.hotwords)}"
        return Heard(
            text,
            tokens=(" tok", "en"),
            words=(Said("token", 0.0, samples.size / 16_000),),
            log_prob=-0.5,
            language=request.language,
        )

    def unload(self) -> None:
        """Nothing is held."""


if __name__ == "__main__":
    main(Echo())
