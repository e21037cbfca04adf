"""The demo's page in a real browser: in both languages, by day and by night, wide and narrow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
from click.testing import CliRunner

from kashika.cli import main
from kashika.distribution import FloatArray
from kashika.palette import BLACK

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip

pytestmark = pytest.mark.slow

LANGUAGES = ("en", "ja")
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
in_every_language = pytest.mark.parametrize("language", LANGUAGES)
in_every_scheme = pytest.mark.parametrize("scheme", SCHEMES)

TEXTS = """() => [...document.querySelectorAll("svg")].map(svg => ({
    name: svg.getAttribute("aria-label"),
    texts: [...svg.querySelectorAll("text")].map(text => {
        const box = text.getBBox(), to = text.getScreenCTM();
        const corner = (x, y) => [to.a * x + to.c * y + to.e, to.b * x + to.d * y + to.f];
        const right = box.x + box.width, bottom = box.y + box.height;
        return {
            text: text.textContent,
            corners: [corner(box.x, box.y), corner(right, box.y),
                      corner(right, bottom), corner(box.x, bottom)],
        };
    }),
}))"""

ON_A_PICTURE = f"rgb({', '.join(str(int(BLACK[i : i + 2], 16)) for i in (1, 3, 5))})"
"""Ink on a ground that the picture itself brings, by day and by night."""

COLOURS = """() => [...document.querySelectorAll("h1, h2, p, td, th, figcaption, text")]
    .filter(one => one.textContent.trim() && one.checkVisibility())
    .map(one => {
        let ground = one;
        const see = element => getComputedStyle(element).backgroundColor;
        const clear = "rgba(0, 0, 0, 0)";
        while (ground.parentElement && see(ground) === clear) ground = ground.parentElement;
        const style = getComputedStyle(one);
        return {
            text: one.textContent.trim().slice(0, 40),
            ink: one.tagName === "text" ? style.fill : style.color,
            ground: see(ground),
        };
    })"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The demo's report in both languages."""
    folder = tmp_path_factory.mktemp("demo")
    done = CliRunner().invoke(main, ["demo", str(folder), "--lang", "en"])
    assert done.exit_code == 0, done.output
    japanese = folder / "report-ja.html"
    done = CliRunner().invoke(main, ["report", str(folder), "--lang", "ja", "-o", str(japanese)])
    assert done.exit_code == 0, done.output
    return {"en": folder / "report.html", "ja": japanese}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not here")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        try:
            yield chromium
        finally:
            chromium.close()


@dataclass
class Visit:
    """A page that was opened, and what happened meanwhile."""

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    @property
    def violations(self) -> list[str]:
        found: list[str] = self.page.evaluate("() => window.violations")
        return found


def visit(
    browser: Browser,
    file: Path,
    *,
    scheme: Literal["light", "dark"] = "light",
    width: int = 1280,
    height: int = 900,
) -> Visit:
    """Open a file and everything that is folded in it."""
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": height})
    page.add_init_script(
        "window.violations = [];"
        "document.addEventListener('securitypolicyviolation',"
        " event => window.violations.push(event.violatedDirective + ' ' + event.blockedURI));"
    )
    visited = Visit(page)
    page.on("console", visited.hear)
    page.on("pageerror", lambda error: visited.errors.append(str(error)))
    page.on("request", lambda request: visited.requests.append(request.url))
    page.goto(file.as_uri(), wait_until="load")
    page.evaluate("() => document.querySelectorAll('details').forEach(one => one.open = true)")
    return visited


# --- text that overlaps ---------------------------------------------------------------------------


def core(corners: FloatArray) -> FloatArray:
    """Draw a box of text in by the room above and below the letters, and a little at its ends."""
    along, down = corners[1] - corners[0], corners[3] - corners[0]
    length = np.linalg.norm(along) or 1.0
    a, d = min(1.5 / length, 0.4) * along, 0.25 * down
    return np.array([
        corners[0] + a + d, corners[1] - a + d, corners[2] - a - d, corners[3] + a - d,
    ])  # fmt: skip


def overlap(one: FloatArray, other: FloatArray) -> bool:
    """Tell whether two boxes, turned as they may be, share any ground."""
    # Two convex shapes are apart exactly where a line along one of their sides parts them.
    for shape in (one, other):
        for side in np.roll(shape, -1, axis=0) - shape:
            normal = np.array([-side[1], side[0]])
            mine, its = one @ normal, other @ normal
            if mine.max() <= its.min() or its.max() <= mine.min():
                return False
    return True


def collisions(page: Page) -> list[tuple[str, str, str]]:
    """(figure, text, text) for every two texts of a figure that overlap."""
    found = []
    figures: list[dict[str, Any]] = page.evaluate(TEXTS)
    assert figures
    for one in figures:
        boxes = [
            (text["text"], core(np.array(text["corners"])))
            for text in one["texts"]
            if text["text"].strip()
        ]
        found += [
            (one["name"], first, second)
            for (first, mine), (second, its) in combinations(boxes, 2)
            if overlap(mine, its)
        ]
    return found


