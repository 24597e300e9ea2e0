"""A tenant's accent colour as a stylesheet, readable in light and dark mode whatever the colour."""

from functools import lru_cache

from bedesten.core.colour import BLACK, WHITE, mixed, parse, readable, spelt

LIGHT, DARK = parse("#fffefb"), parse("#171510")
"""The backgrounds of `site.css` in light and dark mode."""
LIGHT_SHADE, DARK_SHADE = 0.08, 0.12
"""The share of the accent in the background of a selected item."""


def file_name(accent: str) -> str:
    """The name of an accent's stylesheet. It contains the colour, so that a new colour shows at once."""
    return f"brand.{accent.removeprefix('#')}.css"


@lru_cache(1024)
def stylesheet(accent: str) -> bytes:
    """The rules that `site.css` leaves to the tenant, for an accent such as `#85480a`. Raises ValueError."""
    wanted = parse(accent)
    grounds = mixed(wanted, LIGHT, LIGHT_SHADE), mixed(wanted, DARK, DARK_SHADE)
    light = readable(wanted, BLACK, (LIGHT, grounds[0]))
    dark = readable(wanted, WHITE, (DARK, grounds[1]))
    return (
        f":root{{--accent:{spelt(light)};--accent-shade:{spelt(grounds[0])}}}\n"
        f"@media (prefers-color-scheme: dark){{:root{{--accent:{spelt(dark)};--accent-shade:{spelt(grounds[1])}}}}}\n"
    ).encode()
