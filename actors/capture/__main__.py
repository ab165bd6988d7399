"""`python -m sottovoce.actors.capture`."""

from sottovoce.actors.base import run
from sottovoce.actors.capture.stage import Capture

if __name__ == "__main__":
    run(Capture)
