"""Messages: what goes out comes in; what is not ours is refused by name and never quoted."""

from __future__ import annotations

import json
import types
import typing
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sottovoce.protocol import messages
from sottovoce.protocol.exceptions import MessageError
from sottovoce.protocol.messages import (
    BODIES,
    MAX_BYTES,
    Body,
    Draft,
    Final,
    Frames,
    Notice,
    PipelineState,
    Utterance,
    decode,
    encode,
    topic_of,
)

SAID = "the words I said"
DRAFT: dict[str, Any] = {
    "type": "transcript.draft", "stream": 7, "first": 512, "end": 1024, "text": SAID, "stable": 3, "window_id": 9,
}  # fmt: skip


def _values(type_: Any) -> st.SearchStrategy[Any]:
    """Return what a field of this type may hold."""
    plain: dict[Any, st.SearchStrategy[Any]] = {
        int: st.integers(-(2**63), 2**64 - 1),
        str: st.text(),
        bool: st.booleans(),
        float: st.floats(allow_nan=False, allow_infinity=False),
    }
    if type_ in plain:
        return plain[type_]
    origin, args = typing.get_origin(type_), typing.get_args(type_)
    if origin is Literal:
        return st.sampled_from(args)
    if origin is types.UnionType:
        return st.one_of(st.none() if one is types.NoneType else _values(one) for one in args)
    if origin is tuple:
        return st.lists(_values(args[0]), max_size=4).map(tuple)
    assert origin is dict, type_
    return st.dictionaries(_values(args[0]), _values(args[1]), max_size=4)


def _bodies() -> st.SearchStrategy[Body]:
    return st.one_of(
        st.builds(body, **{field.name: _values(field.type) for field in msgspec.structs.fields(body)})
        for body in BODIES
    )


def _wire(body: object = DRAFT, **envelope: object) -> bytes:
    whole = {
        "v": 1,
        "src": "a",
        "boot": "b",
        "seq": 1,
        "t_ns": 2,
        "trace": "",
        "type": "transcript.draft",
        "body": body,
    }
    return json.dumps(whole | envelope).encode()


@given(body=_bodies(), src=st.text(), boot=st.text(), seq=st.integers(1, 2**63), t_ns=st.integers(0, 2**63))
def test_round_trip(body: Body, src: str, boot: str, seq: int, t_ns: int) -> None:
    """Every body of every type comes back equal, with its envelope, under its own type as the topic."""
    topic, payload = encode(body, src=src, boot=boot, seq=seq, t_ns=t_ns)
    event = decode(payload)
    assert event is not None
    assert event.body == body
    assert type(event.body) is type(body)
    assert (event.src, event.boot, event.seq, event.t_ns) == (src, boot, seq, t_ns)
    assert topic.decode() == event.topic == topic_of(body) == json.loads(payload)["type"]


def test_types_are_distinct() -> None:
    """No two bodies share a type, and every body class of the module is one that readers know."""
    assert len({topic_of(body) for body in BODIES}) == len(BODIES)
    defined = {value for value in vars(messages).values() if isinstance(value, type) and issubclass(value, Body)}
    assert defined - {Body, Utterance} == set(BODIES)


def test_trace() -> None:
    """An utterance's messages all carry its trace id; others carry none."""
    draft = msgspec.convert(DRAFT, Draft)
    event = decode(encode(draft, src="a", boot="b", seq=1, t_ns=1)[1])
    assert event is not None
    assert event.trace == draft.trace == "7-512"
    event = decode(encode(Frames(stream=7, seq=1, head=512), src="a", boot="b", seq=1, t_ns=1)[1])
    assert event is not None
    assert event.trace == ""


def test_unknown_fields() -> None:
    """Fields of a newer sender are ignored, in the envelope and in the body."""
    event = decode(_wire(DRAFT | {"pitch": 0.9}, hops=[1, 2]))
    assert event is not None
    assert isinstance(event.body, Draft)
    assert event.body.text == SAID


def test_unknown_type() -> None:
    """A type that this reader does not know is skipped, whatever its body is."""
    assert decode(_wire({"anything": [None]}, type="transcript.translated")) is None
    assert decode(_wire(None, type="")) is None


def test_newer_version() -> None:
    """A message of another version is skipped, even where its body would no longer fit."""
    assert decode(_wire({"words": 1}, v=2)) is None
    assert decode(_wire(v=0)) is None


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (DRAFT | {"text": 5}, "$.text"),
        (DRAFT | {"stream": SAID}, "$.stream"),
        (DRAFT | {"window_id": 1.5}, "$.window_id"),
        (DRAFT | {"type": SAID}, "$.type"),
        (DRAFT | {"type": 'it\'s "so" - at `$.x`'}, "$.type"),
        ({"stream": 7, "first": 512}, "`end`"),
        ([DRAFT], "array"),
    ],
)
def test_wrong_body(body: object, path: str) -> None:
    """A known type with a wrong body is an error that names the JSON path and quotes nothing of the content."""
    with pytest.raises(MessageError) as caught:
        decode(_wire(body))
    assert path in str(caught.value)
    assert SAID not in str(caught.value)
    assert "it's" not in str(caught.value)
    assert caught.value.__cause__ is None, "a logged traceback would show the cause, which quotes the value"


