"""The class of each pixel of an image, made of things that are checked."""

import numpy as np


def class_map(split):
    """Draws the class of each pixel of the images of a split.

    Args:
        split: `Split` that `require_things` accepts.

    Returns:
        uint8 array of shape `(N, H, W)`: 0 where there is background, 1 + kind where
        there is a thing; where masks overlap, the later thing lies in front.
    """
    maps = np.zeros(split.images.shape[:3], np.uint8)
    classes = (1 + split.kinds).astype(np.uint8)
    for masks, numbers in zip(np.moveaxis(split.masks, 1, 0), classes.T, strict=True):
        np.copyto(maps, numbers[:, None, None], where=masks)
    return maps


def require_things(split, name, num_kinds):
    """Refuses a split that does not say rightly what is where in its images.

    An image without things is right, and so is one with fewer than others.

    Args:
        split: `Split`.
        name: String, what the refusal calls its images: `"training"`, ...
        num_kinds: Integer, how many kinds of things there are, at most 255.

    Raises:
        ValueError: When masks, boxes or kinds are missing; when their numbers or the
            size of the masks do not fit the images; when a kind is out of range; when
            the box of a thing has no area or reaches out of the image; when a thing
            that is not there has a mask or a box. It names the first such thing.
    """
    count, height, width = split.images.shape[:3]
    missing = [x for x in ("masks", "boxes", "kinds") if getattr(split, x) is None]
    if missing:
        raise ValueError(
            f"The {name} images must come with masks, boxes and kinds of their things. "
            f"Received: no {' and no '.join(missing)}."
        )
    things = split.kinds.shape[-1]
    for part, *shape in (("kinds",), ("boxes", 4), ("masks", height, width)):
        wanted, found = (count, things, *shape), getattr(split, part).shape
        if found != wanted:
            raise ValueError(
                f"The {part} of the {name} images must have the shape {wanted}, to fit "
                f"{count} images of {height} x {width} pixels. Received: {found}."
            )
    _require_each(split, name, num_kinds)


def _require_each(split, name, num_kinds):
    """Raises a ValueError unless each thing keeps the rules by itself."""
    top, left, bottom, right = np.moveaxis(split.boxes, -1, 0)  # (N, T)
    height, width = split.images.shape[1:3]
    there, pixels = split.kinds >= 0, split.masks.sum(axis=(2, 3))
    known = (split.kinds >= -1) & (split.kinds < num_kinds)
    inside = (0 <= top) & (top < bottom) & (bottom <= height)
    inside &= (0 <= left) & (left < right) & (right <= width)
    boxed = np.where(there, inside, ~split.boxes.any(axis=-1))
    area = f"an area inside the {height} x {width} pixels of its image"
    for keeps, shown, rule in (
        (known, split.kinds, f"a kind from 0 to {num_kinds - 1}, or -1 for none"),
        (boxed, split.boxes, f"a box with {area}, or of zeros where its kind is -1"),
        (there | (pixels == 0), pixels, "no pixels in its mask where its kind is -1"),
    ):
        if not keeps.all():
            image, thing = np.argwhere(~keeps)[0]
            raise ValueError(
                f"Each thing in the {name} images must have {rule}. Received: "
                f"{shown[image, thing].tolist()} for thing {thing} in image {image}."
            )
