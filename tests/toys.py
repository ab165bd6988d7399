"""Models of some kB that the real engines load, and that hear exact words: each word is a tone, or two.

`speech("low middle high")` makes the audio; each toy turns it back into those words, whatever runs it, because its
network does no more than compare the energy of a few mel bands (the library computes the features). So what an adapter
does with real inputs, real sessions and real results can be tested without real weights, down to the time of a word.

The metadata are those that sherpa-onnx reads of models exported from NeMo, icefall and Whisper, and the files of
`onnx_tdt` are those that onnx-asr looks for. Needs the package `onnx`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import save
from toygraphs import (
    BANDS,
    BOOL,
    FLOAT,
    INT32,
    INT64,
    KALDI,
    NEMO,
    NORMALISED,
    SIZE,
    TONES,
    Features,
    Shape,
    Tensor,
    beginnings,
    graph,
    joiner,
    model,
    node,
    predictor,
    scores,
)

from sottovoce.models.catalogue import Entry, ModelFile
from sottovoce.models.source import FileSource

Samples = NDArray[np.float32]

RATE = 16_000
TONE_S, PAUSE_S = 0.24, 0.16
"""Three frames of 80 ms and two: some frame is wholly within each, wherever it begins."""
WORDS = {"low": ("▁low",), "middle": ("▁mid", "dle"), "high": ("▁high",), "top": ("▁top",)}


class Toy(NamedTuple):
    """A model and where it is."""

    entry: Entry
    directory: Path


def speech(text: str, *, before_s: float = 0.3, after_s: float = 0.3) -> Samples:
    """Say words of `WORDS`: float32, 16 kHz."""
    pieces = [np.zeros(round(before_s * RATE))]
    times = np.arange(round(TONE_S * RATE)) / RATE
    for word in text.split():
        for token in WORDS[word]:
            pieces += [0.3 * np.sin(2 * np.pi * TONES[token] * times), np.zeros(round(PAUSE_S * RATE))]
    pieces.append(np.zeros(round(after_s * RATE)))
    return np.concatenate(pieces).astype(np.float32)


def onsets(text: str, *, before_s: float = 0.3) -> list[float]:
    """Return when each word of `speech(text)` begins, in seconds."""
    starts, now = [], before_s
    for word in text.split():
        starts.append(now)
        now += len(WORDS[word]) * (TONE_S + PAUSE_S)
    return starts


def nemo_ctc(folder: Path) -> Toy:
    """Build a CTC model as NeMo exports it, for `from_nemo_ctc`."""
    content = scores(NEMO, frames=8, blank=SIZE - 1)
    content += graph(node("LogSoftmax", ["scores"], ["logprobs"], axis=-1))
    made = model(
        content,
        [("audio_signal", FLOAT, ["B", BANDS, "T"]), ("length", INT64, ["B"])],
        [("logprobs", FLOAT, ["B", "L", SIZE])],
        {"vocab_size": SIZE - 1, "subsampling_factor": 8, "normalize_type": ""},
    )
    save(made, folder / "model.onnx")
    (folder / "tokens.txt").write_text(_table(blank_last=True))
    return _toy(folder, "toy-ctc", "from_nemo_ctc", {"model": "model.onnx", "tokens": "tokens.txt"})


def nemo_transducer(folder: Path, *, durations: int = 0) -> Toy:
    """Build a transducer as NeMo exports it, for `from_transducer`.

    Args:
        folder: an empty directory.
        durations: how many lengths a TDT model chooses from; 0 for a plain transducer.
    """
    # By the URL sherpa-onnx tells the one kind from the other.
    url = "https://example.org/tdt" if durations else "https://example.org/rnnt"
    _write_encoder(folder / "encoder.onnx", NEMO, {**_NEMO, "url": url})
    _write_nemo(folder, durations=durations)
    return _toy(
        folder,
        "toy-tdt" if durations else "toy-transducer",
        "from_transducer",
        _TRANSDUCER,
        options={"model_type": "nemo_transducer"},
    )


def nemo_tdt(folder: Path) -> Toy:
    """Build a transducer that says how long a token lasts, as Parakeet does."""
    return nemo_transducer(folder, durations=5)


def onnx_tdt(folder: Path) -> Toy:
    """Build a TDT model with the files that `onnx_asr` looks for, of type `nemo-conformer-tdt`."""
    _write_encoder(folder / "encoder-model.onnx", NORMALISED, {})
    states: list[Tensor] = [(f"input_states_{number}", FLOAT, [1, 1, 4]) for number in (1, 2)]
    content = predictor(
        feedback=0.0,
        inputs=["targets", "target_length", "input_states_1", "input_states_2"],
        outputs=["predicted", "prednet_lengths", "output_states_1", "output_states_2"],
    )
    joint = model(
        content + joiner(5, encoder="encoder_outputs", decoder="predicted", logits="outputs"),
        [
            ("encoder_outputs", FLOAT, [1, SIZE, 1]),
            ("targets", INT32, [1, 1]),
            ("target_length", INT32, [1]),
            *states,
        ],
        [
            ("outputs", FLOAT, [1, 1, 1, SIZE + 5]),
            ("prednet_lengths", INT32, [1]),
            *((name.replace("input", "output"), kind, shape) for name, kind, shape in states),
        ],
    )
    save(joint, folder / "decoder_joint-model.onnx")
    (folder / "vocab.txt").write_text(_table(blank_last=True))
    told = {"model_type": "nemo-conformer-tdt", "features_size": BANDS, "subsampling_factor": 8}
    (folder / "config.json").write_text(json.dumps(told))
    return _toy(folder, "toy-onnx", "nemo-conformer-tdt", {}, engine="onnx")


def nemo_streaming(folder: Path) -> Toy:
    """Build a cache-aware streaming transducer as NeMo exports it: chunks of 320 ms, 100 ms of lookahead."""
    chunk, ahead = 32, 10
    key: Shape = [1, 1, 1, SIZE]
    states: list[Tensor] = [
        ("cache_last_channel", FLOAT, key),
        ("cache_last_time", FLOAT, [1, 1, 2, 2]),
        ("cache_last_channel_len", INT64, [1]),
    ]
    content = graph(node("Reshape", ["cache_last_channel", "row"], ["earlier"]), row=[1, 1, SIZE], cached=key)
    content += scores(NEMO, frames=8, blank=SIZE - 1, first=chunk)
    content += beginnings(blank=SIZE - 1, earlier="earlier", written="written")
    content += graph(
        node("Transpose", ["written"], ["outputs"], perm=[0, 2, 1]),
        node("Div", ["length", "eight"], ["encoded_lengths"]),
        node("Slice", ["hot", "minus_one", "end", "one"], ["last"]),
        node("Reshape", ["last", "cached"], ["cache_last_channel_next"]),
        *(node("Identity", [name], [f"{name}_next"]) for name, *_ in states[1:]),
        eight=8,
        end=[9_999],
    )
    sizes = {
        f"{name}_dim{number}": size for name, _, shape in states[:2] for number, size in enumerate(shape) if number
    }
    encoder = model(
        content,
        [("audio_signal", FLOAT, [1, BANDS, chunk + ahead]), ("length", INT64, [1]), *states],
        [
            ("outputs", FLOAT, [1, SIZE, chunk // 8]),
            ("encoded_lengths", INT64, [1]),
            *((f"{name}_next", kind, shape) for name, kind, shape in states),
        ],
        {**_NEMO, **sizes, "window_size": chunk + ahead, "chunk_shift": chunk},
    )
    save(encoder, folder / "encoder.onnx")
    _write_nemo(folder, durations=0)
    return _toy(folder, "toy-nemo-streaming", "from_transducer", _TRANSDUCER, streaming=True)


def zipformer(folder: Path) -> Toy:
    """Build a streaming transducer as icefall exports a Zipformer 2: chunks of 160 ms, 80 ms of lookahead."""
    chunk, ahead = 16, 8
    states: list[Tensor] = [
        ("cached_key_0", FLOAT, [1, 1, SIZE]),
        ("cached_nonlin_attn_0", FLOAT, [1, 1, 1, 3]),
        ("cached_val1_0", FLOAT, [1, 1, 1]),
        ("cached_val2_0", FLOAT, [1, 1, 1]),
        ("cached_conv1_0", FLOAT, [1, 4, 1]),
        ("cached_conv2_0", FLOAT, [1, 4, 1]),
        ("embed_states", FLOAT, [1, 128, 3, 19]),
        ("processed_lens", INT64, [1]),
    ]
    content = graph(node("Transpose", ["x"], ["audio_signal"], perm=[0, 2, 1]))
    content += scores(KALDI, frames=4, blank=0, first=chunk)
    # The key's cache carries the last step of a chunk into the next; the others are passed on as they came.
    content += beginnings(blank=0, earlier="cached_key_0", written="encoder_out")
    content += graph(
        node("Slice", ["hot", "minus_one", "end", "one"], ["new_cached_key_0"]),
        *(node("Identity", [name], [f"new_{name}"]) for name, *_ in states[1:]),
        end=[9_999],
    )
    encoder = model(
        content,
        [("x", FLOAT, [1, chunk + ahead, BANDS]), *states],
        [
            ("encoder_out", FLOAT, [1, chunk // 4, SIZE]),
            *((f"new_{name}", kind, shape) for name, kind, shape in states),
        ],
        {
            "model_type": "zipformer2",
            "encoder_dims": 4,
            "query_head_dims": SIZE,
            "value_head_dims": 1,
            "num_heads": 1,
            "num_encoder_layers": 1,
            "cnn_module_kernels": 3,
            "left_context_len": 1,
            "T": chunk + ahead,
            "decode_chunk_len": chunk,
        },
    )
    save(encoder, folder / "encoder.onnx")
    decoder = model(
        graph(
            node("Cast", ["y"], ["number"], to=FLOAT),
            node("ReduceSum", ["number", "axis"], ["sum"], keepdims=1),
            node("MatMul", ["sum", "nothing"], ["decoder_out"]),
            axis=[1],
            nothing=np.zeros((1, SIZE), np.float32),
        ),
        [("y", INT64, ["N", 2])],
        [("decoder_out", FLOAT, ["N", SIZE])],
        {"context_size": 2, "vocab_size": SIZE},
    )
    save(decoder, folder / "decoder.onnx")
    joined = model(
        graph(node("Add", ["encoder_out", "decoder_out"], ["logit"])),
        [("encoder_out", FLOAT, ["N", SIZE]), ("decoder_out", FLOAT, ["N", SIZE])],
        [("logit", FLOAT, ["N", SIZE])],
        {"joiner_dim": SIZE},
    )
    save(joined, folder / "joiner.onnx")
    (folder / "tokens.txt").write_text(_table(blank_last=False))
    return _toy(
        folder,
        "toy-zipformer",
        "from_transducer",
        _TRANSDUCER,
        streaming=True,
        hotwords="beam",
    )


def whisper(folder: Path) -> Toy:
    """Build a multilingual Whisper that says the number one in the language it is told, in English if in none."""
    symbols = ["▁one", "▁eins", "<eot>", "<sot>", "<en>", "<de>", "<translate>", "<transcribe>", "<none>", "<silent>"]
    number = {symbol: index for index, symbol in enumerate(symbols)}
    size = len(symbols)
    following, by_language = np.zeros((2, size, size), np.float32)
    following[number["▁one"], number["<eot>"]] = following[number["▁eins"], number["<eot>"]] = 9.0
    following[number["<sot>"], number["<en>"]] = 9.0
    by_language[number["<en>"], number["▁one"]] = by_language[number["<de>"], number["▁eins"]] = 5.0
    cross: list[Tensor] = [(f"n_layer_cross_{side}", FLOAT, [1, 1, "L", 1]) for side in "kv"]
    encoder = model(
        graph(
            node("ReduceMean", ["mel", "bands"], ["mean"], keepdims=1),
            node("Slice", ["mean", "from", "to", "frames", "step"], ["halved"]),
            node("Reshape", ["halved", "shape"], ["n_layer_cross_k"]),
            node("Identity", ["n_layer_cross_k"], ["n_layer_cross_v"]),
            **{"from": [0], "to": [3_000], "frames": [2], "step": [2], "bands": [1], "shape": [1, 1, -1, 1]},
        ),
        [("mel", FLOAT, [1, BANDS, "T"])],
        cross,
        {
            "model_type": "whisper-toy",
            "n_mels": BANDS,
            "n_text_layer": 1,
            "n_text_ctx": 16,
            "n_text_state": 1,
            "n_vocab": size,
            "sot": number["<sot>"],
            "eot": number["<eot>"],
            "blank_id": number["▁one"],
            "translate": number["<translate>"],
            "transcribe": number["<transcribe>"],
            "no_speech": number["<silent>"],
            "no_timestamps": number["<none>"],
            "is_multilingual": 1,
            "sot_sequence": f"{number['<sot>']},{number['<en>']},{number['<transcribe>']}",
            "all_language_tokens": f"{number['<en>']},{number['<de>']}",
            "all_language_codes": "en,de",
            "non_speech_tokens": number["<silent>"],
        },
    )
    save(encoder, folder / "encoder.onnx")
    cache: list[Tensor] = [(f"in_n_layer_self_{side}_cache", FLOAT, [1, 1, "C", 1]) for side in "kv"]
    decoder = model(
        graph(
            # What follows the last token, and what is said in the language that is the second, where there are two.
            node("Gather", ["following", "tokens"], ["chained"], axis=0),
            node("Shape", ["tokens"], ["length"], start=1, end=2),
            node("Sub", ["length", "one"], ["last"]),
            node("Min", ["last", "one"], ["second"]),
            node("Gather", ["tokens", "second"], ["told"], axis=1),
            node("Gather", ["by_language", "told"], ["said"], axis=0),
            node("Add", ["chained", "said"], ["logits"]),
            *(node("Identity", [name], [name.replace("in_", "out_")]) for name, *_ in cache),
            following=following,
            by_language=by_language,
            one=[1],
        ),
        [("tokens", INT64, [1, "n"]), *cache, *cross, ("offset", INT64, [1])],
        [("logits", FLOAT, [1, "n", size]), *((name.replace("in_", "out_"), *rest) for name, *rest in cache)],  # type: ignore[list-item]
    )
    save(decoder, folder / "decoder.onnx")
    words = [base64.b64encode(symbol.replace("▁", " ").encode()).decode() for symbol in symbols[:2]]
    (folder / "tokens.txt").write_text("".join(f"{word} {index}\n" for index, word in enumerate(words)))
    return _toy(
        folder,
        "toy-whisper",
        "from_whisper",
        {"encoder": "encoder.onnx", "decoder": "decoder.onnx", "tokens": "tokens.txt"},
        languages=("de", "en"),
        language_option="language",
    )


def punctuation(folder: Path) -> Toy:
    """Build a model of marks that knows two words: "hello" gets a capital and a comma, "world" a full stop."""
    pieces = ["<unk>", "<s>", "</s>", "▁hello", "▁world", "▁", *"abcdefghijklmnopqrstuvwxyz"]
    case, mark = np.zeros((2, len(pieces), 4), np.float32)
    case[:, 0] = mark[:, 0] = 1.0
    case[3, 2] = mark[3, 1] = mark[4, 2] = 2.0
    made = model(
        graph(
            node("Reshape", ["token_ids", "flat"], ["tokens"]),
            node("Reshape", ["valid_ids", "flat"], ["valid"]),
            node("Cast", ["valid"], ["begins"], to=BOOL),
            node("Greater", ["tokens", "end"], ["speaks"]),  # is neither the beginning of a sentence nor its end
            node("And", ["begins", "speaks"], ["counts"]),
            node("Compress", ["tokens", "counts"], ["words"], axis=0),
            node("Gather", ["case", "words"], ["case_logits"], axis=0),
            node("Gather", ["mark", "words"], ["punct_logits"], axis=0),
            node("Identity", ["label_len"], ["unused"]),
            flat=[-1],
            end=np.array([2], np.int32),
            case=case,
            mark=mark,
        ),
        [("token_ids", INT32, ["N", 200]), ("valid_ids", INT32, ["N", 200]), ("label_len", INT32, ["N"])],
        [("case_logits", FLOAT, ["W", 4]), ("punct_logits", FLOAT, ["W", 4])],
        {"COMMA": 1, "PERIOD": 2, "QUESTION": 3, "UPPER": 1, "CAP": 2, "MIX_CASE": 3},
    )
    save(made, folder / "model.onnx")
    (folder / "bpe.vocab").write_text("".join(f"{piece}\t{-index}\n" for index, piece in enumerate(pieces)))
    files = {"cnn_bilstm": "model.onnx", "bpe_vocab": "bpe.vocab"}
    return _toy(folder, "toy-punctuation", "OnlinePunctuation", files, task="punctuation")


TONAL: dict[str, Callable[[Path], Toy]] = {
    "toy-ctc": nemo_ctc,
    "toy-transducer": nemo_transducer,
    "toy-tdt": nemo_tdt,
    "toy-onnx": onnx_tdt,
}
"""The offline ones that write what `speech` says."""


_NEMO = {
    "vocab_size": SIZE - 1,
    "subsampling_factor": 8,
    "normalize_type": "",
    "pred_rnn_layers": 1,
    "pred_hidden": 4,
    "feat_dim": BANDS,
}
_TRANSDUCER = {name: f"{name}.onnx" for name in ("encoder", "decoder", "joiner")} | {"tokens": "tokens.txt"}


def _write_encoder(path: Path, features: Features, told: Mapping[str, object]) -> None:
    """Write the encoder of a transducer: its output is the scores, a tone's only where it begins."""
    nothing = np.zeros((1, 1, SIZE), np.float32)
    content = scores(features, frames=8, blank=SIZE - 1) + beginnings(
        blank=SIZE - 1, earlier="nothing_yet", written="written"
    )
    content += graph(
        node("Transpose", ["written"], ["outputs"], perm=[0, 2, 1]),
        node("Add", ["length", "seven"], ["more"]),
        node("Div", ["more", "eight"], ["encoded_lengths"]),
        nothing_yet=nothing,
        seven=7,
        eight=8,
    )
    made = model(
        content,
        [("audio_signal", FLOAT, ["B", BANDS, "T"]), ("length", INT64, ["B"])],
        [("outputs", FLOAT, ["B", SIZE, "L"]), ("encoded_lengths", INT64, ["B"])],
        told,
    )
    save(made, path)


