"""Processes of this repository's Python, apart from the terminal that started them."""

import asyncio
from asyncio.subprocess import Process
from contextlib import suppress
import os
from pathlib import Path
import signal
import socket
import sys
from typing import Final

REPOSITORY: Final = Path(__file__).parents[2]
LEASH: Final = str(Path(__file__).with_name("leash.py"))
STOP_TIMEOUT: Final = 60.0


class ProcessDiedError(Exception):
    """A process ended by itself."""

    def __init__(self, what: str, output: Path) -> None:
        """Say so, with the end of what it wrote."""
        lines = output.read_text(errors="replace").splitlines()[-15:]
        super().__init__("\n".join([f"{what}:", *lines]))


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on right now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Tell whether nobody listens on this TCP port of 127.0.0.1."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


async def start_process(
    module: str, *arguments: str, cwd: Path, errors: Path, read_output: bool = False
) -> Process:
    """Start a module with this Python, in a process group of its own; it does not outlive us.

    Whatever it writes is appended to the file `errors`, unless `read_output` keeps its standard
    output for the caller. The token of a real server, which the demo may have in its environment,
    is not handed on.
    """
    with errors.open("ab") as file:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            LEASH,
            module,
            *arguments,
            cwd=cwd,
            env={key: value for key, value in os.environ.items() if key != "PLEX_TOKEN"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if read_output else file,
            stderr=file,
            start_new_session=True,
        )


async def stop_process(process: Process) -> None:
    """Ask a process to end, and end it with its own children when it does not."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_TIMEOUT):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
