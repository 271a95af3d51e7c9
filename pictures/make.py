"""Make the pictures of the documents by the commands that these show, and photograph the report page.

    .venv/bin/python pictures/make.py

Needs the test extra, and Chromium with its driver for the page. Diagrams are laid out by the Graphviz that comes with
archcalc, which is the same everywhere. `scene.png` is drawn by hand, and `first_network.toml` is the network of the
tutorial.
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
PAGE, PHOTOGRAPH = "report resnet50", "report.png"
WIDTH, HEIGHT = 1400, 900


def draw(command: str, output: Path) -> None:
    """Run a command of archcalc, which writes its output, where no program `dot` is found."""
    arguments = [sys.executable, "-m", "archcalc", *command.split(), "-o", str(output), "--force"]
    subprocess.run(arguments, check=True, cwd=FOLDER, env=os.environ | {"PATH": ""}, stdout=subprocess.DEVNULL)


def essence(page: str) -> str:
    """A digest of what a page says and looks like, without drawings, whose sizes depend on other libraries."""
    return sha256(re.sub("<svg.*?</svg>|--natural: [0-9.]+px", "", page, flags=re.DOTALL).encode()).hexdigest()


def photograph(page: Path) -> bytes:
    """The top of a page as PNG, with the essence of the page in it."""
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
    return with_text(content, essence(page.read_text("utf-8")))


def with_text(content: bytes, text: str) -> bytes:
    """A PNG with a text behind its header."""
    chunk = b"tEXt" + b"page\0" + text.encode()
    whole = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    header = 33  # bytes: eight that say it is a PNG, and the first chunk
    return content[:header] + whole + content[header:]


def main() -> None:
    """Make them all anew."""
    for name, command in COMMANDS.items():
        draw(command, FOLDER / name)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        draw(PAGE, page)
        (FOLDER / PHOTOGRAPH).write_bytes(photograph(page))


if __name__ == "__main__":
    main()
