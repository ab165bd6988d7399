"""The networks of `toys.py`: from the features of a tone to the score of its token, and from there to each family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

TONES = {"▁low": 700.0, "▁mid": 1_300.0, "dle": 2_000.0, "▁high": 3_000.0, "▁top": 4_600.0, "▁hie": 3_000.0}
"""Hz by token. "middle" is two of them, and "hie" sounds like "high"."""
HOMOPHONE, LESS_LIKELY = "▁hie", 0.5
"""What is heard for 3 kHz only where somebody wants it: its score is this much lower."""
BANDS = 80
SIZE = len(TONES) + 1
"""With the blank."""

FLOAT, INT64, INT32, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL
Shape = Sequence[int | str]
Tensor = tuple[str, int, Shape]
node = helper.make_node


class Features(NamedTuple):
    """How a library makes them."""

    threshold: float
    """Mean of a band, above which there is a tone in it. With half as much again, or 1.0 to either side, every tone is
    still heard and noise of 0.01 is not."""
    silence: float
    low: float
    """Hz at which the lowest band begins."""
    high: float
    slaney: bool
    """Slaney's mel scale, not Kaldi's."""


NEMO = Features(-5.0, -16.0, 0.0, 8_000.0, slaney=True)
KALDI = Features(2.0, -16.0, 20.0, 7_600.0, slaney=False)
NORMALISED = Features(1.5, 0.0, 0.0, 8_000.0, slaney=True)
"""NeMo's, each band scaled by its own mean and deviation over time."""


class Graph(NamedTuple):
    """Nodes, and the weights that they name."""

    nodes: list[NodeProto]
    weights: list[TensorProto]

    def __add__(self, other: object) -> Graph:
        if not isinstance(other, Graph):
            return NotImplemented
        return Graph([*self.nodes, *other.nodes], [*self.weights, *other.weights])


def graph(*nodes: NodeProto, **weights: object) -> Graph:
    """Gather nodes and weights: an array as it is, an integer or a list of them as int64."""
    return Graph(
        list(nodes),
        [
            numpy_helper.from_array(value if isinstance(value, np.ndarray) else np.array(value, np.int64), name)
            for name, value in weights.items()
        ],
    )


