"""What a browser is shown where a page is not: whichever one may have been meant, and the whole menu."""

from difflib import get_close_matches

from bedesten.apidocs.markdown import Article
from bedesten.apidocs.site.layout import ERROR_PAGES, HOME, MenuItem, Site, menu_groups
from bedesten.apidocs.site.markup import code, el, join, link

_LONGEST = 40
_MOST = 3


def suggestions(site: Site, path: str) -> tuple[MenuItem, ...]:
    """The pages that may have been meant by a path below `/documentation`, the likeliest first; often none."""
    name = path.lower().rstrip("/").rpartition("/")[2].removesuffix(".html").removesuffix(".md")
    pages = {entry.address.rpartition("/")[2]: entry for group in menu_groups(site) for entry in group.entries}
    numbers = {entry.address.rpartition("/")[2]: entry for entry in ERROR_PAGES}
    exact = pages.get(name) or numbers.get(name) or numbers.get(f"-{name}")
    if exact is not None:
        return (exact,)
    if len(name) > _LONGEST:
        return ()
    return tuple(pages[one] for one in get_close_matches(name, pages, _MOST, 0.7))


def article(found: tuple[MenuItem, ...]) -> Article:
    """The page. Nothing of what was asked for is repeated on it."""
    body = join(
        [
            el("h1", "There is no such page"),
            el("p", "The address may be mistyped, or what it leads to is not offered here.", class_="lead"),
            [
                el("p", "Did you mean this?"),
                el("ul", [el("li", link(one.address, one.title), " ", code(one.address)) for one in found]),
            ]
            if found
            else None,
            el("p", "The ", link(f"{HOME}/index", "index"), " has every operation, field, number and chapter; the ",
               link(HOME, "overview"), " says where to begin."),
            el("p", "HTTP 404, ", link(f"{HOME}/errors/-3", "-3 not-found"), ". Programs get it as JSON.", class_="soft"),
        ]
    )  # fmt: skip
    return Article("There is no such page", body, ())
