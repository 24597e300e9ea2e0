"""HTML that cannot be forgotten to be escaped: text is escaped unless it is `Markup` already."""

from collections.abc import Iterable, Sequence
from html import escape

_VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})


class Markup(str):
    """Text that is HTML: it came from here, from a template of ours, or from the Markdown renderer."""

    __slots__ = ()


Child = str | Markup | None | Iterable["Child"]


def join(children: Child) -> Markup:
    """The children one after the other; plain text is escaped, None is nothing."""
    if children is None:
        return Markup()
    if isinstance(children, Markup):
        return children
    if isinstance(children, str):
        return Markup(escape(children))
    return Markup("".join(map(join, children)))


def el(tag: str, *children: Child, **attributes: str | bool | None) -> Markup:
    """An element. `class_` is spelt so for Python's sake, `_` in names becomes `-`; True is an attribute without value,
    False and None none at all."""
    written = "".join(
        f" {name.strip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(value)}"')
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    if tag in _VOID:
        return Markup(f"<{tag}{written}>")
    return Markup(f"<{tag}{written}>{join(children)}</{tag}>")


def link(href: str, *children: Child, **attributes: str | bool | None) -> Markup:
    """A link."""
    return el("a", *children, href=href, **attributes)


def code(text: str) -> Markup:
    """Code within a line."""
    return el("code", text)


def block(text: str, label: str) -> Markup:
    """Code that stands for itself. It scrolls sideways, so the keyboard must be able to reach it."""
    return el("div", el("pre", el("code", text), tabindex="0", role="region", aria_label=label), class_="code")


def table(head: Sequence[str], rows: Iterable[Iterable[Child]], label: str) -> Markup:
    """A table. On a narrow screen its cells stand below each other; the roles keep it a table for those who hear it."""
    labels = ["", *head[1:]] if len(head) > 2 else [""] * len(head)
    return el(
        "div",
        el(
            "table",
            el("thead", el("tr", [el("th", cell, scope="col", role="columnheader") for cell in head], role="row")),
            el(
                "tbody",
                [el("tr", [_cell(cell, of) for cell, of in zip(row, labels, strict=True)], role="row") for row in rows],
            ),
            class_="stack",
            role="table",
            aria_label=label,
        ),
        class_="wide",
    )


def _cell(cell: Child, label: str) -> Markup:
    return el("td", cell, role="cell", data_label=label or None)
