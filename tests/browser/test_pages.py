"""Every page in a real browser: nothing breaks, nothing is fetched from other hosts, and the pages are accessible."""

import re

import pytest

from bedesten.apidocs.site.guides import PAGES
from bedesten.gate.scopes import Surface
from tests.browser.conftest import Pages
from tests.support.chromium import Window
from tests.support.sites import Site

pytestmark = pytest.mark.external

HOME = "/documentation"
SURFACES = [f"{HOME}/surfaces/{surface}" for surface in Surface]
ALL_PAGES = [HOME, f"{HOME}/index", f"{HOME}/downloads", *SURFACES, *PAGES.values()]
SOME = [HOME, f"{HOME}/surfaces/reseller", f"{HOME}/guides/authentication", f"{HOME}/errors/-23", f"{HOME}/index"]

CONTRAST = """
const channel = (value) => { value /= 255; return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; };
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
const ground = (element) => {
  for (; element; element = element.parentElement) {
    const colour = numbers(getComputedStyle(element).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const poor = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let seen = 0;
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.textContent.trim() || !element.checkVisibility()) continue;
  seen += 1;
  const [a, b] = [light(numbers(getComputedStyle(element).color)), light(ground(element))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${element.outerHTML.slice(0, 200)}`);
}
return [seen, poor];
"""
"""Relative luminance and contrast of all text that is shown (WCAG 2.2, 1.4.3)."""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("kind", ["sandbox", "live"])
def test_every_page_loads_without_errors_from_its_own_host_and_fits_the_window(
    browser: Window, sandbox: Pages, live: Pages, kind: str, width: int, dark: bool
) -> None:
    pages = sandbox if kind == "sandbox" else live
    browser.look(width=width, height=780, dark=dark)
    for address in ALL_PAGES if dark else [*SOME, *SURFACES]:
        browser.open(pages.url + address)
        for opened in (False, True):
            if opened:
                browser.run("for (const one of document.querySelectorAll('main details')) one.open = true")
            wide = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{address} is {wide} pixels wider than the window, {opened=}"
        assert browser.console() == [], address
        asked = browser.requested()
        assert f"{pages.url}{address}" in asked
        assert [url for url in asked if not url.startswith((f"{pages.url}/", "data:,"))] == []
        assert browser.run("return document.title").endswith(f" · {kind.title()} & Sons")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_all_text_contrasts_with_its_background(browser: Window, sandbox: Pages, width: int, dark: bool) -> None:
    browser.look(width=width, dark=dark)
    for address in [*SOME, *SURFACES, f"{HOME}/downloads", f"{HOME}/guides/limits"]:
        browser.open(sandbox.url + address)
        browser.run("for (const one of document.querySelectorAll('details')) one.open = true")
        seen, poor = browser.run(CONTRAST)
        assert seen > 20
        assert poor == [], address


def test_every_link_of_every_page_works(browser: Window, sandbox: Pages, site: Site) -> None:
    found: set[str] = set()
    for address in ALL_PAGES:
        browser.open(sandbox.url + address)
        found.update(browser.run("return [...document.links].map((link) => link.href)"))
    own = {re.sub("#.*", "", url) for url in found if url.startswith(sandbox.url)}
    assert {f"{sandbox.url}{address}" for address in ALL_PAGES} <= own
    client = site.client(sandbox.host)
    assert {url for url in own if client.get(url.removeprefix(sandbox.url)).status != 200} == set()
    client.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_without_scripts_every_page_is_readable_and_has_no_dead_controls(
    browser: Window, sandbox: Pages, width: int
) -> None:
    browser.look(width=width, scripts=False)
    for address in [*SOME, *SURFACES]:
        browser.open(sandbox.url + address)
        main = browser.driver.find_element("css selector", "main").text
        assert len(main) > 300, address
        for hidden in (".copy", ".try", ".key", ".filter"):
            shown = [one for one in browser.driver.find_elements("css selector", hidden) if one.is_displayed()]
            assert shown == [], f"{hidden} on {address}"
    if width == 360:
        summary = browser.driver.find_element("css selector", ".menu summary")
        summary.click()
        link = browser.driver.find_element("css selector", f'.menu a[href="{HOME}/guides/limits"]')
        assert link.is_displayed()
        link.click()
        assert browser.driver.current_url == f"{sandbox.home}/guides/limits"


