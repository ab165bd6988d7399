"""What was dictated, as the journal has it: listed, shown, typed again, copied, deleted.

The journal promises that each utterance is typed once or told about; this is where it is told. What needs a person
comes first: what may or may not have been typed, what came too late, what was refused. Everything but typing again
works without a service.

Typing again goes through the journal as everything else does: a new row that is ready to be typed, which the injector
finds by itself within 250 ms. So no socket can make it type, the order is kept, and a crash in between is covered by
the same promise.
"""

from __future__ import annotations

import datetime
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from sottovoce.actors.supervisor import Supervisor
from sottovoce.ops.exceptions import OpsError
from sottovoce.protocol.clocks import SAMPLE_RATE
from sottovoce.protocol.config import load_config
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.paths import Paths
from sottovoce.protocol.rows import UNFINISHED, Edit, State, UtteranceRow

GROUPS: Final[dict[str, tuple[State, ...]]] = {
    "in_doubt": ("in_doubt",),
    "late": ("late",),
    "suppressed": ("suppressed",),
    "waiting": UNFINISHED,
    "typed": ("typed",),
}
"""The states as people tell them apart, in the order in which they are listed."""
FINISHED: Final = tuple(state for states in GROUPS.values() for state in states if state not in UNFINISHED)
NOT_KEPT: Final = '(not kept: [history] keep = "none")'

_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
# xclip and xsel go to the background to serve the selection, wl-copy as well, once they have read all of it.
_CLIPBOARD_LIMIT_S: Final = 5.0
_TOOLS: Final = (  # what the session must have, the program, its package
    ("WAYLAND_DISPLAY", ("wl-copy", "--type", "text/plain"), "wl-clipboard"),
    ("DISPLAY", ("xclip", "-selection", "clipboard", "-in"), "xclip"),
    ("DISPLAY", ("xsel", "--clipboard", "--input"), "xsel"),
)


