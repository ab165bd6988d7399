"""`python -m sottovoce.actors.transform`."""

from sottovoce.actors.base import run
from sottovoce.actors.transform.stage import Transform

if __name__ == "__main__":
    run(Transform)
