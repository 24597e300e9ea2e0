"""A tenant's colour as a stylesheet of its own, readable in the light and in the dark whatever colour it is."""

from functools import lru_cache

from bedesten.core.colour import BLACK, WHITE, mixed, parse, readable, spelt

LIGHT, DARK = parse("#fffefb"), parse("#171510")
"""The paper of `site.css` in both schemes."""
LIGHT_SHADE, DARK_SHADE = 0.08, 0.12
"""How much of the colour is in the ground of what is chosen."""


@lru_cache(1024)
def stylesheet(accent: str) -> bytes:
    """What `site.css` leaves to the tenant, for an accent such as `#85480a`. Raises ValueError."""
    wanted = parse(accent)
    grounds = mixed(wanted, LIGHT, LIGHT_SHADE), mixed(wanted, DARK, DARK_SHADE)
    light = readable(wanted, BLACK, (LIGHT, grounds[0]))
    dark = readable(wanted, WHITE, (DARK, grounds[1]))
    return (
        f":root{{--accent:{spelt(light)};--accent-shade:{spelt(grounds[0])}}}\n"
        f"@media (prefers-color-scheme: dark){{:root{{--accent:{spelt(dark)};--accent-shade:{spelt(grounds[1])}}}}}\n"
    ).encode()
