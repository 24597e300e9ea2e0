"""A tenant's accent colour as a stylesheet, readable in light and dark mode whatever the colour."""

from functools import lru_cache

from bedesten.core.colour import BLACK, WHITE, mix, parse, to_hex, with_contrast

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
    grounds = mix(wanted, LIGHT, LIGHT_SHADE), mix(wanted, DARK, DARK_SHADE)
    light = with_contrast(wanted, BLACK, (LIGHT, grounds[0]))
    dark = with_contrast(wanted, WHITE, (DARK, grounds[1]))
    return (
        f":root{{--accent:{to_hex(light)};--accent-shade:{to_hex(grounds[0])}}}\n"
        f"@media (prefers-color-scheme: dark){{:root{{--accent:{to_hex(dark)};--accent-shade:{to_hex(grounds[1])}}}}}\n"
    ).encode()
