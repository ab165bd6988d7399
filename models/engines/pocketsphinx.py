"""PocketSphinx 5: keywords and short commands, in 30 MB and without a network of the neural kind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sottovoce.models.catalogue import Entry
from sottovoce.models.engines.base import SAMPLE_RATE, EngineSettings, Result, Word
from sottovoce.models.engines.offline import Offline
from sottovoce.models.engines.sherpa_call import find_files
from sottovoce.models.exceptions import EngineFailed

_FRAME_S = 0.01
_FILLER = re.compile(r"^(<.*>|\[.*\]|\+\+.*\+\+)$")  # <s>, <sil>, [NOISE], ++BREATH++
_PRONUNCIATION = re.compile(r"\(\d+\)$")  # the(2): another way to say the same word


class PocketSphinx(Offline):
    """A `pocketsphinx.Decoder` on one thread.

    The package carries a model of American English, and what of it the entry does not name is taken from there. The
    arguments `lm` and `dict` name the language model and the dictionary; an acoustic model's files (`mdef` and the
    others) lie in the directory itself.

    There is no log-probability: the confidence that PocketSphinx gives for a word was 1.0 whatever was said.

    Raises:
        EngineFailed: the package or a file is missing, or PocketSphinx refuses the model.
    """

    providers = ("CPUExecutionProvider",)
    fallback = ""

    def __init__(self, entry: Entry, directory: Path, settings: EngineSettings) -> None:
        super().__init__(entry, settings)
        files = {argument: str(path) for argument, path in find_files(entry, directory).items()}
        try:
            import pocketsphinx
        except ImportError as error:
            raise EngineFailed(
                f"model {entry.name}: pocketsphinx is not installed; run: pip install pocketsphinx"
            ) from error
        if (directory / "mdef").is_file():
            files["hmm"] = str(directory)
        # The mean of the cepstrum is taken over the utterance, not carried over from the ones before: the same samples
        # are to give the same words.
        options = {"cmn": "batch", "loglevel": "FATAL", **entry.options, **files}
        try:
            self._decoder: Any = pocketsphinx.Decoder(samprate=float(SAMPLE_RATE), **options)
        except (RuntimeError, ValueError, TypeError, KeyError) as error:
            raise EngineFailed(f"model {entry.name}: PocketSphinx cannot load it: {error}") from error
        self._has_loaded()

    def warm_up(self) -> None:
        """Do nothing: the first decode costs what the others do."""

    @property
    def _closed(self) -> bool:
        return self._decoder is None

    def _recognise(self, samples: NDArray[np.float32], audio_s: float) -> Result:
        pcm = (np.nan_to_num(samples).clip(-1.0, 1.0) * 32_767).astype("<i2").tobytes()
        try:
            self._decoder.reinit_feat()  # forgets the noise of what came before, in 0.1 ms
            self._decoder.start_utt()
            try:
                self._decoder.process_raw(pcm, full_utt=True)
            finally:
                self._decoder.end_utt()
            found = tuple(
                Word(
                    _PRONUNCIATION.sub("", segment.word),
                    min(segment.start_frame * _FRAME_S, audio_s),
                    min((segment.end_frame + 1) * _FRAME_S, audio_s),
                )
                for segment in self._decoder.seg() or ()
                if not _FILLER.match(segment.word)
            )
        except (RuntimeError, ValueError) as error:
            raise EngineFailed(f"model {self.name}: decoding {audio_s:.2f} s failed: {error}") from error
        tokens = tuple(f" {word.text}" for word in found)
        return Result(text="".join(tokens).strip(), tokens=tokens, words=found)

    def close(self) -> None:
        """Free the model."""
        self._decoder = None
