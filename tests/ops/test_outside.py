"""What `sottovoce doctor` finds of the hook and of the server that rewrites."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apiserver import hang, say
from chatserver import ChatServer

from sottovoce.ops.outside import hook, outside, rewrite
from sottovoce.protocol.config import Config
from sottovoce.protocol.config_outside import HookConfig, RewriteConfig


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A hook that only its owner can write, in such a directory."""
    path = tmp_path / "hook"
    path.write_text("#!/bin/sh\ncat\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def server() -> Iterator[ChatServer]:
    """A server of this API."""
    running = ChatServer()
    running.answer = say({"data": []})
    yield running
    running.close()


def config(server: ChatServer, **more: Any) -> RewriteConfig:
    """Return a configuration with this server."""
    return RewriteConfig(url=server.url, model="small", **more)


def test_what_is_off_is_not_looked_at() -> None:
    """Without a command and without a URL there is nothing to be told."""
    assert list(outside(Config(), os.environ)) == []


def test_what_is_on_is_looked_at(program: Path, server: ChatServer) -> None:
    """With both, both are told of."""
    both = Config(hook=HookConfig(command=(str(program),)), rewrite=config(server))
    assert [(found.name, found.verdict) for found in outside(both, os.environ)] == [("hook", "ok"), ("rewrite", "ok")]


def test_a_hook_that_cannot_be_run(program: Path) -> None:
    """A program that is not there, or that nobody may run, is a problem."""
    gone = hook(HookConfig(command=(str(program.with_name("gone")),)), {})
    assert (gone.verdict, "gone is not installed" in gone.found) == ("problem", True)
    program.chmod(0o644)
    found = hook(HookConfig(command=(str(program),)), {})
    assert (found.verdict, "chmod +x" in found.advice) == ("problem", True)


def test_a_hook_is_looked_for_where_the_stage_looks(program: Path) -> None:
    """A bare name is found on the PATH of the stage's environment, not on ours."""
    assert hook(HookConfig(command=("hook",)), {"PATH": str(program.parent)}).verdict == "ok"
    assert hook(HookConfig(command=("hook",)), {"PATH": "/nowhere"}).verdict == "problem"


def test_a_hook_that_everybody_can_write(program: Path) -> None:
    """Whoever can write the program or its directory can read what is dictated; sticky directories are safe."""
    program.chmod(0o757)
    found = hook(HookConfig(command=(str(program),)), {})
    assert (found.verdict, found.advice) == ("warning", f"chmod o-w {program.resolve()}")
    program.chmod(0o755)
    program.parent.chmod(0o777)
    found = hook(HookConfig(command=(str(program),)), {})
    assert (found.verdict, found.advice) == ("warning", f"chmod o-w {program.parent.resolve()}")
    program.parent.chmod(0o777 | stat.S_ISVTX)
    assert hook(HookConfig(command=(str(program),)), {}).verdict == "ok"


def test_a_script_that_everybody_can_write(program: Path) -> None:
    """A script that an interpreter is handed is as good as a program, and so is what a link leads to."""
    link = program.with_name("link")
    link.symlink_to(program)
    program.chmod(0o666)
    found = hook(HookConfig(command=("/bin/sh", str(link), "--all", "/no/such/file")), {})
    assert (found.verdict, found.advice) == ("warning", f"chmod o-w {program.resolve()}")


def test_a_server_that_is_not_there() -> None:
    """A port where nobody listens is a problem, and says that texts are typed all the same."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        found = rewrite(RewriteConfig(url=url, model="small"), {})
    assert found.verdict == "problem"
    assert "cannot be reached: texts are typed as they are" in found.found


def test_a_server_that_takes_its_time(server: ChatServer) -> None:
    """One that says nothing for a second is a problem."""
    server.answer = hang
    found = rewrite(config(server), {})
    assert (found.verdict, "did not answer in time (1 s)" in found.found) == ("problem", True)


def test_a_key_that_is_not_taken(server: ChatServer) -> None:
    """A server that refuses the key is a problem; the key is taken from the stage's environment, and never shown."""
    server.answer = say({"error": {"message": "no"}}, 401)
    found = rewrite(config(server, token_env="KEY"), {"KEY": "sk-zzz"})  # noqa: S106 - its name
    assert (found.verdict, "is the key right?" in found.found) == ("problem", True)
    assert server.looked[0][1]["Authorization"] == "Bearer sk-zzz"
    assert "sk-zzz" not in found.found + found.advice


def test_a_key_that_others_can_read(server: ChatServer, tmp_path: Path) -> None:
    """A key file that lies open is a problem, with the command that closes it; the server is not even asked."""
    key = tmp_path / "key"
    key.write_text("sk-zzz")
    key.chmod(0o644)
    found = rewrite(config(server, token_file=str(key)), {})
    assert (found.verdict, found.advice) == ("problem", f"run: chmod 600 {key}")
    assert server.looked == []
    key.chmod(0o600)
    assert rewrite(config(server, token_file=str(key)), {}).verdict == "ok"
    assert server.asked == []