def box(x: float, y: float, width: float, height: float, *, turn: float = 0.0) -> FloatArray:
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=float)
    c, s = np.cos(turn), np.sin(turn)
    return np.asarray(corners @ np.array([[c, s], [-s, c]]) + [x, y])


def test_boxes_overlap_where_they_share_ground_and_not_where_their_frames_do() -> None:
    assert overlap(box(0, 0, 10, 4), box(9, 3, 10, 4))
    assert not overlap(box(0, 0, 10, 4), box(11, 0, 10, 4))
    assert not overlap(box(0, 0, 10, 4), box(10, 0, 10, 4))
    # Two turned labels side by side: the frames around them overlap, they do not.
    assert not overlap(box(0, 0, 40, 6, turn=-0.5), box(20, 0, 40, 6, turn=-0.5))
    assert overlap(box(0, 0, 40, 6, turn=-0.5), box(8, 0, 40, 6, turn=-0.5))


# --- the page -------------------------------------------------------------------------------------


@in_every_language
@in_every_scheme
def test_the_page_opens_without_an_error_a_request_or_a_violation(
    browser: Browser, pages: dict[str, Path], language: str, scheme: Literal["light", "dark"]
) -> None:
    visited = visit(browser, pages[language], scheme=scheme)
    assert visited.errors == []
    assert visited.violations == []
    assert [url for url in visited.requests if not url.startswith("data:")] == [
        pages[language].as_uri()
    ]
    assert visited.page.locator("html").get_attribute("lang") == language
    assert visited.page.locator("svg").count() >= 10
    visited.page.close()


@in_every_language
def test_no_two_texts_of_a_figure_overlap(
    browser: Browser, pages: dict[str, Path], language: str
) -> None:
    visited = visit(browser, pages[language])
    assert collisions(visited.page) == []
    visited.page.close()


@in_every_language
@pytest.mark.parametrize("width", [400, 1280])
def test_the_page_is_not_wider_than_the_window(
    browser: Browser, pages: dict[str, Path], language: str, width: int
) -> None:
    visited = visit(browser, pages[language], width=width)
    assert visited.page.evaluate("() => document.documentElement.scrollWidth") <= width
    visited.page.close()


@in_every_language
def test_the_page_is_not_wider_than_a_sheet_of_paper(
    browser: Browser, pages: dict[str, Path], language: str
) -> None:
    visited = visit(browser, pages[language], width=718, height=1047)  # A4 less 1 cm on each side
    visited.page.emulate_media(media="print")
    assert visited.page.evaluate("() => document.documentElement.scrollWidth") <= 718
    assert visited.page.pdf(format="A4").startswith(b"%PDF")
    visited.page.close()


def luminance(colour: str) -> float:
    """Relative luminance of "rgb(r, g, b)", as WCAG 2 defines it."""
    numbers = colour[colour.index("(") + 1 : -1].split(",")[:3]
    shares = np.array([float(number) for number in numbers]) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@in_every_scheme
def test_every_text_stands_out_from_its_ground(
    browser: Browser, pages: dict[str, Path], scheme: Literal["light", "dark"]
) -> None:
    visited = visit(browser, pages["en"], scheme=scheme)
    shown: list[dict[str, str]] = visited.page.evaluate(COLOURS)
    assert len(shown) > 100
    faint = {}
    for one in shown:
        if luminance(one["ink"]) == luminance(ON_A_PICTURE):
            continue
        low, high = sorted((luminance(one["ink"]), luminance(one["ground"])))
        contrast = (high + 0.05) / (low + 0.05)
        if contrast < 4.5:
            faint[one["text"]] = round(contrast, 2)
    assert faint == {}
    visited.page.close()


def test_by_night_the_ground_is_dark_and_by_day_it_is_light(
    browser: Browser, pages: dict[str, Path]
) -> None:
    grounds = {}
    for scheme in SCHEMES:
        visited = visit(browser, pages["en"], scheme=scheme)
        grounds[scheme] = luminance(
            visited.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        )
        visited.page.close()
    assert grounds["dark"] < 0.1
    assert grounds["light"] > 0.8


@pytest.mark.parametrize("fault", ["sigmoid", "lr-diverging"])
@in_every_language
def test_the_page_of_a_broken_run_is_as_sound(
    browser: Browser, tmp_path: Path, fault: str, language: str
) -> None:
    arguments = ["demo", str(tmp_path / "run"), "--broken", fault, "--lang", language]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    visited = visit(browser, tmp_path / "run" / "report.html", width=400)
    assert visited.errors == []
    assert visited.violations == []
    assert visited.page.evaluate("() => document.documentElement.scrollWidth") <= 400
    assert collisions(visited.page) == []
    visited.page.close()
