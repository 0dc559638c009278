"""What the strength of a request does, from 0 to 20.

The models are blind: they find out by themselves how strong the noise is, and cannot be told. So strength chooses
between images that they give:

- 0 to 10: a blend of the noisy image (0, unchanged to the bit) and the model's result (10). What a blend leaves of the
  noise is in proportion, so that an observer who wants some grain gets exactly as much.
- 10 to 20: a blend of the model's result and a second, smoother one (20). For the second, what the model took away is
  put back eight pixels further, and the model runs again: it sees noise of exactly the level that this image has,
  everywhere, on top of what the first run left, and takes both away together with the faintest detail. Running the
  model on its own result instead changes next to nothing, since it finds no noise there.

It costs a second run of the model, so that strengths over 10 take about twice as long and somewhat more.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Tile = NDArray[np.float32]

MODEL = 10.0
"""The strength at which the result is the model's."""
_SHIFT = 8


def runs(strength: float) -> int:
    """Return how often the model runs at a strength."""
    if strength == 0:
        return 0
    return 1 if strength <= MODEL else 2


def margin(strength: float, reach: int) -> int:
    """Return by how much tiles have to overlap, in pixels, for a model that looks `reach` pixels far."""
    return reach if runs(strength) < 2 else 2 * reach + _SHIFT


def denoise(noisy: Tile, strength: float, model: Callable[[Tile], Tile]) -> Tile:
    """Return a tile denoised as strongly as asked for.

    Args:
        noisy: the tile, on the scale from 0 to 1.
        strength: from 0 to 20.
        model: runs the model on a tile.
    """
    if strength == 0:
        return noisy
    clean = model(noisy)
    if strength <= MODEL:
        return noisy + np.float32(strength / MODEL) * (clean - noisy)
    # Mirrored, as an image's own edges are: a tile at the edge then has there what the whole image would.
    moved = np.pad(noisy - clean, ((_SHIFT, 0), (_SHIFT, 0)), mode="symmetric")[:-_SHIFT, :-_SHIFT]
    smooth = model(clean + moved)
    return clean + np.float32(strength / MODEL - 1) * (smooth - clean)