def test_the_menu_is_collapsed_on_a_phone_and_beside_the_text_on_a_desktop(browser: Window, live: Pages) -> None:
    def shown(selector: str) -> bool:
        return bool(browser.driver.find_element("css selector", selector).is_displayed())

    browser.look(width=360)
    browser.open(f"{live.home}/guides/authentication")
    assert (shown(".menu summary"), shown(".menu nav"), shown(".side"), shown(".chapters")) == (
        True,
        False,
        False,
        False,
    )
    browser.look(width=1280)
    assert (shown(".menu summary"), shown(".side"), shown(".chapters"), shown(".inpage")) == (False, True, True, False)


def test_the_keyboard_skips_to_the_text_and_the_focus_is_visible(browser: Window, live: Pages) -> None:
    keys = "\ue004", "\ue007", "\ue00c"  # tab, enter, escape
    browser.open(live.home)
    body = browser.driver.switch_to.active_element
    body.send_keys(keys[0])
    focused = browser.driver.switch_to.active_element
    assert focused.text == "Skip to the content"
    assert focused.rect["x"] >= 0, "it comes into sight with the focus"
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    focused.send_keys(keys[1])
    assert browser.run("return location.hash") == "#content"
    assert browser.run("return document.activeElement.id") == "content"

    browser.look(width=360)
    browser.open(live.home)
    summary = browser.driver.find_element("css selector", ".menu summary")
    summary.send_keys(keys[1])
    assert browser.run("return document.querySelector('.menu').open") is True
    browser.driver.find_element("css selector", ".menu nav a").send_keys(keys[2])
    assert browser.run("return [document.querySelector('.menu').open, document.activeElement.tagName]") == [
        False,
        "SUMMARY",
    ]


def test_a_block_of_code_is_copied_completely(browser: Window, live: Pages) -> None:
    browser.grant(live.url, "clipboardReadWrite", "clipboardSanitizedWrite")
    browser.open(f"{live.home}/surfaces/reseller")
    code = browser.run("return document.querySelector('.code code').textContent")
    browser.run("document.querySelector('.copy').click()")
    assert browser.wait("document.querySelector('.copy').textContent === 'Copied'")
    read = "const done = arguments[0]; navigator.clipboard.readText().then(done, (problem) => done(String(problem)))"
    assert browser.driver.execute_async_script(read) == code


COVERED = """
return [...document.querySelectorAll('.copy')].filter((button) => {
  const [a, b] = [button, button.parentElement.querySelector('code')].map((one) => one.getBoundingClientRect());
  const frame = button.parentElement.querySelector('pre').getBoundingClientRect();
  const [left, right] = [Math.max(b.left, frame.left), Math.min(b.right, frame.right)];
  return a.width && a.left < right && a.right > left && a.top < b.bottom && a.bottom > b.top;
}).map((button) => button.parentElement.textContent);
"""
"""The blocks whose button covers visible code."""
BANDS = """
return [...document.querySelectorAll('.code pre')].map((pre) => getComputedStyle(pre))
  .filter((style) => style.paddingTop !== style.paddingBottom).length;
"""


def test_on_a_phone_a_copy_button_has_its_own_space_and_without_one_there_is_none(
    browser: Window, sandbox: Pages
) -> None:
    browser.look(width=360, height=740)
    for address in (HOME, f"{HOME}/guides/getting-started", f"{HOME}/guides/python-client"):
        browser.open(sandbox.url + address)
        assert browser.run("return document.querySelectorAll('.copy').length") > 0
        assert browser.run(COVERED) == [], address
    browser.look(width=360, height=740, scripts=False)
    for address in (HOME, f"{HOME}/guides/getting-started"):
        browser.open(sandbox.url + address)
        assert browser.run(BANDS) == 0, address


