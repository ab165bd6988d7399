"""The rewrite, against a real server that answers well, badly, late or not at all."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from apiserver import Answer, drip, drop, hang, say
from chatserver import ChatServer, completion

from sottovoce.actors.transform.refusals import RewriteFailed
from sottovoce.actors.transform.rewrite import PROMPTS, Rewrite
from sottovoce.protocol.config_outside import RewriteConfig

PLAIN = "i seen him yesterday at the zephyr"
BETTER = "I saw him yesterday at the Zephyr."
Make = Callable[..., Rewrite]


@pytest.fixture
def server() -> Iterator[ChatServer]:
    """A server of this API."""
    running = ChatServer()
    running.answer = completion(BETTER)
    yield running
    running.close()


@pytest.fixture
def rewrite(server: ChatServer) -> Iterator[Make]:
    """Return a function that makes a rewrite by that server; each is closed at the end."""
    made: list[Rewrite] = []

    def make(environ: dict[str, str] | None = None, **config: Any) -> Rewrite:
        given = {"url": server.url, "model": "small", "timeout": 5.0} | config
        made.append(Rewrite(RewriteConfig(**given), environ=environ or {}))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_what_the_model_writes_is_the_text(rewrite: Make, server: ChatServer) -> None:
    """The server is told model, prompt and passage; its text is the answer, what was blank around it stays."""
    assert rewrite(parameters={"temperature": 0, "max_tokens": 300}).apply(f"{PLAIN}\n\n") == f"{BETTER}\n\n"
    path, headers, body = server.asked[0]
    assert path == "/v1/chat/completions"
    assert body == {
        "temperature": 0, "max_tokens": 300, "model": "small", "stream": False,
        "messages": [{"role": "system", "content": PROMPTS["tidy"]}, {"role": "user", "content": PLAIN}],
    }  # fmt: skip
    assert "Authorization" not in headers


def test_a_prompt_of_ones_own(rewrite: Make, server: ChatServer) -> None:
    """The prompt is the one of that name in the configuration."""
    rewrite(name="formal", prompts={"formal": "As for a letter.", "other": "x"}).apply(PLAIN)
    assert server.asked[0][2]["messages"][0]["content"] == "As for a letter."


def test_the_connection_is_kept(rewrite: Make, server: ChatServer) -> None:
    """A second text goes over the same connection; one that the server has closed meanwhile is opened again."""
    one = rewrite()
    assert (one.apply(PLAIN), one.apply(PLAIN)) == (BETTER, BETTER)
    assert server.connections == 1

    def answer_and_hang_up(handler: BaseHTTPRequestHandler) -> None:
        completion(BETTER)(handler)
        handler.close_connection = True  # without a header that says so

    server.answer = answer_and_hang_up
    assert (one.apply(PLAIN), one.apply(PLAIN)) == (BETTER, BETTER)


@pytest.mark.parametrize("where", ["file", "variable"])
def test_the_key(rewrite: Make, server: ChatServer, tmp_path: Path, where: str) -> None:
    """The key of the file or the variable is sent."""
    (tmp_path / "key").write_text("sk-zzz\n")
    (tmp_path / "key").chmod(0o600)
    config = {"token_file": str(tmp_path / "key")} if where == "file" else {"token_env": "KEY"}
    rewrite({"KEY": "sk-zzz"}, **config).apply(PLAIN)
    assert server.asked[0][1]["Authorization"] == "Bearer sk-zzz"


def test_what_a_model_thinks_is_left_out(rewrite: Make, server: ChatServer) -> None:
    """A model that reasons aloud first is not typed while it does."""
    server.answer = completion(f"<think>\nHe seen? No.\n</think>\n\n{BETTER}\n")
    assert rewrite().apply(PLAIN) == BETTER


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (say({"error": {"message": f"cannot: {PLAIN}"}}, 500), "status 500"),
        (say({"error": {"message": "no"}}, 401), "key"),
        (say(b"", 307), "status 307"),
        (say(b"<html>zephyr"), "no chat completion"),
        (say({"choices": []}), "no chat completion"),
        (say({"choices": [{"text": "zephyr"}]}), "no chat completion"),
        (say(b"[" * 100_000), "no chat completion"),
        (say(b"x" * 300_000), "more than 262,144 bytes"),
        (completion(None), "empty"),
        (completion(" \n"), "empty"),
        (completion(BETTER, finish_reason="length"), "broken off"),
        (completion("zephyr " * 40), "280 characters for 34|279 characters for 34"),
        (completion("Zephyr"), "6 characters for 34"),
        (completion("I saw him,\nyesterday at the Zephyr."), "lines that nobody said"),
        (completion("I saw him \x1b[2K at the Zephyr."), "control characters"),
        (drop, "does not speak HTTP|cannot be reached"),
    ],
)
def test_an_answer_that_is_no_rewrite(rewrite: Make, server: ChatServer, answer: Answer, why: str) -> None:
    """Errors, garbage and what cannot be the same text are refused, without a word of what was said or answered."""
    server.answer = answer
    with pytest.raises(RewriteFailed, match=why) as caught:
        rewrite().apply(PLAIN)
    assert "zephyr" not in str(caught.value).lower()


def test_lines_where_they_are_wanted(rewrite: Make, server: ChatServer) -> None:
    """With `lines` an answer may have lines."""
    server.answer = completion("I saw him.\r\nAt the Zephyr.")
    assert rewrite(lines=True).apply(PLAIN) == "I saw him.\nAt the Zephyr."


@pytest.mark.parametrize("answer", [hang, drip])
def test_a_server_that_hangs(rewrite: Make, server: ChatServer, answer: Answer) -> None:
    """One that says nothing, or a byte now and then, is given up at the time-out."""
    server.answer = answer
    began = time.monotonic()
    with pytest.raises(RewriteFailed, match="in time"):
        rewrite(timeout=0.3).apply(PLAIN)
    assert 0.3 <= time.monotonic() - began < 3


def test_after_a_hang_it_goes_on(rewrite: Make, server: ChatServer) -> None:
    """A text after one that was given up gets its own answer, and not that of the one before."""
    server.answer = hang
    one = rewrite(timeout=0.5)
    with pytest.raises(RewriteFailed):
        one.apply(PLAIN)
    server.answer = completion(BETTER)
    assert one.apply(PLAIN) == BETTER


def test_nobody_there(rewrite: Make) -> None:
    """A server that does not run is named."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(RewriteFailed, match=f"127.0.0.1:{port} cannot be reached"):
            rewrite(url=f"http://127.0.0.1:{port}/v1").apply(PLAIN)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"url": "http://example.org/v1"}, "insecure = true"),
        ({"url": "http://user:secret@127.0.0.1/v1"}, "token_file"),
        ({"url": "http://127.0.0.1:99999/v1"}, "url"),
        ({"token_env": "KEY"}, "KEY holds no token"),
        ({"token_file": "/no/such/key"}, "cannot be read: No such file"),
        ({"ca_file": "/no/such/certificates"}, "ca_file"),
    ],
)
def test_a_configuration_that_cannot_be_followed(rewrite: Make, config: dict[str, str], why: str) -> None:
    """What would send the text in the clear, or cannot be, is refused at once and says what to do."""
    with pytest.raises(RewriteFailed, match=why) as caught:
        rewrite(**config)
    assert "secret" not in str(caught.value)


