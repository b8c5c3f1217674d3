"""Random changes of images (B, C, H, W), each image its own; all that is random is drawn on the CPU by a generator."""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor
from torchvision.transforms.v2 import functional as colours


def turned(images: Tensor, degrees: float, generator: Generator, *, flip: bool) -> Tensor:
    """Rotated about their centres by up to `degrees` either way and, with `flip`, mirrored half the time.

    The nearest pixel counts, as by torchvision's default; what comes from outside is 0.
    """
    B, _, H, W = images.shape
    angle = (2 * torch.rand(B, generator=generator) - 1) * torch.pi * degrees / 180
    side = torch.randint(0, 2, (B,), generator=generator) * 2.0 - 1 if flip else torch.ones(B)
    zero = torch.zeros(B)
    rows = [side * angle.cos(), -angle.sin() * H / W, zero, side * angle.sin() * W / H, angle.cos(), zero]
    affine = torch.stack(rows, 1).view(B, 2, 3).to(images.device, non_blocking=True)
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="nearest", padding_mode="zeros", align_corners=False)


def cropped(images: Tensor, size: int, generator: Generator | None = None) -> Tensor:
    """Squares of `size`: anywhere in the images, or without a generator from their middles."""
    H, W = images.shape[-2:]
    if generator is None:
        top, left = (H - size) // 2, (W - size) // 2
        return images[..., top : top + size, left : left + size]
    tops = torch.randint(0, H - size + 1, (len(images),), generator=generator).tolist()
    lefts = torch.randint(0, W - size + 1, (len(images),), generator=generator).tolist()
    places = zip(images, tops, lefts, strict=True)
    return torch.stack([image[..., t : t + size, l : l + size] for image, t, l in places])


def jittered(images: Tensor, by: float, generator: Generator) -> Tensor:
    """RGB in [0, 1]: brightness, contrast and saturation times 1 ± `by` and hue ± `by` turns, in random order."""

    def one(image: Tensor) -> Tensor:
        *factors, hue = (by * (2 * torch.rand(4, generator=generator) - 1)).tolist()
        for change in torch.randperm(4, generator=generator).tolist():
            if change == 3:
                image = colours.adjust_hue(image, hue)
            else:
                adjust = (colours.adjust_brightness, colours.adjust_contrast, colours.adjust_saturation)[change]
                image = adjust(image, 1 + factors[change])
        return image

    return torch.stack([one(image) for image in images])
