"""`python -m sottovoce.actors.inject`."""

from sottovoce.actors.base import run
from sottovoce.actors.inject.stage import Inject

if __name__ == "__main__":
    run(Inject)
