"""Other engines in the running service: one that hears while one speaks, and one that is a server."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import toys
from apiserver import Server, drop, say
from ownmodels import add_model

from sottovoce.actors.audiofile import decode_file
from sottovoce.models import Entry
from sottovoce.ops.live import feed
from sottovoce.ops.private import private_service
from sottovoce.protocol.journal import Journal
from sottovoce.protocol.messages import Draft, Final, Notice

pytestmark = pytest.mark.usefixtures("twin")
WORDS = "low middle high top low high"


@pytest.fixture
def sung(beckett: Path, tmp_path: Path) -> Path:
    """Return speech, for the VAD, with the tones in it that the toy model hears as words."""
    tones = toys.speech(WORDS)
    samples = decode_file(beckett)[: 26_000 + len(tones)]
    samples[10_000 : 10_000 + len(tones)] += tones
    path = tmp_path / "sung.wav"
    soundfile.write(path, np.clip(samples, -1, 1), 16_000)
    return path


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a server that recognises."""
    running = Server()
    yield running
    running.close()


def test_drafts_of_a_streaming_engine_and_finals_of_a_server(
    sung: Path, opening: Path, tmp_path: Path, server: Server
) -> None:
    """Drafts are made here, by an engine that hears while one speaks, finals by a server, which may go.

    The engine is fed what has come since the last draft, and begins anew with each utterance. When the server is gone
    the fallback goes on at once, and that is told.
    """
    (tmp_path / "toy").mkdir()
    toy = toys.zipformer(tmp_path / "toy")
    add_model(toy.entry, toy.directory)
    add_model(Entry(name="there", task="asr", licence="?", engine="remote", url=server.url, options={"model": "x"}))
    server.answer = say({"text": "Heard over there."})
    draft, final = f'[stt.draft]\nmodel = "{toy.entry.name}"\n', '[stt.final]\nmodel = "there"\ncontext = 0\n'
    with private_service(config=f"{draft}{final}[vad]\nendpoint = 0.4\n") as service:
        bodies = [event.body for event in feed(service.paths, sung, pace=2.0)]
        server.answer = drop
        later = [event.body for event in feed(service.paths, opening, pace=2.0)]
        journal = Journal(service.paths.journal(keep="30d"))
        rows = journal.utterances()
        journal.close()
    drafts = [body for body in bodies if isinstance(body, Draft)]
    assert {draft.model for draft in drafts} == {toy.entry.name}
    shown = {first: [draft.text for draft in drafts if draft.first == first] for first in {d.first for d in drafts}}
    for texts in shown.values():
        for before, now in itertools.pairwise(texts):
            assert now.startswith(before)
    heard = " ".join(texts[-1] for _, texts in sorted(shown.items())).split()
    assert heard
    at = 0
    for word in heard:  # in this order, none twice; one that is cut by the end of a segment may be a part of one
        at = WORDS.find(word, at) + len(word)
        assert at >= len(word), heard
    assert {row.state for row in rows} == {"typed"}
    finals = [body for body in bodies if isinstance(body, Final)]
    made_there, made_here = rows[: len(finals)], rows[len(finals) :]
    assert {(row.model, row.heard) for row in made_there} == {("there", "Heard over there.")}
    assert {row.model for row in made_here} == {"moonshine-tiny-en"}
    assert sum(len((row.text or "").split()) for row in made_here) == 4
    told = [body.text for body in (*bodies, *later) if isinstance(body, Notice) and body.code == "engine"]
    assert len(told) == 1
    assert "moonshine-tiny-en takes its place" in told[0]
