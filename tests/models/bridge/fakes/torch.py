"""As much of torch as the children ask for, where it is not installed."""

from types import SimpleNamespace

float32, bfloat16, float16 = "float32", "bfloat16", "float16"
threads = 0
cuda = SimpleNamespace(is_available=lambda: False)


def set_num_threads(count: int) -> None:
    """Remember it."""
    global threads  # noqa: PLW0603 - so does torch
    threads = count


def manual_seed(seed: int) -> None:
    """Nothing here is random."""
