"""Take the README's picture from a running demo, in a Chromium that is installed.

    scripts/demo
    $(scripts/bootstrap current) -m scripts.screenshot

Two tasks run in it: one that was observed, and one that is assumed to run.
"""

import argparse
import asyncio
from pathlib import Path
import shutil
from typing import Final

from playwright.async_api import Page, ViewportSize, async_playwright
from yarl import URL

from scripts.demo import DEFAULT_PORT
from scripts.demo_home import DOMAIN
from scripts.demo_run import USER
from tests.live.connection import Json
from tests.live.frontend import Frontend
from tests.live.process import REPOSITORY

PICTURE: Final = REPOSITORY / ".github" / "images" / "device.png"
SIZE: Final = ViewportSize(width=1200, height=1120)
TASKS: Final = ("backup_database", "generate_credits_markers")
CHROMIUM_OPTIONS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/screenshot.py", description=__doc__)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="Home Assistant's port")
    parser.add_argument("--output", type=Path, default=PICTURE, help="default: %(default)s")
    return parser.parse_args()


async def start_tasks(frontend: Frontend) -> None:
    """Start the tasks, and wait until one of them was observed."""

    def observed() -> Json | None:
        for state in frontend.states.values():
            running = state["entity_id"].startswith("switch.") and state["state"] == "on"
            if running and not state["attributes"].get("assumed_state"):
                return state
        return None

    for task in TASKS:
        await frontend.ask(f"{DOMAIN}.start_task", task=task)
    await frontend.wait_for(observed)


async def log_in(page: Page, home: URL) -> None:
    """Log in by the form, and hide the sidebar."""
    await page.goto(str(home))
    await page.fill("input[name=username]", USER)
    await page.fill("input[name=password]", USER)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("home-assistant-main")
    await page.evaluate("localStorage.setItem('dockedSidebar', '\"always_hidden\"')")


async def main() -> None:
    """Take the picture."""
    options = arguments()
    home = URL.build(scheme="http", host="127.0.0.1", port=options.port)
    async with Frontend(home) as frontend, async_playwright() as playwright:
        await frontend.log_in(USER, USER)
        [device] = await frontend.devices(DOMAIN)
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_OPTIONS
        )
        page = await browser.new_page(viewport=SIZE, color_scheme="light")
        await log_in(page, home)
        await start_tasks(frontend)
        await page.goto(str(home / "config/devices/device" / device["id"]))
        await page.wait_for_selector("ha-device-entities-card")
        await page.wait_for_selector("ha-logbook-renderer .entry")
        await page.wait_for_timeout(1500)  # icons come last
        options.output.parent.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=options.output)
        await browser.close()
        await frontend.ask(f"{DOMAIN}.stop_all")


if __name__ == "__main__":
    asyncio.run(main())