def test_wrong_choice_is_not_quoted() -> None:
    """A value outside a fixed choice is named by its path alone."""
    notice = {"type": "notice", "level": SAID, "stage": "vad", "code": "x", "text": SAID}
    with pytest.raises(MessageError, match=r"\$\.level") as caught:
        decode(_wire(notice, type=topic_of(Notice)))
    assert SAID not in str(caught.value)


@pytest.mark.parametrize("missing", ["v", "src", "boot", "seq", "t_ns", "trace", "type", "body"])
def test_envelope_is_whole(missing: str) -> None:
    """A message without one of the envelope's fields is refused, and the field is named."""
    whole = json.loads(_wire())
    del whole[missing]
    with pytest.raises(MessageError, match=missing):
        decode(json.dumps(whole).encode())


def test_size_limit() -> None:
    """A message of more than MAX_BYTES is refused unread; one of exactly that size is read."""
    room = MAX_BYTES - len(_wire(DRAFT | {"text": ""}))
    largest = _wire(DRAFT | {"text": "x" * room})
    assert len(largest) == MAX_BYTES
    assert decode(largest) is not None
    with pytest.raises(MessageError, match=str(MAX_BYTES)):
        decode(_wire(DRAFT | {"text": "x" * (room + 1)}))


def test_the_largest_legitimate_messages_fit() -> None:
    """A minute of speech with 300 drafts, in signs of four bytes, and a path as long as Linux has, all escaped."""
    minute = Final(
        stream=2**63, first=2**40, end=2**40, text="\U0001f600" * 1_500, window_id=2**62,
        corrects_window_ids=(2**62,) * 300, model="m" * 100, audio_s=60.0, decode_s=1.0, speculative=True,
    )  # fmt: skip
    path = PipelineState(state="recording", generation=2**40, source="\x01" * 4_095, waiting=10)
    sizes = [len(encode(body, src="stt-final", boot="b" * 36, seq=2**40, t_ns=2**62)[1]) for body in (minute, path)]
    assert 24_000 < max(sizes) < MAX_BYTES / 2
    assert sizes[0] > 12_000


DEEP = b"[" * 30_000 + b"]" * 30_000


@pytest.mark.parametrize(
    "payload",
    [
        DEEP,
        b"[" * 60_000,
        b'{"a":' * 12_000,
        b"[" * 100_000,
        _wire("@").replace(b'"@"', DEEP),
        _wire(DRAFT | {"more": "@"}).replace(b'"@"', DEEP),
        _wire(hops="@").replace(b'"@"', DEEP),
    ],
    ids=["array", "open array", "open object", "too large", "body", "unknown field", "unknown envelope field"],
)
def test_deep_nesting(payload: bytes) -> None:
    """JSON nested as deep as fits, wherever, is an error like any other: no crash, no RecursionError."""
    with pytest.raises(MessageError):
        decode(payload)


@pytest.mark.parametrize("field", [b'"text": "@"', b'"src": "@"'])
def test_bad_utf8(field: bytes) -> None:
    """Bytes that are not UTF-8 are refused in the body and in the envelope."""
    payload = _wire(DRAFT | {"text": "@"}, src="@")
    assert field in payload
    with pytest.raises(MessageError):
        decode(payload.replace(field, field.replace(b"@", b"\xc3\x28")))


def _complaint(payload: bytes) -> str:
    """Decode, and return what a refusal said."""
    try:
        decode(payload)
    except MessageError as error:
        return str(error)
    return ""


@given(st.binary())
def test_random_bytes(payload: bytes) -> None:
    """No bytes make it raise anything but MessageError."""
    _complaint(payload)


@given(
    start=st.integers(0, 400),
    length=st.integers(0, 60),
    by=st.binary(max_size=20),
    body=_bodies().map(msgspec.to_builtins),
)
def test_damaged_messages(start: int, length: int, by: bytes, body: dict[str, Any]) -> None:
    """A real message with a stretch cut out or overwritten is read, skipped or refused, never anything else."""
    for payload in (_wire(body, type=body["type"]), _wire()):
        _complaint(payload[:start] + by + payload[start + length :])


@given(
    type_=st.sampled_from([topic_of(body) for body in BODIES]),
    body=st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.just(SAID),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["stream", "first", "text", "state", "level", "type"]), inner)
        ),
    ),
)
def test_any_json_body(type_: str, body: object) -> None:
    """Any JSON at all as the body of any type is read or refused, and never quoted."""
    assert SAID not in _complaint(_wire(body, type=type_))
