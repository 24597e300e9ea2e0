"""Markdown as an article of the site: links, tables, omitted rows, and markup that is never interpreted."""

import re

from bedesten.apidocs import markdown
from bedesten.apidocs.site.guides import PAGES
from tests.support.html_outline import Outline

HOME = "/documentation"


def test_tables_name_the_column_of_each_cell_on_narrow_screens() -> None:
    text = "| a | b | c |\n|---|---|---|\n| 1 | 2 | 3 |\n\n| d | e |\n|---|---|\n| 4 | 5 |\n"
    cells = Outline(markdown.fragment("guides/x", text, PAGES.get)).of("td")
    assert [attributes.get("data-label") for _, attributes in cells] == [None, "b", "c", None, None]
    assert {attributes.get("role") for _, attributes in cells} == {"cell"}


def test_markup_in_the_markdown_is_shown_and_never_interpreted() -> None:
    text = (
        "# A & B <b>\n\n<script>alert(1)</script>\n\n`<token>` [x](javascript:alert(1)) ![y](https://y.example/z.png)\n"
    )
    article = markdown.render("guides/x", text, PAGES.get)

    assert article.title == "A & B <b>"
    assert "<script" not in article.body
    assert "&lt;script&gt;" in article.body
    assert "<code>&lt;token&gt;</code>" in article.body
    assert 'href="javascript' not in article.body


def test_a_link_to_a_hidden_page_becomes_text() -> None:
    article = markdown.render(
        "guides/x", "[there *now*](../explanation/revision-check.md) [here](errors.md#a)", PAGES.get
    )
    assert article.body == f'<p>there <em>now</em> <a href="{HOME}/guides/errors#a">here</a></p>\n'
    kept = markdown.render("guides/x", "[rfc](https://www.rfc-editor.org/rfc/rfc9457) [in](#here)", PAGES.get)
    assert {"https://www.rfc-editor.org/rfc/rfc9457", "#here"} <= set(Outline(kept.body).hrefs)


def test_a_row_that_continues_another_has_the_name_of_their_group() -> None:
    text = "| surface | scope |\n|---|---|\n| Supplier | a |\n| | b |\n| Reseller | c |\n| | d |\n"
    again = "\n| x | y |\n|---|---|\n| | z |\n"
    cells = Outline(markdown.fragment("guides/x", text + again, PAGES.get)).of("td")
    groups = [attributes.get("data-group") for _, attributes in cells][::2]
    assert groups == [None, "Supplier", None, "Reseller", None]


def test_rows_of_a_hidden_surface_are_left_out_with_those_that_continue_them() -> None:
    text = "| surface | scope |\n|---|---|\n| Supplier | a |\n| | b |\n| Reseller | c |\n| | d |\n"
    article = markdown.render("guides/x", text, PAGES.get, {"supplier"})
    assert re.findall(r"<td[^>]*>(\w?)</td>", article.body) == ["c", "", "d"]
