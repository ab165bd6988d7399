"""`sottovoce bench transform`: how long the transform takes for an utterance of 20 words.

It is measured as the stage has it in use: 100 rules of a user's over the shipped ones, read from a file, and 1,000
corrections, half of them exact and half by sound, of one to five words. The words of the utterances are drawn as often
as they are used (the word counts that `common.lexicon` is made of), so that some are always met for the first time,
which costs more. Half of the utterances are as an engine writes them that punctuates, half without any mark; each
carries the context of the one before. In every fourth a phrase of a correction is said, in every eighth one that is
misheard once more and only found by its sound.

Each utterance is timed in three passes, for each of which the corrections are loaded anew, so that no pass finds words
that it has met in the one before; the least of the three counts, since other work on the machine can only add to it. It
is timed by the clock and by the time of the processor that it took.
"""

from __future__ import annotations

import gc
import json
import platform
import random
import tempfile
import time
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from sottovoce.actors.transform import Context, Transformer, compiled
from sottovoce.actors.transform.corrections import Corrections, Fired
from sottovoce.actors.transform.numbers import Mode as Numbers
from sottovoce.protocol.correction import MOST_WORDS, Correction

WORDS: Final = 20
RULES: Final = 100
CORRECTIONS: Final = 1000
UTTERANCES: Final = 2000
_PASSES: Final = 3
_EXPLAINED: Final = 100
"""Utterances of each draw in which commands and numbers are counted, after the timing."""
_COMMON: Final = 3000
"""With one of so many of the most used words the exact phrases begin: the lookup is begun for two words of each
utterance, and mostly in vain."""
BOUND_US: Final = {"p50": 50.0, "p99": 200.0}
"""What DESIGN section 10 and the issue ask for."""

Kind: TypeAlias = Literal["prose", "commands", "numbers"]
KINDS: Final[tuple[Kind, ...]] = ("prose", "commands", "numbers")
WAYS: Final[tuple[Numbers, ...]] = ("explicit", "natural")
GROUPS: Final[dict[str, tuple[Kind, ...]]] = {"all": KINDS} | {kind: (kind,) for kind in KINDS}
"""What is reported, by its name: all kinds together, and each by itself."""
ROWS: Final = tuple((name, numbers) for numbers in WAYS for name in GROUPS)

_COMMANDS: Final = (
    "comma", "comma", "comma", "period", "period", "question mark", "new line", "quote", "open paren", "close paren",
    "dash", "colon", "all caps", "literal comma", "snake case",
)  # fmt: skip
_QUANTITIES: Final = (
    "number forty two", "line one hundred twelve", "version three point five", "twenty five percent", "nineteen fifty",
    "in twenty twenty five", "the twenty first of march", "three thirty p m", "nineteen dollars", "two of them",
    "one hundred twenty thousand", "four oh four", "42", "3.5", "1455",
)  # fmt: skip
_ONSETS: Final = (
    "b", "br", "d", "dr", "f", "g", "gr", "k", "kl", "l", "m", "n", "p", "r", "s", "st", "t", "tr", "v", "z",
)  # fmt: skip
_VOWELS: Final = ("a", "e", "i", "o", "u", "ai", "oo")
_ENDS: Final = ("ck", "ld", "m", "n", "ng", "r", "s", "sk", "th", "x")
_MISHEARD: Final = (("ck", "k"), ("k", "c"), ("s", "z"), ("f", "ph"), ("x", "ks"), ("oo", "u"), ("ai", "ay"))
"""Spellings of one sound."""


