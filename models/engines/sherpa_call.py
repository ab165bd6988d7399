"""From a catalogue entry to the call of a sherpa-onnx constructor.

sherpa-onnx ends the whole process over much that deserves an exception: a file that is not there, a language or a way
of decoding that the model does not know. What can be looked at beforehand is looked at here.
"""

from __future__ import annotations

import contextlib
import inspect
import tempfile
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from sottovoce.models.catalogue import Entry
from sottovoce.models.engines.base import SAMPLE_RATE, EngineSettings
from sottovoce.models.exceptions import EngineFailed
from sottovoce.models.languages import require_language, spoken
from sottovoce.models.vocabulary import bpe_vocab, for_beam, for_qwen3, modelling_unit, read_tokens

_SESSION, _HEAVY = (Path(__file__).with_name(name) for name in ("sherpa_session.toml", "sherpa_heavy.toml"))
_HEAVY_MB = 500
DIRECTORY = "{directory}"
"""As the value of an option: the directory of the model's files (Qwen3 wants its tokenizer's)."""


class Call(msgspec.Struct, frozen=True):
    """What was made of an entry."""

    recognizer: Any
    """An `OfflineRecognizer` or `OnlineRecognizer`."""
    sample_rate: int
    """Hz that the model wants."""
    phrases: str
    """Hotwords for each stream, as `create_stream` wants them; empty for none."""
    language: str
    """ISO 639-1 where it is known beforehand; else empty."""
    providers: tuple[str, ...]
    fallback: str


def construct(
    entry: Entry,
    directory: Path,
    settings: EngineSettings,
    kind: Literal["OfflineRecognizer", "OnlineRecognizer"],
) -> Call:
    """Make a recognizer.

    Raises:
        EngineFailed: a file is missing, or sherpa-onnx lacks or refuses what the entry asks for.
        LanguageUnknown: the model is to be told a language that it does not know.
    """
    files = find_files(entry, directory)
    import sherpa_onnx

    constructor = getattr(getattr(sherpa_onnx, kind), entry.constructor, None)
    if constructor is None:
        raise EngineFailed(
            f"model {entry.name}: sherpa-onnx {sherpa_onnx.__version__} has no constructor {entry.constructor}; "
            "update sherpa-onnx, or correct the catalogue"
        )
    known = inspect.signature(constructor).parameters
    provider, providers, fallback = place(settings, heavy=entry.memory >= _HEAVY_MB)
    options = find_options(entry, directory) | tell_language(entry, settings, known)
    if entry.hotwords == "prompt" and "hotwords" in known:
        options["hotwords"] = for_qwen3(settings.hotwords)
    if kind == "OnlineRecognizer":
        options["enable_endpoint_detection"] = False  # where an utterance ends is our segmenter's to say
    arguments: dict[str, Any] = {argument: str(path) for argument, path in files.items()} | options
    phrases = ""
    with contextlib.ExitStack() as stack:
        if entry.hotwords == "beam" and settings.hotwords and "tokens" in files:
            tokens = _tokens(entry, files["tokens"])
            phrases = for_beam(settings.hotwords, tokens).text
            if phrases:
                arguments |= {"decoding_method": "modified_beam_search"}
                arguments |= _units(tokens, arguments, stack)
        try:
            recognizer = constructor(**arguments, num_threads=settings.threads, provider=provider)
        except (TypeError, ValueError, RuntimeError) as error:
            raise EngineFailed(f"model {entry.name}: {entry.constructor}: {error}") from error
    usual = known["sample_rate"].default if "sample_rate" in known else SAMPLE_RATE
    rate = int(arguments.get("sample_rate", usual))
    return Call(recognizer, rate, phrases, spoken(entry, settings.language), providers, fallback)


def find_files(entry: Entry, directory: Path) -> dict[str, Path]:
    """Return the path of each argument that is a file.

    Raises:
        EngineFailed: one is missing.
    """
    files = {argument: directory / file for argument, file in entry.arguments.items()}
    for argument, path in files.items():
        if not path.is_file():
            raise EngineFailed(
                f"model {entry.name}: {argument} {path} is not a file; run: sottovoce models pull {entry.name}"
            )
    return files


