"""Make the pictures of the README anew: python docs/make_images.py.

A demo with a fault is trained and reported on, and the head of its page is photographed by the
Chromium of this machine.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, sync_playwright

IMAGES = Path(__file__).parent / "images"
NAMES = {"en": "report.png", "ja": "report.ja.png"}
WIDTH, HEIGHT = 1200, 1600


def main() -> None:
    """Write one picture for each language."""
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    chromium = next(filter(None, found), None)
    if chromium is None:
        sys.exit("make_images: expected Chromium on the path, found none; install it")
    with TemporaryDirectory() as scratch, sync_playwright() as playwright:
        # No sandbox: CI runs as root, and the page is our own.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for language, name in NAMES.items():
            photograph(browser, Path(scratch) / language / "overfitting", language, IMAGES / name)


def photograph(browser: Browser, folder: Path, language: str, image: Path) -> None:
    """Save the demo's page as a PNG, down to the first row of pictures."""
    demo = ["demo", str(folder), "--broken", "overfitting", "--lang", language]
    subprocess.run([sys.executable, "-m", "kashika", *demo], check=True)
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
    page.goto((folder / "report.html").as_uri())
    row = [figure.bounding_box() for figure in page.locator("figure").all()[:2]]
    bottom = max(box["y"] + box["height"] for box in row if box is not None)
    page.screenshot(path=image, clip={"x": 0, "y": 0, "width": WIDTH, "height": bottom + 20})
    page.close()


if __name__ == "__main__":
    main()
