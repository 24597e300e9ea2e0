"""A Markdown page of `docs` as the article of a page of the site.

Repository viewers show the same files, so pages link each other by relative paths to `.md` files. Here those links become
the addresses under which the server shows the pages (`address_of`). Content about surfaces that a tenant lacks is omitted:
table rows that begin with the surface's name, links to its page, and the text between the comments
`<!-- only: payment supplier -->` and `<!-- end of only -->` if the tenant has none of the named surfaces.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from posixpath import join as joined
from posixpath import normpath

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

AddressOf = Callable[[str], str | None]
"""Returns the address of a page from its path below `docs` without `.md`; None for a page that is not on the site."""

_ONLY = re.compile(r"<!-- only: (?P<surfaces>[a-z ]+) -->\n(?P<text>.*?)<!-- end of only -->\n", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_LINK = re.compile(r"\[(?P<label>[^\[\]]+)\]\((?P<href>[^()\s]+)\)")
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")
_RENDERER = MarkdownIt("commonmark", {"html": False}).enable("table")
_FRAMES = (
    (
        re.compile(r'<pre><code(?: class="language-(\w+)")?>'),
        r'<div class="code" data-language="\1"><pre tabindex="0" role="region" aria-label="Code"><code>',
    ),
    (re.compile(r"</code></pre>"), "</code></pre></div>"),
    (re.compile(r"<table "), '<div class="wide"><table '),
    (re.compile(r"</table>"), "</table></div>"),
)
"""Wide content gets a frame that scrolls, which the keyboard can reach."""
_ROLES = {"table_open": "table", "tr_open": "row", "th_open": "columnheader", "td_open": "cell"}


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading and its anchor, in the spelling of repository viewers."""

    level: int
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Article:
    """The content of a page: its title, its HTML, and its chapters (second-level headings)."""

    title: str
    body: Markup
    chapters: tuple[Heading, ...]


def folder() -> Path:
    """The folder of the Markdown files: in the installed package, or in the source tree."""
    packaged = Path(str(resources.files("bedesten"))) / "_docs"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "docs"


def read(name: str, hidden: Collection[str] = ()) -> str | None:
    """The Markdown of a page, without comments and without parts about hidden surfaces only; None if there is no file."""
    source = folder() / f"{name}.md"
    if not source.is_file():
        return None

    def kept(match: re.Match[str]) -> str:
        return "" if set(match["surfaces"].split()) <= set(hidden) else match["text"]

    return _COMMENT.sub("", _ONLY.sub(kept, source.read_text("utf-8")))


def with_site_links(name: str, text: str, address_of: AddressOf) -> str:
    """The Markdown with the site's addresses in its links. Links to pages that are not on the site become text."""

    def led(match: re.Match[str]) -> str:
        href = _href(name, match["href"], address_of)
        return match["label"] if href is None else f"[{match['label']}]({href})"

    return _LINK.sub(led, text)


def render(name: str, text: str, address_of: AddressOf, hidden: Collection[str] = ()) -> Article:
    """The article. Links to pages that are not on the site become text."""
    tokens = _without_rows(_RENDERER.parse(text), hidden)
    headings = _anchored(tokens)
    title = next((heading.text for heading in headings if heading.level == 1), name)
    body = _html(name, tokens, address_of)
    return Article(title, body, tuple(heading for heading in headings if heading.level == 2))


def fragment(name: str, text: str, address_of: AddressOf) -> Markup:
    """Part of a page as HTML."""
    return _html(name, _RENDERER.parse(text), address_of)


def line(name: str, text: str, address_of: AddressOf) -> Markup:
    """One line as HTML, without a paragraph around it."""
    return _html(name, _RENDERER.parseInline(text), address_of)


def anchors(text: str) -> frozenset[str]:
    """The anchors of a page's headings."""
    return frozenset(heading.anchor for heading in _anchored(_RENDERER.parse(text)))


def anchor_of(heading: str) -> str:
    """The anchor of a heading."""
    return _NOT_IN_ANCHORS.sub("", heading.lower()).replace(" ", "-")


def _html(name: str, tokens: Sequence[Token], address_of: AddressOf) -> Markup:
    for token in tokens:
        _lead(name, token.children or [], address_of)
    _stack(tokens)
    body = str(_RENDERER.renderer.render(tokens, _RENDERER.options, {}))
    for pattern, frame in _FRAMES:
        body = pattern.sub(frame, body)
    return Markup(body)  # noqa: S704 the renderer escapes all text and takes no HTML


def _stack(tokens: Sequence[Token]) -> None:
    """Prepares tables for narrow screens, where cells are stacked: each cell names its column, and a row that continues the
    row before it names their group.

    The roles keep a table a table for screen readers, whatever the stylesheet does.
    """
    columns: list[str] = []
    column = 0
    group = ""
    for at, token in enumerate(tokens):
        if token.type not in _ROLES:
            continue
        token.attrs["role"] = _ROLES[token.type]
        if token.type == "table_open":
            token.attrs["class"] = "stack"
            columns, group = [], ""
        elif token.type == "tr_open":
            column = 0
        elif token.type == "th_open":
            token.attrs["scope"] = "col"
            columns.append(_text(tokens[at + 1]))
        else:
            if column and len(columns) > 2:
                token.attrs["data-label"] = columns[column]
            elif not column:
                name = _text(tokens[at + 1])
                if group and not name:
                    token.attrs["data-group"] = group
                group = name or group
            column += 1


def _text(token: Token) -> str:
    return "".join(child.content for child in token.children or ())


def _without_rows(tokens: Sequence[Token], hidden: Collection[str]) -> list[Token]:
    """The tokens without table rows that begin with a hidden surface's name, and without their continuation rows."""
    kept: list[Token] = []
    dropping = inside = False
    for at, token in enumerate(tokens):
        if token.type == "tr_open":
            first = _text(tokens[at + 2]).lower()
            dropping = first in hidden or (dropping and not first)
            inside = dropping
        if not inside:
            kept.append(token)
        if token.type == "tr_close":
            inside = False
        elif token.type == "table_close":
            dropping = False
    return kept


def _anchored(tokens: Sequence[Token]) -> list[Heading]:
    """Gives every heading its anchor, and returns the headings in order."""
    found = []
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            text = _text(tokens[at + 1])
            token.attrs["id"] = anchor_of(text)
            found.append(Heading(int(token.tag[1:]), text, anchor_of(text)))
    return found


def _lead(name: str, inline: Sequence[Token], address_of: AddressOf) -> None:
    """Gives every link its address on the site. Links to pages that are not on the site become text."""
    unlinked = False
    for token in inline:
        if token.type == "link_open":
            href = _href(name, str(token.attrs["href"]), address_of)
            unlinked = href is None
            token.attrs["href"] = href or ""
        if unlinked and token.type in ("link_open", "link_close"):
            unlinked = token.type == "link_open"
            token.type, token.tag, token.content = "text", "", ""


def _href(name: str, href: str, address_of: AddressOf) -> str | None:
    path, hash_sign, anchor = href.partition("#")
    if not path.endswith(".md") or ":" in path:
        return href
    address = address_of(normpath(joined(name.rpartition("/")[0], path)).removesuffix(".md"))
    return None if address is None else address + hash_sign + anchor