class History:
    """The utterances of one service's journal. The journal is opened for each call, and never made by one."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._config = load_config(paths.config)
        self._path = paths.journal(keep=self._config.history.keep)

    @contextmanager
    def _journal(self) -> Iterator[Journal]:
        if not self._path.exists():
            raise OpsError(f"nothing has been dictated: there is no journal at {self._path}")
        journal = Journal(self._path, keep=self._config.history.keep)
        try:
            yield journal
        except sqlite3.Error as error:
            raise OpsError(f"{self._path}: the journal cannot be read or written ({error}); try again") from error
        finally:
            journal.close()

    def rows(self, *groups: str, limit: int = -1) -> tuple[list[UtteranceRow], bool]:
        """Return the newest `limit` (-1: all) of each of GROUPS or of those named, and whether there are more.

        Groups in their order, newest first in each. An absent journal is an empty one.
        """
        if not self._path.exists():
            return [], False
        wanted = [states for group, states in GROUPS.items() if not groups or group in groups]
        with self._journal() as journal:
            found = [journal.newest(*states, limit=-1 if limit < 0 else limit + 1) for states in wanted]
        kept = [group if limit < 0 else group[:limit] for group in found]
        return [row for group in kept for row in group], kept != found

    def get(self, ordinal: int) -> UtteranceRow:
        """Return one utterance.

        Raises:
            OpsError, JournalError: there is no journal, or none of this number in it.
        """
        with self._journal() as journal:
            return journal.utterance(ordinal)

    def shown_text(self, row: UtteranceRow) -> str:
        """Return the text of an utterance, else what was heard, else that it was not kept, or nothing.

        Of a text of which edits have left a part, that part; of one of which nothing is left, all of it.
        """
        if row.stands and row.state == "typed":
            return row.stands
        if row.edit is not None and not row.text:
            return row.heard or ""
        if (text := row.heard if row.text is None else row.text) is not None:
            return text
        return NOT_KEPT if self._config.history.keep == "none" and row.state in FINISHED else ""

    def text(self, ordinal: int) -> str:
        """Return the text of an utterance, for use elsewhere.

        Raises:
            OpsError: it has none (any more).
        """
        row = self.get(ordinal)
        if text := row.heard if row.text is None else row.text:
            return text
        why = self.shown_text(row) or (f"{row.state}: {row.reason}" if row.reason else row.state)
        raise OpsError(f"utterance {ordinal} has no text ({why.strip('()')})")

    # -- typing again --------------------------------------------------------------------------------------------------

    def retypable(self, ordinal: int) -> str:
        """Return what `retype` would type.

        What was heard but never transformed is transformed now, as at the beginning of a dictation.

        Raises:
            OpsError: it has no text or is still on its way, or nobody would type it.
            SupervisorUnreachable: the service does not run.
        """
        row, text = self.get(ordinal), self.text(ordinal)
        if row.state in UNFINISHED:
            raise OpsError(f"utterance {ordinal} is still on its way ({row.state}); wait for it")
        if row.text is None:
            from sottovoce.actors.transform import Context, Transformer
            from sottovoce.actors.transform.edits import Edits
            from sottovoce.actors.transform.learned import Learned
            from sottovoce.actors.transform.numbers import mode_of
            from sottovoce.actors.transform.rulebook import own
            from sottovoce.protocol.corrections import database_path

            settings = self._config.transform
            transformer = Transformer.load(settings.language, own=own(self._paths.config, settings.language))
            if self._config.edits.enabled:
                text = Edits(transformer.rules, keys=self._config.edits.keys).find(text).text
            learned = Learned(database_path(self._paths), settings)
            if database_path(self._paths).exists():
                learned.look()  # what is wrong with it the stage tells; the text goes without, as it would there
            learned.close()
            text = transformer.apply(text, Context(), numbers=mode_of(settings), corrections=learned.corrections)[0]
            if not text:
                raise OpsError(f"utterance {ordinal} holds commands only; there is nothing to type")
        self._require_injector()
        return text

    def retype(self, ordinal: int, text: str) -> int:
        """Put `text`, of `retypable`, up for delivery and return the ordinal of the new utterance.

        Raises:
            OpsError, SupervisorUnreachable: as `retypable`; then nothing is put up, since it could only become late.
        """
        self._require_injector()
        with self._journal() as journal:
            return journal.retyped(ordinal, text=text, wall_ns=time.time_ns())

    def _require_injector(self) -> None:
        state = Supervisor(self._paths.supervisor_socket).processes().get("inject", {}).get("statename", "missing")
        if state not in ("RUNNING", "STARTING"):
            raise OpsError(f"the injector does not run ({str(state).lower()}); run: sottovoce restart inject")

    # -- deleting ------------------------------------------------------------------------------------------------------

    def select(self, *, numbers: Sequence[int] = (), older_than_s: float | None = None) -> list[int]:
        """Return the ordinals of finished utterances: of `numbers`, of those spoken so long ago, or of all.

        Raises:
            OpsError, JournalError: a number is not there, or is still on its way.
        """
        if not numbers and not self._path.exists():
            return []
        with self._journal() as journal:
            for number in numbers:
                if (state := journal.utterance(number).state) in UNFINISHED:
                    raise OpsError(f"utterance {number} is still on its way ({state}); end it with `sottovoce cancel`")
            if numbers:
                return sorted(set(numbers))
            before = float("inf") if older_than_s is None else time.time_ns() - older_than_s * 1e9
            return sorted(row.ordinal for row in journal.newest(*FINISHED) if row.wall_ns < before)

    def delete(self, ordinals: Sequence[int]) -> int:
        """Delete utterances, their words in the journal's files included, and return how many."""
        if not ordinals:
            return 0
        with self._journal() as journal:
            return journal.delete(ordinals)


def seconds(duration: str) -> float:
    """Return the seconds of "90s", "15m", "12h" or "7d".

    Raises:
        ValueError: it is none of these.
    """
    found = re.fullmatch(r"(\d{1,9})([smhd])", duration)
    if found is None:
        raise ValueError(f"{duration!r} is not a time; write 90s, 15m, 12h or 7d")
    return float(found[1]) * _UNIT_S[found[2]]


def as_dict(row: UtteranceRow) -> dict[str, Any]:
    """Return everything about an utterance; `heard`, `plain` and `text` are null where there is none or it is not kept.

    `plain` is there only where a hook or a rewrite has made `text` of it, `edit` only where it asks for one, `stands`
    only where an edit has taken some of `text` back.
    """
    return {
        "ordinal": row.ordinal, "trace": row.trace, "recording": row.generation, "time": _time(row).isoformat(),
        "state": row.state, "reason": row.reason, "heard": row.heard, "plain": row.plain, "text": row.text,
        "stands": row.stands, "edit": None if row.edit is None else msgspec.json.decode(row.edit),
        "model": row.model, "backend": row.backend, "audio_s": round((row.end - row.first) / SAMPLE_RATE, 3),
        "timings_ms": {name: round(value, 3) for name, value in row.timings_ms().items()},
    }  # fmt: skip


