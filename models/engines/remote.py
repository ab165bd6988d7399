"""A server that speaks OpenAI's `/v1/audio/transcriptions`.

That is OpenAI's own, or one at home (speaches, vLLM, LocalAI and others). A segment is sent as a WAV or FLAC file in a
form, and comes back as JSON. To send it twice does no harm, so a connection that fails is tried again, as long as
there is time.
"""

from __future__ import annotations

import io
import ssl
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from sottovoce.models.bridge import languages
from sottovoce.models.catalogue import Entry
from sottovoce.models.engines import credentials, elsewhere, web
from sottovoce.models.engines.base import SAMPLE_RATE, EngineSettings, Result, Word
from sottovoce.models.engines.server import OPTIONS, Server
from sottovoce.models.exceptions import EngineFailed

_OPTIONS = {
    "model": str,
    "response_format": str,
    "upload": str,
    "prompt": str,
    "temperature": float,
    "token_file": str,
    "token_env": str,
    "ca_file": str,
    "insecure": bool,
    **OPTIONS,
}
_ANSWER_LIMIT = 4 << 20
_ERROR_LIMIT = 64 << 10


class _Word(msgspec.Struct, frozen=True):
    word: str
    start: float
    end: float


class _Segment(msgspec.Struct, frozen=True):
    avg_logprob: float | None = None
    tokens: list[int] | None = None
    words: list[_Word] | None = None


class _Answer(msgspec.Struct, frozen=True):
    text: str
    language: str | None = None
    words: list[_Word] | None = None
    segments: list[_Segment] | None = None


class _Fault(msgspec.Struct, frozen=True):
    message: str | None = None
    type: str | None = None
    code: str | int | None = None


class _FaultAnswer(msgspec.Struct, frozen=True):
    error: _Fault | str


class Remote(Server):
    """The engine `remote` for `http://` and `https://`.

    Args:
        entry: its `url` is the API's, such as `https://host/v1`. Options: `model` (the name there, else that of the
            entry), `response_format` (`json`, or `verbose_json` for words and language), `upload` (`wav` or `flac`),
            `prompt`, `temperature`, `token_file` or `token_env` (where the token is), `ca_file` (certificates to be
            trusted in the place of the system's), `insecure` (allows http to another machine), `connect_timeout_s`,
            `attempts`.
        directory: not used.
        settings: `timeout_s` is the longest decode, all attempts together.

    Raises:
        EngineFailed: the entry is wrong, or there is no token where it says. The server is not asked for anything.
    """

    def __init__(self, entry: Entry, directory: Path, settings: EngineSettings) -> None:  # noqa: ARG002
        elsewhere.require_known(entry, _OPTIONS)
        options: dict[str, Any] = dict(entry.options)
        url = elsewhere.address(entry, ("http", "https"))
        if url.scheme == "http":
            elsewhere.require_closed(entry, url, options)
        self._format = _one_of(entry, "response_format", ("json", "verbose_json"))
        self._upload = _one_of(entry, "upload", ("wav", "flac"))
        self._host = url.netloc
        self._base = entry.url.rstrip("/")
        file, variable = str(options.get("token_file", "")), str(options.get("token_env", ""))
        try:
            token, trust = credentials.token(file, variable), credentials.trust(str(options.get("ca_file", "")))
        except credentials.NoCredentials as error:
            raise EngineFailed(f"model {entry.name}: option {error}") from error
        # What a server may say about a request, and a log may not.
        self._private = (*settings.hotwords, str(options.get("prompt", "")), token)
        super().__init__(entry, settings)
        import httpx2

        limits = httpx2.Timeout(settings.timeout_s, connect=self._connect_timeout_s)
        self._client = web.client(url.hostname or "", token, trust, limits)
        self._has_loaded()

    def warm_up(self) -> None:
        """Connect, by asking which models there are; whatever the answer, the connection is kept.

        Raises:
            EngineFailed: the server cannot be reached.
        """
        self._ask("GET", "/models", "connecting")

    def _recognise(self, samples: NDArray[np.float32], audio_s: float) -> Result:
        form = self._form()
        file = (f"audio.{self._upload}", _encode(samples, self._upload), f"audio/{self._upload}")
        status, body = self._ask(
            "POST", "/audio/transcriptions", f"decoding {audio_s:.2f} s", data=form, files={"file": file}
        )  # fmt: skip
        if status != 200:
            raise EngineFailed(f"model {self.name}: {self._host} refuses: {self._why(status, body)}")
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise EngineFailed(
                f"model {self.name}: {self._host} answered {len(body)} bytes that are no transcription: {error}"
            ) from error
        segments = answer.segments or []
        words = answer.words or [word for segment in segments for word in segment.words or []]
        return Result(
            text=answer.text.strip(),
            words=tuple(Word(word.word.strip(), word.start, word.end) for word in words),
            log_prob=_log_prob(segments),
            language=languages.code(answer.language or ""),
        )

    def close(self) -> None:
        """Close the connection. Closing twice is fine."""
        self._waiter.close(self._client.aclose)

    def _ask(self, method: str, path: str, doing: str, **content: Any) -> tuple[int, bytes]:
        """Return status and body of an answer."""
        import httpx2

        try:
            return self._wait(lambda: self._insist(lambda: self._send(method, path, content), _is_worth_another))
        except (TimeoutError, httpx2.TimeoutException) as error:
            limit = self._settings.timeout_s
            raise EngineFailed(
                f"model {self.name}: {doing} failed: {self._host} did not answer within {limit:.1f} s"
            ) from error
        except web.TooLong as error:
            raise EngineFailed(f"model {self.name}: {self._host} answered more than {_ANSWER_LIMIT:,} bytes") from error
        except httpx2.HTTPError as error:
            raise EngineFailed(f"model {self.name}: {doing} failed: {self._host} {_trouble(error)}") from error

    async def _send(self, method: str, path: str, content: dict[str, Any]) -> tuple[int, bytes]:
        async with self._client.stream(method, self._base + path, **content) as response:
            return response.status_code, await web.read_body(response, _ANSWER_LIMIT)

    def _form(self) -> dict[str, Any]:
        options = self._entry.options
        form: dict[str, Any] = {"model": str(options.get("model", self.name)), "response_format": self._format}
        if self._settings.language:
            form["language"] = self._settings.language
        prompt = ", ".join(elsewhere.vocabulary(self._entry, self._settings))
        if prompt := " ".join(part for part in (str(options.get("prompt", "")), prompt) if part):
            form["prompt"] = prompt
        if "temperature" in options:
            form["temperature"] = str(options["temperature"])
        if self._format == "verbose_json":
            form["timestamp_granularities[]"] = ["word", "segment"]
        return form

    def _why(self, status: int, body: bytes) -> str:
        """Return what an error answer says.

        The text of one that refuses is told; that of one that broke, in the midst of decoding, may quote what it
        heard, and so may what is no error of the API's form.
        """
        told = f"status {status}"
        if status in (401, 403):
            told += " (is the token right? options token_file, token_env)"
        if 300 <= status < 400:
            return f"{told}: it wants to send us elsewhere; correct url in the catalogue"
        try:
            fault = msgspec.json.decode(body[:_ERROR_LIMIT], type=_FaultAnswer).error
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return f"{told}, with {len(body)} bytes that are no error of this API"
        if isinstance(fault, str):
            fault = _Fault(message=fault)
        private = self._private
        kinds = [elsewhere.reason(str(kind), private)[:60] for kind in (fault.type, fault.code) if kind is not None]
        text = elsewhere.reason(fault.message or "", private) if status < 500 else ""
        return ": ".join([told, *dict.fromkeys(part for part in (*kinds, text) if part)])