def test_the_current_chapter_is_marked_beside_a_long_page(browser: Window, live: Pages) -> None:
    def marked(text: str) -> bool:
        wanted = f"[...document.querySelectorAll('.chapters [aria-current]')].map((one) => one.textContent) == '{text}'"
        return bool(browser.wait(wanted))

    browser.open(f"{live.home}/guides/authentication")
    assert marked("")
    assert browser.run("return getComputedStyle(document.querySelector('.up')).visibility") == "hidden"
    longest = """
    const top = (one) => one.getBoundingClientRect().top + scrollY;
    const tops = [...document.querySelectorAll('h2')].map((one) => [one.textContent, top(one)]);
    return tops.slice(0, -1).map(([name, top], at) => [tops[at + 1][1] - top, name, (top + tops[at + 1][1]) / 2])
      .sort((a, b) => b[0] - a[0]).slice(0, 3);
    """
    for height, name, middle in browser.run(longest):
        assert height > browser.run("return innerHeight * 2 / 3"), "no heading is near when its middle is at the top"
        browser.run("scrollTo(0, arguments[0])", middle)
        assert marked(name)
    browser.run("scrollTo(0, document.body.scrollHeight)")
    assert browser.wait("getComputedStyle(document.querySelector('.up')).visibility === 'visible'")
    browser.run("document.getElementById('getting-a-bearer-token').scrollIntoView()")
    assert marked("Getting a bearer token")
    browser.run("document.querySelector('.up').click()")
    assert marked("")
    assert browser.run("return scrollY") == 0


def test_the_index_shows_only_entries_that_match_the_search(browser: Window, live: Pages) -> None:
    browser.open(f"{live.home}/index")
    field = browser.driver.find_element("css selector", "#filter")

    def shown() -> list[str]:
        found = "return [...document.querySelectorAll('.index li, .index h2')].filter((one) => one.checkVisibility())"
        return list(browser.run(f"{found}.map((one) => (one.querySelector('a') || one).textContent)"))

    everything = shown()
    assert len(everything) > 100
    field.send_keys("BASKETDATA  place")
    assert shown() == ["Reseller operations", "Place an order"]
    assert browser.driver.find_element("css selector", ".filter p").text == "1 found"
    field.clear()
    field.send_keys("-23")
    assert shown() == ["Error numbers", "-23 key-refused"]
    field.send_keys("zzz")
    assert shown() == []
    assert browser.driver.find_element("css selector", ".filter p").text == "Nothing found"
    field.clear()
    field.send_keys(" ")
    assert shown() == everything


def test_a_mistyped_address_gets_a_page_with_links(browser: Window, live: Pages) -> None:
    browser.look(width=360)
    browser.open(f"{live.home}/errors")
    assert browser.driver.title == "There is no such page · Live & Sons"
    browser.driver.find_element("link text", "Errors").click()
    assert browser.driver.current_url == f"{live.home}/guides/errors"
    browser.console()


def test_on_a_phone_every_card_shows_the_name_of_its_group(browser: Window, live: Pages) -> None:
    browser.look(width=360)
    browser.open(f"{live.home}/guides/authentication")
    names = """
    return [...document.querySelectorAll('td[data-group]')].map((cell) =>
      [cell.checkVisibility() && getComputedStyle(cell, '::before').content, JSON.stringify(cell.dataset.group)]);
    """
    found = browser.run(names)
    assert len(found) > 5
    assert [shown for shown, _ in found] == [named for _, named in found]


def test_only_the_text_is_printed(browser: Window, sandbox: Pages) -> None:
    browser.print_out()
    browser.open(f"{sandbox.home}/surfaces/reseller")
    for hidden in (".top", ".side", ".chapters", ".around", ".try", ".key", ".copy", ".up"):
        shown = [one for one in browser.driver.find_elements("css selector", hidden) if one.is_displayed()]
        assert shown == [], hidden
    assert browser.driver.find_element("css selector", "main").is_displayed()
