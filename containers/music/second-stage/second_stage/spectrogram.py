"""Riffusion's pictures as spectrograms: its rows are mel bands, its columns 10 ms each, and dark is loud.

The values are those that the model was trained with: riffusion/spectrogram_params.py of
https://github.com/riffusion/riffusion-hobby.
"""

import numpy as np
from numpy.typing import NDArray

RATE = 44_100
HEIGHT = 512
"""Rows: mel bands from 0 to MAX_HZ."""
MAX_HZ = 10_000
FRAMES_A_SECOND = 100
WINDOW = RATE // 10
"""Samples that a column looks at: 100 ms."""
N_FFT = RATE * 4 // 10
"""Samples of its transform, padded: 400 ms."""
POWER = 0.25
"""A picture holds magnitudes to this power, so that quiet sounds can be seen."""
LOUDEST = 30e6
"""Magnitude of black."""


def magnitudes(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the mel magnitudes of a picture.

    Args:
        picture: rows from the highest band down, columns in time, three equal channels.

    Returns:
        HEIGHT × columns, the lowest band first.
    """
    if picture.ndim != 3 or picture.shape[0] != HEIGHT:
        raise ValueError(f"expected {HEIGHT} rows of columns of channels, got {picture.shape}")
    dark = (255 - picture[::-1, :, 0].astype(np.float32)) / 255
    return np.ascontiguousarray(dark ** (1 / POWER) * np.float32(LOUDEST))
