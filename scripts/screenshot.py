"""Take all pictures of the README and the docs, in a Chromium that is installed.

    $(scripts/bootstrap current) -m scripts.screenshot

They are taken from the demo that runs, or from one that is started for it.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
import shutil
import signal
from typing import Final

from playwright.async_api import Browser, Page, ViewportSize, async_playwright
from yarl import URL

from scripts.demo import DEFAULT_PORT
from scripts.demo_home import DASHBOARD, DOMAIN, ENTRY_ID
from scripts.demo_kept import MAIN
from scripts.demo_run import USER
from scripts.picture import write_logo, write_picture
from tests.live.connection import Json
from tests.live.frontend import Frontend
from tests.live.process import REPOSITORY, is_free

PICTURES: Final = REPOSITORY / ".github" / "images"
ENDED: Final = "backup_database"
RUNNING: Final = "generate_credits_markers"
SETTLED: Final = 1500
"""After so many milliseconds icons are there and nothing moves any more."""
CHROMIUM_OPTIONS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: the file's name, the size of the page, its path, and what is done there."""

    name: str
    width: int
    height: int
    path: str
    do: Callable[[Page], Awaitable[None]]


async def see_device(page: Page) -> None:
    """Wait for all cards."""
    await page.wait_for_selector("ha-device-entities-card")
    await page.wait_for_selector("ha-logbook-renderer .entry")


async def open_run(page: Page) -> None:
    """Open one of the runs of last night."""
    run = page.get_by_text("Loudness analysis", exact=True).first
    await run.wait_for()
    # A click of the mouse would scroll to it first.
    await run.dispatch_event("click")
    await page.get_by_text("Stopped by Do not disturb").wait_for()


async def open_trigger(page: Page) -> None:
    """Open the trigger of an automation."""
    row = page.locator("ha-automation-trigger-row ha-automation-row").first
    await row.wait_for()
    # Opened before it knows the fields of the trigger, the editor shows YAML and stays with it.
    await page.wait_for_timeout(SETTLED)
    await row.click()
    await page.get_by_text("How it ended", exact=True).wait_for()


async def open_menu(page: Page) -> None:
    """Confirm that a server is to be added."""
    await page.get_by_text("OK", exact=True).click()
    await page.wait_for_selector("step-flow-menu")


async def see_dashboard(page: Page) -> None:
    """Wait for the night."""
    await page.get_by_text("Loudness analysis", exact=True).wait_for()


def pictures(device: Json) -> tuple[Picture, ...]:
    """Return all of them."""
    add = f"config/integrations/dashboard/add?domain={DOMAIN}"
    automation = "config/automation/edit/tell_me_how_it_ended"
    return (
        Picture("device", 1200, 1120, f"config/devices/device/{device['id']}", see_device),
        Picture("dashboard", 1200, 700, DASHBOARD, see_dashboard),
        # So narrow that the calendar begins with its list.
        Picture("calendar", 860, 960, "calendar", open_run),
        Picture("automation", 1200, 860, automation, open_trigger),
        Picture("sign-in", 900, 660, add, open_menu),
    )


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/screenshot.py", description=__doc__)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="Home Assistant's port")
    parser.add_argument("--output", type=Path, default=PICTURES, help="default: %(default)s")
    parser.add_argument("names", nargs="*", help="only these pictures")
    return parser.parse_args()


@asynccontextmanager
async def running_demo(port: int) -> AsyncIterator[None]:
    """Start the demo and end it, unless one is there."""
    if not is_free(port):
        yield
        return
    process = await asyncio.create_subprocess_exec(
        *(str(REPOSITORY / "scripts/demo"), "--port", str(port)), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout  # noqa: S101 - a pipe was asked for
        while line := await process.stdout.readline():
            if b"Ctrl-C" in line:
                break
        yield
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.wait()


async def run_tasks(frontend: Frontend) -> None:
    """Run a task to its end, and start another one."""
    await frontend.ask(f"{DOMAIN}.run_task", config_entry_id=ENTRY_ID, task=ENDED)
    await frontend.ask(f"{DOMAIN}.start_task", config_entry_id=ENTRY_ID, task=RUNNING)


async def log_in(browser: Browser, home: URL) -> Page:
    """Log in by the form, and hide the sidebar."""
    page = await browser.new_page(device_scale_factor=2, color_scheme="light")
    await page.goto(str(home))
    await page.fill("input[name=username]", USER)
    await page.fill("input[name=password]", USER)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("home-assistant-main")
    await page.evaluate("localStorage.setItem('dockedSidebar', '\"always_hidden\"')")
    return page


async def take(page: Page, home: URL, picture: Picture, folder: Path) -> None:
    """Take one picture."""
    await page.set_viewport_size(ViewportSize(width=picture.width, height=picture.height))
    await page.goto(str(home.join(URL(picture.path))))
    await picture.do(page)
    await page.mouse.move(0, 0)
    await page.wait_for_timeout(SETTLED)
    file = folder / f"{picture.name}.png"
    print(f"{file.name}: {write_picture(file, await page.screenshot()) // 1000} kB")


async def main() -> None:
    """Take the pictures."""
    options = arguments()
    options.output.mkdir(parents=True, exist_ok=True)
    home = URL.build(scheme="http", host="127.0.0.1", port=options.port, path="/")
    async with (
        running_demo(options.port),
        Frontend(home) as frontend,
        async_playwright() as playwright,
    ):
        await frontend.log_in(USER, USER)
        devices = await frontend.devices(DOMAIN)
        device = next(each for each in devices if each["name"] == MAIN)
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_OPTIONS
        )
        if not options.names or "logo" in options.names:
            await write_logo(browser, home, options.output / "logo.png")
        page = await log_in(browser, home)
        await run_tasks(frontend)
        for picture in pictures(device):
            if not options.names or picture.name in options.names:
                await take(page, home, picture, options.output)
        await browser.close()
        await frontend.ask(f"{DOMAIN}.stop_all", config_entry_id=ENTRY_ID)


if __name__ == "__main__":
    asyncio.run(main())
