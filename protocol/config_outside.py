"""The part of the configuration file by which a text leaves the service before it is typed: `[hook]`, `[rewrite]`."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sottovoce.protocol.config_values import Argument, Section, Variable, Word


class HookConfig(Section, frozen=True):
    """`[hook]`: a program of yours that is handed each text before it is typed (docs/hooks.md)."""

    command: Annotated[tuple[Argument, ...], msgspec.Meta(max_length=64)] = ()
    """The program, by its path or looked for on the PATH, and its arguments; no shell comes between. () for none."""
    timeout: Annotated[float, msgspec.Meta(ge=0.05, le=10.0)] = 1.0
    """Who has not ended by then is killed, and the text is typed as it was."""
    environment: Annotated[tuple[Variable, ...], msgspec.Meta(max_length=64)] = ()
    """Variables that it is handed besides the few that every program needs, e.g. "DISPLAY"."""

    def __post_init__(self) -> None:
        """Refuse an empty name, which would be found nowhere."""
        if self.command and not self.command[0].strip():
            raise ValueError("command: the first is the program, and may not be empty")


class RewriteConfig(Section, frozen=True):
    """`[rewrite]`: a language model that rewrites each text before it is typed (docs/hooks.md)."""

    url: Annotated[str, msgspec.Meta(pattern=r"^(https?://[^\s/]+[^\s]*)?\Z")] = ""
    """Of a server that has OpenAI's `/chat/completions` below it, such as "http://127.0.0.1:11434/v1"; "" for none."""
    model: str = ""
    """What that server calls its model."""
    name: str = "tidy"
    """Which of the prompts: "tidy", which mends what was misheard, or one of `prompts`."""
    prompts: dict[Word, Annotated[str, msgspec.Meta(min_length=1, max_length=20_000)]] = msgspec.field(
        default_factory=dict
    )
    """`[rewrite.prompts]`: what the model is told, by name: `formal = "Rewrite the text as for a letter."`"""
    timeout: Annotated[float, msgspec.Meta(ge=0.05, le=10.0)] = 2.0
    """Where there is no answer by then, the text is typed as it was."""
    longest: Annotated[float, msgspec.Meta(ge=1.0, le=100.0)] = 2.0
    """An answer of more than so many times as many characters, and 40 more, is not a rewrite and is not taken."""
    shortest: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.3
    """Nor is one of less than so many times as many."""
    lines: bool = False
    """Whether an answer may have lines that the text had not. Where Enter sends, each would be a message."""
    token_file: str = ""
    """The file that holds the key for the server; nobody else may be able to read it."""
    token_env: str = ""
    """Or the environment variable that does."""
    ca_file: str = ""
    """Certificates to be trusted in the place of the system's."""
    insecure: bool = False
    """Allows http to another machine: what you say is then sent for everybody between to read."""
    parameters: dict[Word, str | int | float | bool] = msgspec.field(default_factory=dict)
    """`[rewrite.parameters]`: more of the request, as the server knows it: `temperature = 0`, `max_tokens = 300`."""

    def __post_init__(self) -> None:
        """Check what must be there if there is a URL, and what may not be there twice."""
        if self.url and not self.model:
            raise ValueError("model: name the one that the server at `url` is to use")
        if self.name != "tidy" and self.name not in self.prompts:
            raise ValueError(f"name: there is no prompt {self.name!r} in [rewrite.prompts]")
        if self.token_file and self.token_env:
            raise ValueError("token_file and token_env exclude each other")
        if taken := {"model", "messages", "stream", "n"} & set(self.parameters):
            raise ValueError(f"parameters: {min(taken)} is not yours to set here")
