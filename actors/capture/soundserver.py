"""The sound server, PulseAudio or PipeWire in its place: which inputs it has, and which of them we really get.

PortAudio reaches it through ALSA and knows it as one device, "default" or "pulse". What stands behind that, the server
decides, and may decide anew at any time: a stream whose source is unplugged is moved to another one, even to what the
computer itself plays. So a connection of our own (pulsectl, which is libpulse) asks. libpulse waits for answers without
limit, hence each connection lives in a thread that may be left behind.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from sottovoce.actors.exceptions import ActorError
from sottovoce.protocol.clocks import now_ns

_CONNECT_S = 1.5  # 3 ms here; a server that needs more is stopped or starved
_LOOK_EVERY_S = 1.0
_AGAIN_S = 0.2
_BACK_NS = 300_000_000


class SoundServerSilent(ActorError):
    """There is a sound server, and it does not answer."""


class SoundServerGone(ActorError):
    """The sound server ended while it was asked something, or refused it."""


class PulseSource(msgspec.Struct, frozen=True):
    """An input of the server."""

    index: int
    name: str
    description: str
    monitor: bool
    """What the computer plays, rather than a microphone."""
    rate: int
    channels: int


class View(msgspec.Struct, frozen=True):
    """What the server says of itself at one moment."""

    sources: tuple[PulseSource, ...]
    default: str
    """Name of the default source; "" for none."""
    stream: int | None
    """Index of this process's own recording stream."""
    recorded: PulseSource | None
    """What that stream records."""

    def source(self, name: str) -> PulseSource | None:
        """Return the source of that name."""
        return next((source for source in self.sources if source.name == name), None)

    def find(self, text: str) -> PulseSource | None:
        """Return the source that is meant by `text`: its name or description, wholly before in part.

        A monitor is found only where its whole name or description is given, or the word.
        """
        wanted = text.casefold()
        names = [(source, source.name.casefold(), source.description.casefold()) for source in self.sources]
        for source, name, description in names:
            if wanted in (name, description):
                return source
        for source, name, description in names:
            if (wanted in name or wanted in description) and (not source.monitor or "monitor" in wanted):
                return source
        return None


@contextlib.contextmanager
def connected() -> Iterator[Any]:
    """Connect to the server for the length of the block; None where there is none, or no libpulse.

    Raises:
        SoundServerSilent: it takes no connection within 1.5 s.
        SoundServerGone: it ended in the midst of the block.
    """
    try:
        import pulsectl
    except (ImportError, OSError):  # no libpulse: then nothing goes through a sound server
        yield None
        return

    class Pulse(pulsectl.Pulse):  # type: ignore[misc]
        """One that is connected when it is: pulsectl 24.12 waits until the end of the time allowed."""

        def _pulse_state_cb(self, *arguments: Any) -> None:
            super()._pulse_state_cb(*arguments)
            if self.connected:
                self._loop_stop = True

    began = now_ns()
    pulse = Pulse("sottovoce", connect=False)
    try:
        try:
            pulse.connect(timeout=_CONNECT_S)
        except pulsectl.PulseError as error:
            if now_ns() - began > _CONNECT_S * 1e9:
                raise SoundServerSilent("the sound server does not answer") from error
            yield None
            return
        try:
            yield pulse
        except (pulsectl.PulseError, pulsectl.PulseDisconnected) as error:
            raise SoundServerGone(f"the sound server ended: {error}".rstrip(": ")) from error
    finally:
        pulse.close()


def view(pulse: Any) -> View:
    """Ask the server; 1 ms, or as long as it is silent.

    Raises:
        pulsectl.PulseError: it is gone.
    """
    sources = {
        source.index: PulseSource(
            index=source.index,
            name=source.name,
            description=source.description or source.name,
            monitor=source.monitor_of_sink not in (None, 0xFFFFFFFF),
            rate=source.sample_spec.rate,
            channels=source.channel_count,
        )
        for source in pulse.source_list()
    }
    own = next(
        (
            stream
            for stream in pulse.source_output_list()
            if stream.proplist.get("application.process.id") == str(os.getpid())
        ),
        None,
    )
    return View(
        sources=tuple(sources.values()),
        default=pulse.server_info().default_source_name or "",
        stream=None if own is None else own.index,
        recorded=None if own is None else sources.get(own.source),
    )


