"""sRGB colours, and whether text in one is legible on another (WCAG 2.2, sections 1.4.3 and "relative luminance")."""

import re

Colour = tuple[int, int, int]
MIN_CONTRAST = 4.5
"""The minimum contrast of text with its background."""
BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)

_HEX = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")


def parse(text: str) -> Colour:
    """Reads a colour such as `#85480a`. Raises ValueError."""
    match = _HEX.fullmatch(text)
    if match is None:
        raise ValueError("a colour is written #rrggbb")
    red, green, blue = (int(part, 16) for part in match.groups())
    return red, green, blue


def to_hex(colour: Colour) -> str:
    """Returns the colour in the form `#85480a`, in lower case."""
    return "#" + bytes(colour).hex()


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Mixes two colours; `share` is the part of the first, from 0 to 1."""
    red, green, blue = (round(a * share + b * (1 - share)) for a, b in zip(one, other, strict=True))
    return red, green, blue


def contrast(one: Colour, other: Colour) -> float:
    """Returns the contrast ratio of two colours, from 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def with_contrast(colour: Colour, towards: Colour, on: tuple[Colour, ...]) -> Colour:
    """Returns the colour, moved as little as necessary towards another until it is legible on every background."""
    for step in range(101):
        moved = mix(towards, colour, step / 100)
        if all(contrast(moved, ground) >= MIN_CONTRAST for ground in on):
            return moved
    return towards


def _luminance(colour: Colour) -> float:
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
