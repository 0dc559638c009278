"""PocketSphinx with the English model that its package carries: small, on the processor, for laptops and tests."""

import threading
from pathlib import Path

import soundfile
from pocketsphinx import Decoder

from first_stage.models import Transcript

RATE = 16_000
"""Samples a second that the acoustic model was made for."""


class Sphinx:
    """PocketSphinx. English only; it hears clear speech, and much of it wrong where it is not clear."""

    def __init__(self) -> None:
        # A recording is there as a whole, so that its loudness and colour can be averaged over all of it first.
        self._decoder = Decoder(samprate=RATE, cmn="batch", loglevel="FATAL")
        self._alone = threading.Lock()

    def transcribe(self, recording: Path) -> Transcript:
        """Return what is said, in lower case and without punctuation."""
        samples, rate = soundfile.read(recording, dtype="int16")
        if rate != RATE or samples.ndim != 1:
            raise ValueError(f"expected mono of {RATE} Hz, got {rate} Hz and {samples.ndim} dimensions")
        with self._alone:
            self._decoder.start_utt()
            self._decoder.process_raw(samples.tobytes(), full_utt=True)
            self._decoder.end_utt()
            heard = self._decoder.hyp()
        return Transcript(heard.hypstr if heard else "", "en", "pocketsphinx (en-us)")
