"""The models: the small ones do real work, and the large ones' code goes as far as it can without weights."""

import ast
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from support import MUSIC
from support.speech import SAD, overlap

from first_stage import transformer, whisper
from first_stage.models import Sentiment
from first_stage.moods import mood_of
from first_stage.sphinx import Sphinx
from first_stage.vader import Vader
from music_common.stage import ModelMissing
from second_stage import riffusion
from second_stage.__main__ import seed_of
from second_stage.chorales import Chorales
from second_stage.models import Order
from second_stage.riffusion import PROMPTS, Riffusion, joined
from second_stage.small import Small
from second_stage.spectrogram import HEIGHT, LOUDEST, magnitudes
from second_stage.synth import INSTRUMENTS, render


def test_pocketsphinx_hears_most_of_what_is_said(sad: bytes, scratch: Path, tmp_path: Path) -> None:
    assert sad
    samples, rate = soundfile.read(scratch / "sad.wav", dtype="float32")
    soundfile.write(tmp_path / "16k.wav", soxr.resample(samples, rate, 16_000), 16_000, subtype="PCM_16")
    transcript = Sphinx().transcribe(tmp_path / "16k.wav")
    assert overlap(SAD, transcript.text) >= 0.6


@pytest.mark.parametrize(
    ("text", "mood"),
    [
        ("what a wonderful day I love it", "joyful"),
        ("the table stands in the room", "calm"),
        ("I hate this terrible awful place", "sombre"),
        ("not good", "wistful"),
    ],
)
def test_words_get_the_mood_that_they_have(text: str, mood: str) -> None:
    document = mood_of(Vader().classify(text))
    assert document["mood"] == mood
    assert sum(document["scores"].values()) == pytest.approx(1, abs=1e-3)


def test_every_mood_has_a_prompt_and_bounds_belong_to_the_brighter_one() -> None:
    valences = np.linspace(-1, 1, 41)
    moods = [
        mood_of(Sentiment({"positive": max(v, 0), "negative": max(-v, 0), "neutral": 1 - abs(v)}, ""))["mood"]
        for v in valences
    ]
    assert set(moods) == set(PROMPTS)
    assert moods[0] == "sombre"
    assert moods[-1] == "joyful"


def test_a_piece_moves_as_chorales_do_and_ends_as_one_ends() -> None:
    model = Chorales()
    endings = {
        mode: {tuple(model._modes[mode]["beats"][beat]) for beat, _ in model._modes[mode]["endings"]}
        for mode in ("major", "minor")
    }
    for seed in range(20):
        for mode in ("major", "minor"):
            piece = model.compose(mode, 24, np.random.default_rng(seed))  # type: ignore[arg-type]
            assert 24 <= len(piece) <= 37
            assert piece[-1] in endings[mode]
            leaps = np.abs(np.diff([beat[0] for beat in piece]))
            assert np.mean(leaps <= 4) > 0.7


def test_no_piece_is_one_of_the_chorales_for_long() -> None:
    model = Chorales()
    pieces = {tuple(model.compose("major", 24, np.random.default_rng(seed))) for seed in range(20)}
    assert len(pieces) == 20


def test_the_same_order_gives_the_same_music_and_another_seed_or_mood_does_not() -> None:
    small = Small()
    orders = [Order("", 0.5, 4, 1), Order("", 0.5, 4, 1), Order("", 0.5, 4, 2), Order("", -0.5, 4, 1)]
    sounds = [small.generate(order).tobytes() for order in orders]
    assert sounds[0] == sounds[1]
    assert len(set(sounds)) == 3


def test_candidates_have_seeds_of_their_own_and_so_have_runs_of_neighbouring_seeds() -> None:
    seeds = {seed_of(seed, index) for seed in range(10) for index in range(4)}
    assert len(seeds) == 40
    assert seed_of(7, 0) == seed_of(7, 0)


@pytest.mark.parametrize("valence", [-1, 0.9])
def test_music_is_as_long_as_asked_for_loud_enough_and_fades_out(valence: float) -> None:
    small = Small()
    sound = small.generate(Order("", valence, 6.5, 3))
    assert sound.shape == (round(6.5 * small.rate), 2)
    assert np.abs(sound).max() == pytest.approx(0.89, abs=0.01)
    assert np.abs(sound[-1]).max() < 0.01


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda each: str(each.name))
def test_a_note_sounds_at_its_pitch(instrument: Any) -> None:
    sound = render([(9, 9, 9, 9)], 1, 0, instrument, 2, 44_100)
    spectrum = np.abs(np.fft.rfft(sound[:44_100, 0]))
    assert np.argmax(spectrum[100:1_000]) + 100 == pytest.approx(440, abs=1)


def test_the_model_says_where_it_comes_from() -> None:
    model = json.loads(gzip.decompress((MUSIC / "second-stage" / "second_stage" / "chorales.json.gz").read_bytes()))
    assert model["corpus"].startswith("music21 ")
    assert model["modes"]["major"]["pieces"] > 100


@pytest.mark.parametrize(
    ("load", "setting"),
    [
        (lambda folder: whisper.Whisper(folder, "cpu"), "MUSIC_WHISPER_DIR"),
        (lambda folder: transformer.Transformer(folder, "cpu"), "MUSIC_CLASSIFIER_DIR"),
        (lambda folder: Riffusion(folder, "cpu"), "MUSIC_RIFFUSION_DIR"),
    ],
)
def test_weights_that_are_missing_are_named_with_their_setting(load: Any, setting: str, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=rf"{setting}: .* has no .*config"):
        load(tmp_path)


@pytest.mark.parametrize("module", [whisper, transformer, riffusion])
def test_large_libraries_are_imported_only_where_their_model_is_loaded(module: Any) -> None:
    tree = ast.parse(Path(module.__file__).read_text())
    imported = {
        name.split(".")[0]
        for node in tree.body
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not imported & {"torch", "torchaudio", "diffusers", "transformers", "faster_whisper"}


def test_a_picture_becomes_magnitudes_dark_is_loud_and_low_bands_come_first() -> None:
    picture = np.full((HEIGHT, 3, 3), 255, np.uint8)
    picture[-1, 1] = 0
    picture[0, 2] = 255 // 2
    result = magnitudes(picture)
    assert result.shape == (HEIGHT, 3)
    assert result[0, 1] == pytest.approx(LOUDEST)
    assert result[-1, 2] == pytest.approx(LOUDEST * (128 / 255) ** 4)
    assert result[:, 0].max() == 0
    with pytest.raises(ValueError, match="512 rows"):
        magnitudes(np.zeros((4, 4, 3), np.uint8))


def test_clips_are_joined_without_a_gap() -> None:
    clips = [np.full(1_000, value, np.float32) for value in (1, 3)]
    sound = joined(clips, 100)
    assert len(sound) == 1_900
    assert sound[899] == 1
    assert sound[1_000] == 3
    assert np.all(np.diff(sound[890:1_010]) >= 0)
