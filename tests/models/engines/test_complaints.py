"""What is shown of a child's standard error: all until it hears something, then nothing that it may have heard."""

from __future__ import annotations

import pytest

from sottovoce.models.engines.complaints import Complaints


def test_before_the_first_audio_all_is_shown() -> None:
    """The last lines come in one clause, whatever the pieces in which they were written."""
    complaints = Complaints()
    for piece in (b"load", b"ing\n\n", b" 10 %\r 90 %\r", b"Loaded \xff\x1b[0m\n", b"unfinished"):
        complaints.take(piece)
    assert complaints.lines == ("loading", " 10 %", " 90 %", "Loaded \ufffd [0m")
    assert complaints.summary(2) == "; its standard error ends: 90 % | Loaded \ufffd [0m"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('  File "/usr/lib/model.py", line 12, in decode', 'File "/usr/lib/model.py", line 12, in decode'),
        ('  File "/usr/lib/model.py", line 12 in decode', 'File "/usr/lib/model.py", line 12 in decode'),
        ("torch.cuda.OutOfMemoryError: could not decode 'my secret'", "torch.cuda.OutOfMemoryError"),
        ("KeyError", "KeyError"),
        ("Fatal Python error: Segmentation fault", "Fatal Python error: Segmentation fault"),
        ("    text = 'my secret'", None),
        ("heard: my secret", None),
        ('  File "my secret", line 12', None),
        ("my secret Error: no", None),
    ],
)
def test_after_it_only_what_cannot_be_speech(line: str, shown: str | None) -> None:
    """Of a traceback, places and kinds are shown; how many other lines there were is told."""
    complaints = Complaints()
    complaints.may_hear()
    complaints.take(f"{line}\n".encode())
    kept = "; lines kept back, since they may quote what was said: 1"
    assert complaints.summary() == (kept if shown is None else f"; its standard error ends: {shown}")
    assert complaints.lines == (line,)


def test_there_is_an_end_to_it() -> None:
    """200 lines of 500 characters are kept, however much is written."""
    complaints = Complaints()
    complaints.take(b"x" * 1_000_000)
    complaints.take(b"\n" + b"y\n" * 199)
    assert [len(line) for line in complaints.lines] == [500] + [1] * 199
    complaints.take(b"z\n")
    assert len(complaints.lines) == 200
    assert complaints.lines[0] == "y"
    assert Complaints().summary() == ""