def shown_state(row: UtteranceRow) -> str:
    """Return the state of an utterance as people are told it: of one that was typed, also what edits made of it."""
    if row.state != "typed":
        return row.state.replace("_", " ")
    if row.edit is not None and not row.text:
        return "edit"
    if row.stands is None:
        return "typed"
    return "typed, cut" if row.stands else "scratched"


def as_line(row: UtteranceRow, text: str, columns: int) -> str:
    """Return an utterance as one line of at most `columns` columns: number, time, state, text, and why."""
    head = f"{row.ordinal:>6}  {_time(row):%Y-%m-%d %H:%M:%S}  {shown_state(row):<12}"
    room = max(20, columns - len(head))
    reason = cut(f"({row.reason})", room // 2) if row.reason else ""
    return f"{head}{cut(text.strip(' '), room - len(reason) - bool(reason))} {reason}".rstrip()


def as_page(row: UtteranceRow, text: str) -> str:
    """Return everything about an utterance, a line each, and its text last."""
    about = as_dict(row)
    timings = ", ".join(f"{name} {value:.0f}" for name, value in about.pop("timings_ms").items())
    about |= {"time": f"{_time(row):%Y-%m-%d %H:%M:%S}", "text": None}
    about["state"] = shown_state(row) if row.state == "typed" else row.state
    about["stands"] = None
    about["typed"] = row.text if row.stands else None
    about["edit"] = None if row.edit is None else msgspec.json.decode(row.edit, type=Edit).does
    about["ms after the segment's end"] = timings
    lines = [f"{name + ':':<28}{visible(str(value))}" for name, value in about.items() if value not in (None, "")]
    return "\n".join([*lines, "", *map(visible, text.split("\n"))])


def _time(row: UtteranceRow) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(row.wall_ns / 1e9, datetime.UTC).astimezone()


def cut(text: str, columns: int) -> str:
    """Return `text` on one line of at most `columns` columns of a terminal."""
    text = visible(text.replace("\n", "⏎"))
    if _width(text) <= columns:
        return text
    used, kept = 1, ""
    for letter in text:
        used += _width(letter)
        if used > columns:
            break
        kept += letter
    return kept + "…"


def visible(text: str) -> str:
    """Return `text` with control characters replaced: what an engine returns must not steer the terminal."""
    return "".join("�" if unicodedata.category(letter) == "Cc" else letter for letter in text)


def _width(text: str) -> int:
    """Columns of a text: wide and full-width letters take two (Unicode annex 11), combining marks none."""
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text
    )


def to_clipboard(text: str, environ: Mapping[str, str] | None = None) -> str:
    """Put `text` on the clipboard of the session of `environ` (default: this one) and return the tool that did it.

    Raises:
        OpsError: there is no session or no tool, with the packages that have one; or the tools failed, and how.
    """
    env = dict(os.environ if environ is None else environ)
    tools = [(argv, package) for variable, argv, package in _TOOLS if env.get(variable)]
    if not tools:
        raise OpsError("no desktop to copy to: neither WAYLAND_DISPLAY nor DISPLAY is set")
    here = [argv for argv, _ in tools if shutil.which(argv[0], path=env.get("PATH"))]
    if not here:
        raise OpsError(f"no tool for the clipboard is installed: apt install {' or '.join(p for _, p in tools)}")
    failed = []
    for argv in here:
        if (why := _feed(argv, text, env)) is None:
            return argv[0]
        failed.append(f"{argv[0]}: {why}")
    raise OpsError(f"nothing was copied: {'; '.join(failed)}")


def _feed(argv: Sequence[str], text: str, env: dict[str, str]) -> str | None:
    """Run a tool with `text` as its input; None, or what went wrong."""
    with tempfile.TemporaryFile() as complaint:  # a pipe would stay open for as long as the tool serves the clipboard
        try:
            done = subprocess.run(
                argv, input=text.encode(), stdout=subprocess.DEVNULL, stderr=complaint, check=False,
                env={**env, "LC_ALL": "C.UTF-8"}, timeout=_CLIPBOARD_LIMIT_S,
                start_new_session=True,  # or the clipboard would be lost with the terminal
            )  # fmt: skip
        except OSError as error:
            return f"cannot be started ({error.strerror})"
        except subprocess.TimeoutExpired:
            return f"did not finish within {_CLIPBOARD_LIMIT_S:g} s"
        complaint.seek(0)
        said = complaint.read(500).decode(errors="replace").strip()
    return None if done.returncode == 0 else (" ".join(said.split()) or f"ended with status {done.returncode}")
