"""The page for a browser in place of -3: the menu, and the pages that the address may have meant."""

from difflib import get_close_matches
from functools import lru_cache

from bedesten.apidocs.markdown import Article
from bedesten.apidocs.site import layout
from bedesten.apidocs.site.layout import ERROR_PAGES, MenuItem, Site, menu_groups
from bedesten.apidocs.templating import render

_MAX_NAME_LENGTH = 40
_MAX_SUGGESTIONS = 3
_MIN_SIMILARITY = 0.7


def suggestions(site: Site, path: str) -> tuple[MenuItem, ...]:
    """The pages that a path may have meant, the likeliest first; often none."""
    name = path.lower().rstrip("/").rpartition("/")[2].removesuffix(".html").removesuffix(".md")
    pages = {item.address.rpartition("/")[2]: item for group in menu_groups(site.surfaces) for item in group.pages}
    errors = {item.address.rpartition("/")[2]: item for item in ERROR_PAGES}
    exact = pages.get(name) or errors.get(name) or errors.get(f"-{name}")
    if exact is not None:
        return (exact,)
    if len(name) > _MAX_NAME_LENGTH:
        return ()
    return tuple(pages[one] for one in get_close_matches(name, pages, _MAX_SUGGESTIONS, _MIN_SIMILARITY))


@lru_cache(256)
def page(site: Site, suggested: tuple[MenuItem, ...]) -> bytes:
    """The whole page. It repeats nothing of what was asked for."""
    article = Article("There is no such page", render("not_found.html", suggestions=suggested), ())
    return layout.page(site, "", article)