def model(
    content: Graph, inputs: Sequence[Tensor], outputs: Sequence[Tensor], metadata: Mapping[str, object] | None = None
) -> ModelProto:
    """Make a model of a graph and check it."""
    made = helper.make_model(
        helper.make_graph(
            content.nodes,
            "toy",
            [helper.make_tensor_value_info(*tensor) for tensor in inputs],
            [helper.make_tensor_value_info(*tensor) for tensor in outputs],
            content.weights,
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    checker.check_model(made)
    for key, value in (metadata or {}).items():
        made.metadata_props.add(key=key, value=str(value))
    return made


def scores(features: Features, *, frames: int, blank: int, first: int = 0) -> Graph:
    """Score the tokens of each step.

    Args:
        features: of which kind `audio_signal` (B, 80, T) is.
        frames: of a step.
        blank: the number of the blank; the tones' follow it, or come before.
        first: how many of the T frames are looked at; 0 for all, the last step filled up with silence.

    Returns:
        A graph that makes `scores` (B, T / frames, SIZE).
    """
    matrix, bias = np.zeros((BANDS, SIZE), np.float32), np.zeros(SIZE, np.float32)
    bias[blank] = features.threshold
    low, high = _mel(features.low, features), _mel(features.high, features)
    for index, (token, tone) in enumerate(TONES.items(), 0 if blank else 1):
        centre = round((_mel(tone, features) - low) / (high - low) * (BANDS + 1)) - 1
        matrix[centre - 1 : centre + 2, index] = 1 / 3
        bias[index] -= LESS_LIKELY if token == HOMOPHONE else 0.0
    return graph(
        node("Slice", ["audio_signal", "from", "to", "time"], ["heard"]),
        node("Pad", ["heard", "padding", "silence"], ["padded"]),
        node("AveragePool", ["padded"], ["pooled"], kernel_shape=[frames], strides=[frames]),
        node("Transpose", ["pooled"], ["steps"], perm=[0, 2, 1]),
        node("MatMul", ["steps", "bands"], ["energies"]),
        node("Add", ["energies", "bias"], ["scores"]),
        **{"from": [0], "to": [first or 1_000_000], "time": [2]},
        padding=[0, 0, 0, 0, 0, 0 if first else frames - 1],
        silence=np.array(features.silence, np.float32),
        bands=matrix,
        bias=bias,
    )


def beginnings(*, blank: int, earlier: str, written: str) -> Graph:
    """Keep of `scores` what is not a tone that goes on.

    Args:
        blank: its number.
        earlier: the one-hot best token of the step before the first, (B, 1, SIZE).
        written: what to call the outcome.

    Returns:
        A graph that makes `written` (B, L, SIZE), and `hot`, the best token of each step, one-hot.
    """
    silencing = np.zeros((1, SIZE), np.float32)
    silencing[0, blank] = 1_000.0
    return graph(
        node("ArgMax", ["scores"], ["best"], axis=-1, keepdims=0),
        node("OneHot", ["best", "size", "off_on"], ["hot"], axis=-1),
        node("Concat", [earlier, "hot"], ["with_earlier"], axis=1),
        node("Slice", ["with_earlier", "zero", "minus_one", "one"], ["before"]),
        node("Mul", ["hot", "before"], ["common"]),
        node("ReduceSum", ["common", "two"], ["goes_on"], keepdims=1),
        node("MatMul", ["goes_on", "silencing"], ["silenced"]),
        node("Add", ["scores", "silenced"], [written]),
        size=SIZE,
        zero=[0],
        one=[1],
        two=[2],
        minus_one=[-1],
        off_on=np.array([0.0, 1.0], np.float32),
        silencing=silencing,
    )


def predictor(*, feedback: float, inputs: Sequence[str], outputs: Sequence[str]) -> Graph:
    """Remember the last token.

    Args:
        feedback: what its place, and that of one that sounds like it, gets in the first output, (1, SIZE, 1).
        inputs: names of the token (1, 1), int32, its length, and two states.
        outputs: names of the last token, the length, and the states, which are passed on as they came.
    """
    rows = feedback * np.eye(SIZE, dtype=np.float32)
    rows[SIZE - 1] = 0.0  # the blank, which stands for "nothing yet"
    alike = [list(TONES).index(HOMOPHONE), list(TONES.values()).index(TONES[HOMOPHONE])]
    rows[alike, alike[::-1]] = feedback
    return graph(
        node("Gather", ["rows", inputs[0]], ["row"], axis=0),
        node("Transpose", ["row"], [outputs[0]], perm=[0, 2, 1]),
        *(node("Identity", [name], [same]) for name, same in zip(inputs[1:], outputs[1:], strict=True)),
        rows=rows,
    )


def joiner(durations: int, *, encoder: str, decoder: str, logits: str) -> Graph:
    """Score what is written next, (1, 1, 1, SIZE + durations): not again what was written last, and always one step on.

    Args:
        durations: how many lengths a TDT model chooses from; 0 for a plain transducer.
        encoder: the step's scores, (1, SIZE, 1).
        decoder: the last token, as `predictor` gives it.
        logits: what to call the outcome.
    """
    tokens = graph(
        node("Sub", [encoder, decoder], ["left"]),
        node("Reshape", ["left", "flat"], ["tokens" if durations else logits]),
        flat=[1, 1, 1, -1],
    )
    lengths = np.zeros((1, 1, 1, durations), np.float32)
    lengths[..., 1:2] = 9.0
    both = graph(node("Concat", ["tokens", "lengths"], [logits], axis=3), lengths=lengths)
    return tokens + both if durations else tokens


def _mel(hertz: float, features: Features) -> float:
    if not features.slaney:
        return 1127.0 * float(np.log(1.0 + hertz / 700.0))
    return 15.0 + 27.0 * float(np.log(hertz / 1000.0) / np.log(6.4)) if hertz >= 1000.0 else hertz * 0.015
