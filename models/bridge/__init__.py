"""For writing a child program: a recogniser that another environment, or another language, has.

A child reads requests from its standard input and answers on its standard output, a JSON object a line; docs/bridge.md
has the protocol. In Python, a class with three methods is one:

    class Mine(Handler):
        name = "mine"

        def load(self, request): self.model = my_library.load(request.directory)
        def decode(self, samples, request): return Heard(self.model.recognise(samples))
        def unload(self): self.model = None

    if __name__ == "__main__":
        main(Mine())

Nothing here needs more than the standard library and, for the samples, numpy: the child's environment is often one in
which the rest of Sottovoce is not at home. There it is installed with `pip install --no-deps`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sottovoce.shm.lazy import lazy

if TYPE_CHECKING:
    from sottovoce.models.bridge.handler import Cancelled, Decode, Handler, Heard, Load, Refused, Said
    from sottovoce.models.bridge.once import main
    from sottovoce.models.bridge.serve import serve
    from sottovoce.models.bridge.wire import VERSION

__all__ = ["VERSION", "Cancelled", "Decode", "Handler", "Heard", "Load", "Refused", "Said", "main", "serve"]

__getattr__ = lazy(
    __name__,
    {
        "handler": ("Cancelled", "Decode", "Handler", "Heard", "Load", "Refused", "Said"),
        "once": ("main",),
        "serve": ("serve",),
        "wire": ("VERSION",),
    },
)