def test_a_key_that_others_can_read(rewrite: Make, tmp_path: Path) -> None:
    """A key that lies open is refused with the command that closes it."""
    (tmp_path / "key").write_text("sk-zzz")
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(RewriteFailed, match="chmod 600") as caught:
        rewrite(token_file=str(tmp_path / "key"))
    assert "sk-zzz" not in str(caught.value)


def test_whether_the_server_is_there(rewrite: Make, server: ChatServer) -> None:
    """A server is asked for its models to know whether it is there; no text is sent to it, and a refusal is told."""
    made = rewrite({"KEY": "sk-zzz"}, token_env="KEY")  # noqa: S106 - its name
    for status in (200, 404):  # there is no such list everywhere
        server.answer = say({"data": []}, status)
        made.reach(1.0)
    server.answer = say({"error": {"message": "no"}}, 401)
    with pytest.raises(RewriteFailed, match="status 401"):
        made.reach(1.0)
    assert server.asked == []
    assert [path for path, _ in server.looked] == ["/v1/models"] * 3
    assert server.looked[0][1]["Authorization"] == "Bearer sk-zzz"


def test_insecure_says_so(rewrite: Make) -> None:
    """With `insecure` http to another machine is allowed; https and this machine need no such thing."""
    rewrite(url="http://example.org/v1", insecure=True)
    rewrite(url="https://example.org/v1")
    rewrite(url="http://localhost:1/v1")
