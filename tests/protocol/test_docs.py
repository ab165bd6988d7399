"""The page docs/protocol.md against the code it describes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

import msgspec
import pytest

from sottovoce.actors.conductor import Conductor
from sottovoce.protocol.bus import HIGH_WATER, STAGES
from sottovoce.protocol.control import MAX_BYTES as MAX_REQUEST
from sottovoce.protocol.exceptions import ControlError
from sottovoce.protocol.messages import BODIES, MAX_BYTES, Body, Envelope, decode, topic_of
from sottovoce.protocol.paths import Paths

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()


def section(title: str) -> str:
    """Return what stands under a heading, without the headings below it."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found, f"there is no heading {title!r}"
    return found[1]


def fields(text: str) -> dict[str, str]:
    """Return the fields that the table in a section names, each with its type."""
    named: dict[str, str] = {}
    for names, type_ in re.findall(r"^\| (`[^|]*`) \| ([^|]*) \|", text, re.MULTILINE):
        named |= dict.fromkeys(re.findall(r"`(\w+)`", names), type_)
    return named


def in_words(type_: Any) -> str:
    """Return how the page calls a type."""
    if get_origin(type_) is Literal:
        return ", ".join(f'`"{value}"`' for value in get_args(type_))
    words = {int: "integer", str: "string", float: "number", bool: "boolean", msgspec.Raw: "object"}
    if type_ in words:
        return words[type_]
    if get_origin(type_) is UnionType:
        return " or ".join("null" if one is NoneType else words[one] for one in get_args(type_))
    return "list of integers" if get_origin(type_) is tuple else "object"


@pytest.mark.parametrize("body", BODIES, ids=topic_of)
def test_every_type_and_field(body: type[Body]) -> None:
    """Each message type has a section that names exactly its fields, with their types and choices."""
    expected = {field.encode_name: in_words(field.type) for field in msgspec.structs.fields(body)}
    assert fields(section(f"`{topic_of(body)}`")) == expected


@pytest.mark.parametrize("body", BODIES, ids=topic_of)
def test_every_example(body: type[Body]) -> None:
    """Each type's example is a message of that type, with all its fields and no others."""
    example = re.search(r"^```json\n(.*?)^```", section(f"`{topic_of(body)}`"), re.DOTALL | re.MULTILINE)
    assert example
    content = json.loads(example[1])
    assert json.loads(msgspec.json.encode(msgspec.json.decode(example[1], type=body))) == content


def test_no_type_too_many() -> None:
    """The page describes no type that there is not."""
    described = re.findall(r"^#### `(.*)`$", PAGE, re.MULTILINE)
    assert sorted(described) == sorted(topic_of(body) for body in BODIES)


def test_envelope() -> None:
    """The envelope's table names its fields, and its example is a message that is understood."""
    expected = {field.encode_name: in_words(field.type) for field in msgspec.structs.fields(Envelope)}
    assert fields(section("Events: the envelope")) == expected
    example = re.search(r"^```json\n(.*?)^```", section("Message types"), re.DOTALL | re.MULTILINE)
    assert example
    event = decode(example[1].encode())
    assert event is not None
    assert set(json.loads(example[1])) == set(expected)


def test_control_verbs() -> None:
    """The table of verbs names those that the conductor knows, and the table of errors those that it may give."""
    with pytest.raises(ControlError) as caught:
        Conductor._handle(Conductor.__new__(Conductor), "?", {})
    known = str(caught.value).partition("there are: ")[2].split(", ")
    assert {name for name, _ in _rows("verb")} == set(known)
    package = Path(__file__).parents[2]
    source = (package / "actors" / "conductor.py").read_text() + (package / "protocol" / "control.py").read_text()
    codes = set(re.findall(r'ControlError\(\s*"(\w+)"', source)) | set(re.findall(r'"code": "(\w+)"', source))
    assert {name for name, _ in _rows("error `code`")} == codes - {"unreachable"}


def _rows(heading: str) -> list[tuple[str, str]]:
    table = re.search(rf"^\| {re.escape(heading)} \|.*?\n\n", section("The control socket"), re.DOTALL | re.MULTILINE)
    assert table
    return re.findall(r"^\| `(\w+)` \| (.*) \|$", table[0], re.MULTILINE)


def test_control_examples() -> None:
    """The requests and replies that are shown are JSON of the form described."""
    shown = [json.loads(line) for line in re.findall(r"^    (\{.*\})$", section("The control socket"), re.MULTILINE)]
    assert [set(message) for message in shown] == [
        {"id", "verb", "args"},
        {"id", "ok", "result"},
        {"id", "ok", "error"},
    ]
    assert {message["id"] for message in shown} == {"7f3a"}


def test_names_and_limits(paths: Paths) -> None:
    """Process names, socket names and limits are those of the code."""
    where = section("Where the sockets are")
    for name in STAGES:
        assert f"`{name}`" in where
    for address in (paths.control, paths.doorbell, paths.endpoint("<name>")):
        assert address.replace(str(paths.runtime), "<runtime directory>") in where
    assert f"{HIGH_WATER:,} messages" in PAGE
    assert MAX_BYTES == 64 << 10
    assert "A message has at most 64 KiB" in PAGE
    assert MAX_REQUEST == 64 << 10
    assert "at most 64 KiB" in PAGE


def test_links() -> None:
    """Links within the page and to files beside it lead somewhere."""
    anchors = {
        re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]*)\)", PAGE):
        if target.startswith("#"):
            assert target[1:] in anchors
        else:
            assert (Path(__file__).parents[2] / "docs" / target).is_file()
