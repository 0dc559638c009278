"""Draws docs/images/denoise-before-after.png: an exposure from a seed, as it came, by each model, and its truth.

`npm run docs:denoise` runs it in the environment of containers/denoise/training. `--check` only says whether the file
is what it would draw, to a grey level or two: processors round differently.
"""

import argparse
import sys

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from models import PROJECT, model_file

sys.path.insert(0, str(PROJECT / "containers" / "denoise" / "training"))

from denoise_training.detector import frame
from denoise_training.inference import Model
from denoise_training.noise import Noise

TARGET = PROJECT / "docs" / "images" / "denoise-before-after.png"
SEED = 909
SIDE = 264
PHOTONS = 100
GAP = 8
LABEL = 22
MOST_BYTES = 150_000
_LEVELS = 2.0


def main() -> int:
    """Draw, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when the picture is another")
    given = parser.parse_args()
    drawn = picture()
    if given.check:
        kept = np.asarray(Image.open(TARGET), np.float32)
        same = kept.shape == drawn.shape and float(np.abs(kept - drawn).mean()) <= _LEVELS
        sys.stdout.write(f"{TARGET.name} is {'what it should be' if same else 'another: run npm run docs:denoise'}\n")
        return 0 if same else 1
    Image.fromarray(drawn).save(TARGET, optimize=True)
    size = TARGET.stat().st_size
    sys.stdout.write(f"{TARGET}: {size} bytes\n")
    return 0 if size <= MOST_BYTES else 1


def picture() -> NDArray[np.uint8]:
    """Return the four images side by side, each under its name."""
    exposure = frame(SEED, (SIDE, SIDE), Noise(sigma=2 / 255, photons=PHOTONS))
    noisy = exposure.signal()
    images = {
        f"{PHOTONS} photons, read noise, dead pixels": noisy,
        "efficient": Model(model_file("efficient")).restore(noisy),
        "powerful": Model(model_file("powerful")).restore(noisy),
        "without noise": exposure.clean,
    }
    low, high = float(exposure.clean.min()), float(exposure.clean.max())
    canvas = Image.new("L", (len(images) * SIDE + (len(images) - 1) * GAP, SIDE + LABEL), 255)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=14)
    for index, (name, image) in enumerate(images.items()):
        left = index * (SIDE + GAP)
        grey = np.clip((image - low) / (high - low), 0, 1) ** 0.7 * 255
        # Fewer grey levels: a quarter of the bytes, and nothing that an eye would miss.
        canvas.paste(Image.fromarray((grey / 4).astype(np.uint8) * 4), (left, LABEL))
        draw.text((left, 2), name, fill=0, font=font)
    return np.asarray(canvas)


if __name__ == "__main__":
    sys.exit(main())