class Speech:
    """What is said and learned in one run, drawn with a seed."""

    def __init__(self, seed: int) -> None:
        from spellchecker import SpellChecker

        self._random = random.Random(seed)
        counts = SpellChecker(language="en").word_frequency.dictionary
        self._vocabulary = [word for word in counts if word.isalpha() and (len(word) > 1 or word in "ai")]
        self._sums = list(accumulate(counts[word] for word in self._vocabulary))
        self._common = sorted(self._vocabulary, key=counts.__getitem__)[-_COMMON:]
        self._known = counts

    def rules(self) -> str:
        """Return the text of a rules file of one's own."""
        spoken: dict[str, None] = {}
        while len(spoken) < RULES:
            spoken[" ".join((self._name(), *self._words(self._random.randrange(3))))] = None
        return "".join(
            f'[[rule]]\nspoken = [{json.dumps(phrase)}]\nwrite = "\N{BLACK STAR}{at}"\nattach = "none"\n'
            for at, phrase in enumerate(spoken)
        )

    def corrections(self) -> list[Correction]:
        """Return exact ones, of words that people use, and ones by sound, of names."""
        made: dict[str, Correction] = {}
        while len(made) < CORRECTIONS:
            count = 1 + len(made) % MOST_WORDS
            if len(made) % 2:
                names = [self._name() for _ in range(count)]
                heard = " ".join(self._misheard(name) for name in names)
                one = Correction(heard=heard, write=" ".join(name.capitalize() for name in names), match="sound")
            else:
                first = self._random.choice(self._common if count > 1 else self._vocabulary)
                heard = " ".join((first, *self._words(count - 1)))
                one = Correction(heard=heard, write=f"what stands for {heard}")
            made.setdefault(heard, one)
        return list(made.values())

    def utterances(self, kind: Kind, corrections: Sequence[Correction], count: int) -> list[str]:
        """Return utterances of `WORDS` words or a few more, since what is put in is not cut off."""
        return [self._utterance(kind, corrections, at) for at in range(count)]

    def _utterance(self, kind: Kind, corrections: Sequence[Correction], at: int) -> str:
        pieces: list[str] = []
        if at % 4 == 0:
            pieces.append(self._random.choice(corrections).heard)
        elif at % 8 == 1:
            sounding = [one for one in self._random.choices(corrections, k=20) if one.match == "sound"]
            pieces += [" ".join(map(self._misheard, one.write.lower().split())) for one in sounding[:1]]
        if kind != "prose":
            pieces += self._random.choices(_COMMANDS if kind == "commands" else _QUANTITIES, k=3)
        pieces += self._words(WORDS - sum(len(piece.split()) for piece in pieces))
        self._random.shuffle(pieces)
        if at % 2:
            return " ".join(pieces)
        # As a model that punctuates: a capital, a comma, a full stop.
        pieces[0] = pieces[0][:1].upper() + pieces[0][1:]
        pieces[len(pieces) // 2] += ","
        return " ".join(pieces) + "."

    def _words(self, count: int) -> list[str]:
        top = self._sums[-1]
        return [self._vocabulary[bisect(self._sums, self._random.randrange(top))] for _ in range(max(0, count))]

    def _name(self) -> str:
        while True:
            draw = self._random.choice
            name = draw(_ONSETS) + draw(_VOWELS) + draw(_ONSETS) + draw(_VOWELS) + draw(_ENDS)
            if name not in self._known:
                return name

    def _misheard(self, name: str) -> str:
        changes = [(old, new) for old, new in _MISHEARD if old in name]
        return name.replace(*self._random.choice(changes), 1) if changes else name


def run(*, seeds: int, utterances: int = UTTERANCES) -> dict[str, Any]:
    """Measure each kind of utterance.

    Args:
        seeds: how many draws of rules, corrections and utterances; their times are put together.
        utterances: of each kind in each draw.

    Returns:
        The version of Python; whether the transform is compiled; a row for each of `ROWS`: percentiles in
        microseconds, by the clock and of the processor; how many corrections fired; how many commands and numbers were
        found in the first 100 utterances of each draw.
    """
    measured = [(kind, numbers) for numbers in WAYS for kind in KINDS]
    times: dict[tuple[Kind, Numbers], list[tuple[int, int]]] = {row: [] for row in measured}
    done = {row: Counter[str]() for row in measured}
    for seed in range(1, seeds + 1):
        speech = Speech(seed)
        rules = transformer(speech.rules())
        learned = speech.corrections()
        passes = [Corrections.of_language(learned, "en") for _ in range(_PASSES)]
        for kind, numbers in measured:
            said = speech.utterances(kind, learned, utterances)
            timed = [list(_timed(rules, corrections, numbers, said)) for corrections in passes]
            for of in zip(*timed, strict=True):
                clocks, processors, fired = zip(*of, strict=True)
                times[kind, numbers].append((min(clocks), min(processors)))
                done[kind, numbers]["corrections"] += fired[0]
            for text in said[:_EXPLAINED]:
                for step in rules.explain(text, Context(), numbers=numbers)[2]:
                    done[kind, numbers]["commands"] += step.did in {"command", "case", "escape"}
                    done[kind, numbers]["numbered"] += step.did == "numbers"
    return {
        "python": platform.python_version(), "compiled": bool(compiled.paths()),
        "words": WORDS, "rules": RULES, "corrections": CORRECTIONS, "seeds": seeds, "utterances": utterances * seeds,
        "bound_us": BOUND_US,
        "rows": [_row(name, numbers, times, done) for name, numbers in ROWS],
    }  # fmt: skip


def _row(
    name: str, numbers: Numbers, times: Mapping[tuple[Kind, Numbers], list[tuple[int, int]]],
    done: Mapping[tuple[Kind, Numbers], Counter[str]],
) -> dict[str, Any]:  # fmt: skip
    of = [(kind, numbers) for kind in GROUPS[name]]
    counts = {what: sum(done[one][what] for one in of) for what in ("commands", "corrections", "numbered")}
    return {
        "kind": name, "numbers": numbers, **_percentiles([time for one in of for time in times[one]]), **counts,
    }  # fmt: skip


def render(report: dict[str, Any]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| utterances | numbers | p50 | p99 | p50, processor | p99, processor |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {row['kind']} | {row['numbers']} | {row['p50']:.0f} us | {row['p99']:.0f} us "
        f"| {row['processor_p50']:.0f} us | {row['processor_p99']:.0f} us |"
        for row in report["rows"]
    ]
    how = "compiled" if report["compiled"] else "not compiled: `make setup`, where there is a C compiler"
    return "\n".join([*lines, "", f"Python {report['python']}, {how}"])


def transformer(rules: str) -> Transformer:
    """Return the transform of English with the text of a rules file over it."""
    with tempfile.TemporaryDirectory(prefix="sottovoce-bench-") as folder:
        own = Path(folder) / "en.toml"
        own.write_text(rules)
        return Transformer.load("en", own=own)


def _timed(
    transformer: Transformer, corrections: Corrections, numbers: Numbers, said: Sequence[str]
) -> Iterator[tuple[int, int, int]]:
    """Transform utterances one after the other; yield nanoseconds by the clock and of the processor, and what fired."""
    context = Context()
    gc.collect()  # what was built for the measurement is not its business
    gc.freeze()
    try:
        for text in said:
            fired: list[Fired] = []
            processor = time.thread_time_ns()
            clock = time.perf_counter_ns()
            _, context = transformer.apply(text, context, numbers=numbers, corrections=corrections, fired=fired)
            clock = time.perf_counter_ns() - clock
            yield clock, time.thread_time_ns() - processor, len(fired)
    finally:
        gc.unfreeze()


def _percentiles(times: Sequence[tuple[int, int]]) -> dict[str, float]:
    us = np.array(times) / 1000
    return {
        f"{name}p{which}": round(float(np.percentile(us[:, column], which)), 1)
        for column, name in ((0, ""), (1, "processor_")) for which in (50, 99)
    }  # fmt: skip