def _one_of(entry: Entry, option: str, choices: tuple[str, ...]) -> str:
    value = str(entry.options.get(option, choices[0]))
    if value not in choices:
        raise EngineFailed(f"model {entry.name}: option {option} is {value!r}, not {' or '.join(choices)}")
    return value


def _is_worth_another(error: Exception) -> bool:
    """Whether another attempt may go better: the connection broke, or there was none, and not for a certificate."""
    import httpx2

    broken = (httpx2.NetworkError, httpx2.RemoteProtocolError, httpx2.ConnectTimeout)
    return isinstance(error, broken) and not _is_mistrust(error)


def _is_mistrust(error: BaseException | None) -> bool:
    """Whether the server's certificate was the trouble: it will not be another one next time."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _trouble(error: Exception) -> str:
    import httpx2

    if _is_mistrust(error):
        return "has a certificate that is not to be trusted (option ca_file names others)"
    if isinstance(error, httpx2.ConnectError):
        return f"cannot be reached: {error}"
    if isinstance(error, httpx2.NetworkError):
        return "broke the connection"
    # The text of these may quote what the server sent.
    return f"does not speak HTTP as it should ({type(error).__name__})"


def _encode(samples: NDArray[np.float32], form: str) -> bytes:
    import soundfile

    file = io.BytesIO()
    finite = np.clip(np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)
    soundfile.write(file, finite, SAMPLE_RATE, subtype="PCM_16", format=form.upper())
    return file.getvalue()


def _log_prob(segments: list[_Segment]) -> float | None:
    """Return the mean over the tokens of all segments; over the segments, where they do not tell their tokens."""
    told = [(segment.avg_logprob, len(segment.tokens or ()) or 1) for segment in segments]
    known = [(log_prob, weight) for log_prob, weight in told if log_prob is not None]
    if not known:
        return None
    return min(0.0, sum(log_prob * weight for log_prob, weight in known) / sum(weight for _, weight in known))