def _write_nemo(folder: Path, *, durations: int) -> None:
    """Write what a NeMo transducer has besides its encoder."""
    names = ["targets", "target_length", "states.1", "onnx::Slice_3"]
    given = ["outputs", "prednet_lengths", "states", "162"]
    kinds: list[tuple[int, list[int | str]]] = [(INT32, [1, 1]), (INT32, [1]), (FLOAT, [1, 1, 4]), (FLOAT, [1, 1, 4])]
    decoder = model(
        # A TDT model moves on by itself; a plain transducer is asked again until it writes nothing.
        predictor(feedback=0.0 if durations else 1_000.0, inputs=names, outputs=given),
        [(name, *kind) for name, kind in zip(names, kinds, strict=True)],
        [(name, *kind) for name, kind in zip(given, [(FLOAT, [1, SIZE, 1]), *kinds[1:]], strict=True)],
    )
    save(decoder, folder / "decoder.onnx")
    joined = model(
        joiner(durations, encoder="encoder_outputs", decoder="decoder_outputs", logits="outputs"),
        [("encoder_outputs", FLOAT, [1, SIZE, 1]), ("decoder_outputs", FLOAT, [1, SIZE, 1])],
        [("outputs", FLOAT, [1, 1, 1, SIZE + durations])],
    )
    save(joined, folder / "joiner.onnx")
    (folder / "tokens.txt").write_text(_table(blank_last=True))


def _toy(
    folder: Path,
    name: str,
    constructor: str,
    arguments: Mapping[str, str],
    *,
    engine: str = "sherpa",
    task: str = "asr",
    **more: Any,
) -> Toy:
    entry = Entry(
        name=name,
        task=task,  # type: ignore[arg-type]
        licence="MIT",
        sources=(FileSource(path=str(folder)),),
        files=tuple(ModelFile(name=path.name, size=path.stat().st_size) for path in sorted(folder.iterdir())),
        engine=engine,  # type: ignore[arg-type]
        constructor=constructor,
        arguments=dict(arguments),
        **{"languages": ("en",), **more},
    )
    return Toy(entry, folder)


def _table(*, blank_last: bool) -> str:
    tokens = [*TONES, "<blk>"] if blank_last else ["<blk>", *TONES]
    return "".join(f"{token} {index}\n" for index, token in enumerate(tokens))