def find_options(entry: Entry, directory: Path) -> dict[str, str | int | float | bool]:
    """Return the arguments that are no files, with the directory where the entry wants it."""
    return {key: str(directory) if value == DIRECTORY else value for key, value in entry.options.items()}


def tell_language(entry: Entry, settings: EngineSettings, known: Container[str]) -> dict[str, str | int | float | bool]:
    """Return the arguments that tell a constructor what is spoken.

    Args:
        entry: the model.
        settings: has the language; empty for what the model finds out.
        known: the constructor's arguments.

    Raises:
        LanguageUnknown: the model does not know it; sherpa-onnx would end the process at the first decode.
    """
    option = entry.language_option
    if not option:
        return {}
    require_language(entry, settings.language)
    if not settings.language:
        # Empty is "find out" where the option is called just so; `from_whisper` would take English for granted.
        return {option: ""} if option == "language" and option not in entry.options else {}
    told: dict[str, str | int | float | bool] = {option: settings.language}
    if "tgt_lang" in known and "tgt_lang" not in entry.options:
        told["tgt_lang"] = settings.language  # else Canary translates into English
    return told


def place(settings: EngineSettings, *, heavy: bool = False) -> tuple[str, tuple[str, ...], str]:
    """Choose what decodes.

    The wheels of the package index decode on the processor alone; one that was built with CUDA brings a library for it,
    and is used for that where CUDA is asked for by name. TensorRT is passed on to nobody: sherpa-onnx ends the process
    over it for offline models.

    With `provider="cpu"` a thread that waits for the next operator spins. `cpu:FILE` has sherpa-onnx read settings of
    the session; those that it does not know it passes over. On a busy machine of 2 cores, Moonshine tiny decoded 5 s
    with two threads in 321 ms of wall and 242 ms of processor time if they spun, in 95 and 96 ms if they did not, and
    did nothing afterwards (0.1 ms in 1.5 s, where it was 27).

    Without the arena what a decode needed is given back. Moonshine had 242 MB after 24 s with it and 150 without, but
    took a fifth to a half longer for those 24 s, since each page is new again; for a Conformer of 44 M parameters the
    growth was 90 MB and 40, and the time up to a tenth. So it is for heavy models: large growth, little time lost.

    Args:
        settings: what is asked for.
        heavy: give memory back after each decode.

    Returns:
        sherpa-onnx's `provider` argument, the names of the providers, best first, and why they are not what was asked
        for; empty if they are.
    """
    import sherpa_onnx

    cpu = (f"cpu:{_HEAVY if heavy else _SESSION}", ("CPUExecutionProvider",))
    if settings.provider in ("auto", "cpu"):
        return *cpu, ""
    libraries = Path(sherpa_onnx.__file__).parent / "lib"
    if not any(libraries.glob("libonnxruntime_providers_cuda*")):
        return *cpu, (
            f"{settings.provider} was asked for, but sherpa-onnx {sherpa_onnx.__version__} is built for the processor "
            "alone; a model of engine onnx can use the graphics card"
        )
    fallback = "" if settings.provider == "cuda" else "sherpa-onnx has no TensorRT for this model; CUDA it is"
    return "cuda", ("CUDAExecutionProvider", "CPUExecutionProvider"), fallback


def _tokens(entry: Entry, path: Path) -> tuple[str, ...]:
    try:
        return read_tokens(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EngineFailed(f"model {entry.name}: {path}: {error}; run: sottovoce models verify {entry.name}") from error


def _units(tokens: tuple[str, ...], arguments: Mapping[str, Any], stack: contextlib.ExitStack) -> dict[str, str]:
    """Return what the beam search must know to spell a word, but for what the entry says of it already."""
    unit = arguments.get("modeling_unit") or modelling_unit(tokens)
    found = {"modeling_unit": unit}
    if "bpe" in unit and "bpe_vocab" not in arguments:
        table = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "bpe.vocab"  # read once, at construction
        table.write_text(bpe_vocab(tokens), encoding="utf-8")
        found["bpe_vocab"] = str(table)
    return found
