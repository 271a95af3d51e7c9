"""Make the pictures of the documents with the commands that the documents show, and screenshot the report page.

    .venv/bin/python pictures/make.py

Needs the test extra, and Chromium with its driver for the page. The Graphviz that comes with archcalc lays diagrams
out, since it is the same everywhere. `scene.png` is drawn by hand; `first_network.toml` is the network of the tutorial.
"""

import base64
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent
COMMANDS = {
    "lenet5.svg": "diagram lenet5 --volumes",
    "first_network.svg": "diagram first_network.toml --volumes",
    "resnet50.svg": "diagram resnet50 --depth 1 --direction LR --show parameters,macs --heat macs",
    "receptive_field.svg": "receptive-field alexnet --layer conv5 --unit 6,6 --image scene.png",
}
PAGE, SCREENSHOT = "report resnet50", "report.png"
WIDTH, HEIGHT = 1400, 900


def draw(command: str, output: Path) -> None:
    """Run a command of archcalc that writes a file, without the program `dot` on the PATH."""
    arguments = [sys.executable, "-m", "archcalc", *command.split(), "-o", str(output), "--force"]
    subprocess.run(arguments, check=True, cwd=FOLDER, env=os.environ | {"PATH": ""}, stdout=subprocess.DEVNULL)


def digest(page: str) -> str:
    """A digest of a page's text and style, without drawings, whose sizes depend on other libraries."""
    return sha256(re.sub("<svg.*?</svg>|--natural: [0-9.]+px", "", page, flags=re.DOTALL).encode()).hexdigest()


def screenshot(page: Path) -> bytes:
    """The top of a page as PNG, which contains the digest of the page."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in ("--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={WIDTH},{HEIGHT}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(shutil.which("chromedriver"))))
    try:
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get(page.as_uri())
        content = base64.b64decode(driver.get_screenshot_as_base64())
    finally:
        driver.quit()
    return with_text(content, digest(page.read_text("utf-8")))


def with_text(content: bytes, text: str) -> bytes:
    """The PNG with a text chunk behind its header."""
    chunk = b"tEXt" + b"page\0" + text.encode()
    whole = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    header = 33  # bytes: the signature and the first chunk
    return content[:header] + whole + content[header:]


def main() -> None:
    """Make all pictures."""
    for name, command in COMMANDS.items():
        draw(command, FOLDER / name)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        draw(PAGE, page)
        (FOLDER / SCREENSHOT).write_bytes(screenshot(page))


if __name__ == "__main__":
    main()
