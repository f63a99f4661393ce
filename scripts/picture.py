"""Pictures as files: with few colors, so that they are small; and the logo."""

from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.async_api import Browser
from yarl import URL

from tests.live.process import REPOSITORY

ICON: Final = REPOSITORY / "custom_components/plex_butler/brand/icon@2x.png"
LARGEST: Final = 200_000
"""How large a picture may be, in bytes."""

# The background is the icon's own.
_LOGO: Final = """
<style>@font-face{font-family:Logo;src:url(%s)}</style>
<body style="margin:0;background:transparent"><div id="logo" style="display:inline-flex;
align-items:center;gap:22px;padding:14px 40px 14px 14px;border-radius:24px;background:#1b263b;color:#fff;
font:56px Logo;white-space:nowrap">
<img style="height:104px" src="data:image/png;base64,%s">Plex Butler</div></body>
"""


def write_picture(file: Path, content: bytes) -> int:
    """Write a picture with as many colors as make it small enough, and return its size."""
    image = Image.open(BytesIO(content)).convert("RGB")
    for colors in (256, 128, 64):
        reduced = image.quantize(colors, dither=Image.Dither.NONE)
        reduced.save(file, optimize=True)
        if file.stat().st_size < LARGEST:
            break
    return file.stat().st_size


async def write_logo(browser: Browser, home: URL, file: Path) -> None:
    """Draw the logo: the icon, and the name beside it in the letters of Home Assistant."""
    font = home / "static/fonts/roboto/Roboto-Medium.woff2"
    icon = b64encode(ICON.read_bytes()).decode()
    page = await browser.new_page(device_scale_factor=2)
    # From there, or it would not get the font.
    await page.goto(str(home / "manifest.json"))
    await page.set_content(_LOGO % (font, icon))
    await page.evaluate("document.fonts.ready")
    picture = await page.locator("#logo").screenshot(omit_background=True)
    with Image.open(BytesIO(picture)) as image:
        image.quantize(64).save(file, optimize=True)
    await page.close()