class Watcher:
    """Looks at the server whenever it says that something has changed, and once a second.

    Args:
        changed: called in the watcher's thread after each look.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._ended = threading.Event()
        self.seen: View | None = None
        """None while no server answers."""
        self.seen_ns = 0
        self.gone = False
        """Whether there is no server to connect to, rather than one that refused an answer."""
        self.follow = False
        """Whether the stream is to be moved to another default source where the server does not do it by itself."""
        self.hold = ""
        """Name of the source to which the stream is to be moved back; "" for none.

        PulseAudio 16 and PipeWire 0.3 let no stream be bound to the default source: one that named it follows the
        default. Once that is another one, a move back binds it.
        """
        self._away_ns = 0
        """Since when the stream has been elsewhere than at `hold`; 0 while it is there."""
        self.strayed = ""
        """Where the stream was when it was last moved back, for people; who has told them sets it to ""."""
        threading.Thread(target=self._run, name="sound-server", daemon=True).start()

    def close(self) -> None:
        """Look no more; the thread ends within a second, or when the server answers."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(_AGAIN_S if self.seen_ns else 0):
            # `seen` and `seen_ns` tell of it; whether it matters is for who records to say.
            with contextlib.suppress(SoundServerSilent, SoundServerGone), connected() as pulse:
                self.gone = pulse is None
                if pulse is not None:
                    self._follow(pulse)
            self.seen, self.seen_ns = None, self.seen_ns or 1
            if not self._ended.is_set():
                self._changed()

    def _follow(self, pulse: Any) -> None:
        import pulsectl

        changed = threading.Event()  # one that comes while the last is looked at must not wait a second

        def heard(_event: Any) -> None:
            changed.set()
            raise pulsectl.PulseLoopStop

        pulse.event_mask_set("server", "source", "source_output")
        pulse.event_callback = heard
        default = None
        while not self._ended.is_set():
            changed.clear()
            seen = view(pulse)
            if default is None and seen.recorded is not None:  # it may have changed since the stream was opened
                default = seen.recorded.name
            if self.follow and default not in {None, seen.default}:
                seen = self._move(pulse, seen, str(default))
            seen = self._bring_back(pulse, seen)
            default = seen.default
            self.seen, self.seen_ns = seen, now_ns()
            self._changed()
            if not changed.is_set():
                pulse.event_listen(timeout=_AGAIN_S if self._away_ns else _LOOK_EVERY_S)

    def _bring_back(self, pulse: Any, seen: View) -> View:
        """Move the stream back to the source that is to be held, and believe for a moment that it is there.

        PipeWire is told to and does it later: the next look showed the other source still.
        """
        held = seen.source(self.hold)
        if seen.stream is None or held is None or seen.recorded is None or seen.recorded == held:
            self._away_ns = 0
            return seen
        self._away_ns = self._away_ns or now_ns()
        if now_ns() - self._away_ns > _BACK_NS:
            return seen
        self.strayed = seen.recorded.description
        pulse.source_output_move(seen.stream, held.index)
        return msgspec.structs.replace(seen, recorded=held)

    @staticmethod
    def _move(pulse: Any, seen: View, before: str) -> View:
        """Follow the default; not to what the computer plays, where the one before was unplugged."""
        default = seen.source(seen.default)
        if seen.stream is None or default is None or seen.recorded == default:
            return seen
        if default.monitor and seen.source(before) is None:
            return seen
        pulse.source_output_move(seen.stream, default.index)
        return view(pulse)
