"""A Markdown page of `docs` as one HTML page that asks for nothing else: no script, no font, no picture.

The same file must read well in a repository viewer. So pages link each other by relative paths to `.md` files; here
those links become the addresses under which the server shows the pages (`address_of`).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from posixpath import join, normpath

from markdown_it import MarkdownIt
from markdown_it.token import Token

AddressOf = Callable[[str], str | None]
"""The address of a page, named by its path below `docs` without `.md`; None for a page that the server does not show."""

_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")
_RENDERER = MarkdownIt("commonmark", {"html": False}).enable("table")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading and the anchor it has, spelt as repository viewers spell it."""

    level: int
    text: str
    anchor: str


def folder() -> Path:
    """Where the Markdown is: inside the installed package, or in the source tree beside it."""
    packaged = Path(str(resources.files("bedesten"))) / "_docs"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "docs"


def read(name: str) -> str | None:
    """The Markdown of a page without its comments (marks of what is generated), or None."""
    source = folder() / f"{name}.md"
    return _COMMENT.sub("", source.read_text("utf-8")) if source.is_file() else None


def render(name: str, text: str, address_of: AddressOf) -> bytes:
    """The page. Raises ValueError for a link to a page that the server does not show: it would lead nowhere."""
    tokens = _RENDERER.parse(text)
    headings = _anchored(tokens)
    for token in _inline(tokens):
        if token.type == "link_open":
            token.attrs["href"] = _href(name, str(token.attrs["href"]), address_of)
    body = _RENDERER.renderer.render(tokens, _RENDERER.options, {})
    body = body.replace("<table>", '<div class="wide" tabindex="0"><table>').replace("</table>", "</table></div>")
    title = next((heading.text for heading in headings if heading.level == 1), name)
    chapters = [heading for heading in headings if heading.level == 2]
    if len(chapters) > 3:
        body = body.replace("<h2 ", _contents(chapters) + "<h2 ", 1)
    return _PAGE.format(title=escape(title), style=_STYLE, body=body).encode()


def _inline(tokens: Sequence[Token]) -> list[Token]:
    return [child for token in tokens for child in token.children or ()]


def _anchored(tokens: Sequence[Token]) -> list[Heading]:
    """Gives every heading its anchor; answers them in order."""
    found = []
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            text = "".join(child.content for child in tokens[at + 1].children or ())
            anchor = _NOT_IN_ANCHORS.sub("", text.lower()).replace(" ", "-")
            token.attrs["id"] = anchor
            found.append(Heading(int(token.tag[1:]), text, anchor))
    return found


def _href(name: str, href: str, address_of: AddressOf) -> str:
    path, hash_sign, anchor = href.partition("#")
    if not path.endswith(".md") or ":" in path:
        return href
    target = normpath(join(name.rpartition("/")[0], path)).removesuffix(".md")
    address = address_of(target)
    if address is None:
        raise ValueError(f"{name} links to {path}, which the server does not show")
    return address + hash_sign + anchor


def _contents(chapters: Sequence[Heading]) -> str:
    items = "".join(f'<li><a href="#{one.anchor}">{escape(one.text)}</a></li>' for one in chapters)
    return f'<nav aria-label="On this page"><h2>On this page</h2><ul>{items}</ul></nav>'


_STYLE = """
:root { color-scheme: light dark; --ink: #1c1a17; --soft: #625b50; --paper: #fdfcf9; --shade: #f3f0e8; --line: #ddd7c9;
  --link: #8a4b08 }
@media (prefers-color-scheme: dark) { :root { --ink: #e9e4d9; --soft: #a79f90; --paper: #17150f; --shade: #221f18;
  --line: #3a352b; --link: #e8a95b } }
* { box-sizing: border-box }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100% }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1.0625rem/1.65 system-ui, sans-serif }
a { color: var(--link); text-underline-offset: .15em; text-decoration-thickness: .06em }
a:hover { text-decoration-thickness: .12em }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 2px }
header { border-bottom: 1px solid var(--line); padding: .75rem 1.25rem; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem;
  font-size: .9375rem }
header strong { margin-right: auto; font-weight: 600 }
main { max-width: 48.5rem; margin: 0 auto; padding: 0 1.25rem 4rem; overflow-wrap: break-word }
h1 { font-size: clamp(1.6rem, 1.2rem + 2vw, 2.15rem); line-height: 1.2; letter-spacing: -.015em; margin: 2rem 0 1rem }
h2 { font-size: 1.4rem; line-height: 1.3; margin: 2.75rem 0 .75rem; padding-top: .75rem; border-top: 1px solid var(--line) }
h3 { font-size: 1.1rem; line-height: 1.4; margin: 1.75rem 0 .5rem }
li { margin: .3rem 0 }
code { font: .875em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: var(--shade);
  padding: .1em .3em; border-radius: 4px }
pre { background: var(--shade); border: 1px solid var(--line); border-radius: 8px; padding: .85rem 1rem; overflow-x: auto;
  line-height: 1.4 }
pre code { background: none; padding: 0 }
.wide { overflow-x: auto; margin: 1rem 0 }
table { border-collapse: collapse; width: 100%; min-width: 34rem; font-size: .9375rem; line-height: 1.5 }
th, td { text-align: left; vertical-align: top; padding: .45rem .9rem .45rem 0; border-bottom: 1px solid var(--line) }
th { font-weight: 600; color: var(--soft); white-space: nowrap }
td:first-child a { white-space: nowrap }
nav { margin: 1.5rem 0; padding: 1rem; border: 1px solid var(--line); border-radius: 8px }
nav h2 { font-size: .8125rem; margin: 0 0 .5rem; padding: 0; border: 0; color: var(--soft); font-weight: 600 }
nav ul { list-style: none; margin: 0; padding: 0; font-size: .9375rem; line-height: 1.4 }
nav li { margin: .4rem 0 }
nav a { text-decoration: none }
@media (min-width: 70rem) {
  main { margin-left: calc(50vw - 33.5rem) }
  nav { float: right; width: 15rem; margin: 0 -19rem 0 0; padding: 0 0 0 1.25rem; border-width: 0 0 0 1px;
    border-radius: 0; position: sticky; top: 2rem }
}
@media print { header, nav { display: none } body { background: none; color: #000 } }
"""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head>
<body><header><strong>Documentation</strong><a href="/documentation/guides/authentication">Authentication</a>
<a href="/documentation/guides/errors">Errors</a></header>
<main>
{body}</main></body></html>
"""
