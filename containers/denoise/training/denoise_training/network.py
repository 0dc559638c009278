"""The networks: a U-Net of residual blocks that takes a noisy image and returns it clean, told nothing of its noise.

It works on a half of the resolution and below, where a convolution costs a quarter.
It has no biases, so that scaling an image scales the result alike, and what was learnt at one level of noise serves
others (Mohan and others, "Robust and interpretable blind image denoising via bias-free convolutional neural networks",
2020).
"""

import torch
from torch import Tensor, nn

from .architectures import Architecture

_MIRRORED = ((), (2, 3), (2,), (3,))
"""Axes about which a view is mirrored: rows, columns, both."""


class Residual(nn.Module):
    """Adds what two convolutions make of the input to it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(self.first.weight)
        # Near nothing at first, so that gradients reach every block alike.
        nn.init.normal_(self.second.weight, std=0.01)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape."""
        return features + self.second(torch.relu(self.first(features)))


class Denoiser(nn.Module):
    """Denoises images [N, 1, rows, columns], float32; rows and columns are multiples of `MULTIPLE`."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()

        def blocks(level: int) -> nn.Sequential:
            return nn.Sequential(*(Residual(architecture.channels[level]) for _ in range(architecture.blocks[level])))

        half, quarter, eighth = architecture.channels
        self.head = nn.Conv2d(1, half, 6, stride=2, padding=2, bias=False)
        self.down_half, self.down_quarter = blocks(0), blocks(1)
        self.to_quarter = nn.Conv2d(half, quarter, 2, stride=2, bias=False)
        self.to_eighth = nn.Conv2d(quarter, eighth, 2, stride=2, bias=False)
        self.middle = blocks(2)
        self.from_eighth = nn.ConvTranspose2d(eighth, quarter, 2, stride=2, bias=False)
        self.from_quarter = nn.ConvTranspose2d(quarter, half, 2, stride=2, bias=False)
        self.up_quarter, self.up_half = blocks(1), blocks(0)
        self.tail = nn.Sequential(nn.Conv2d(half, 4, 3, padding=1, bias=False), nn.PixelShuffle(2))

    def forward(self, noisy: Tensor) -> Tensor:
        """Return the clean image: the input less the noise that was found in it."""
        half: Tensor = self.down_half(self.head(noisy))
        quarter: Tensor = self.down_quarter(self.to_quarter(half))
        eighth = self.middle(self.to_eighth(quarter))
        quarter = self.up_quarter(quarter + self.from_eighth(eighth))
        half = self.up_half(half + self.from_quarter(quarter))
        noise: Tensor = self.tail(half)
        return noisy - noise.float()


class Averaged(nn.Module):
    """Averages what a network makes of several views of an image, one after the other: memory stays that of one."""

    def __init__(self, network: nn.Module, views: int) -> None:
        super().__init__()
        self.network = network
        self.views = [(turned, mirrored) for mirrored in _MIRRORED for turned in (False, True)][:views]

    def forward(self, noisy: Tensor) -> Tensor:
        """Return the clean image, as `Denoiser` does."""
        cleaned = [self._seen(noisy, turned, mirrored) for turned, mirrored in self.views]
        return torch.stack(cleaned).mean(dim=0)

    def _seen(self, noisy: Tensor, turned: bool, mirrored: tuple[int, ...]) -> Tensor:
        image = noisy.flip(mirrored) if mirrored else noisy
        clean: Tensor = self.network(image.transpose(2, 3)).transpose(2, 3) if turned else self.network(image)
        return clean.flip(mirrored) if mirrored else clean


def parameters(network: nn.Module) -> int:
    """Return how many numbers a network learns."""
    return sum(weight.numel() for weight in network.parameters())
