"""A process that is killed in the middle of writing the runs: nothing that was stored is lost.

The process is a real one with Home Assistant's own storage in a real folder, but without the rest of
Home Assistant, so that it can die twenty times in a few seconds. `live/test_killed.py` kills a whole
one, once.
"""

from collections.abc import Iterator
import json
import os
from pathlib import Path
import random
import signal
import subprocess
import sys
import time
from typing import Any, Final

import pytest

from custom_components.plex_butler.const import DOMAIN
from tests.integration.writer import ENTRY_ID
from tests.repository import ROOT

KILLS: Final = 20
"""How many have to hit a write, so that its temporary file is left."""
MOST_TRIES: Final = 60
"""On a machine that has much else to do, most kills come too late; then fewer have to do."""


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that forks one that writes, for every line that it reads."""
    with subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-m", "tests.integration.writer", str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        assert process.stdin
        process.stdin.close()


def test_killed_in_the_middle_of_a_write(tmp_path: Path, writer: subprocess.Popen[str]) -> None:
    storage = tmp_path / ".storage"
    storage.mkdir()
    file = storage / f"{DOMAIN}.{ENTRY_ID}"
    moments = random.Random(20)
    stdin, stdout = writer.stdin, writer.stdout
    assert stdin
    assert stdout

    def told() -> Any:
        return json.loads(stdout.readline())

    written = hits = tries = 0
    while hits < KILLS and tries < MOST_TRIES:
        tries += 1
        stdin.write("\n")
        stdin.flush()
        child = told()
        stored = told()
        # What was being written at the kill may have arrived.
        assert written <= stored["generation"] <= written + 1
        assert (stored["as_written"], stored["logged"]) == (True, [])
        for _ in range(moments.randint(1, 3)):
            written = told()
        before, late = set(storage.iterdir()), time.monotonic() + 0.5
        while before >= set(storage.iterdir()) and time.monotonic() < late:
            time.sleep(0)
        time.sleep(moments.uniform(0, 0.003))
        os.kill(child, signal.SIGKILL)
        while (last := told()) != "dead":
            written = last
        assert json.loads(file.read_text())["key"] == file.name
        hits += before < set(storage.iterdir())
    assert hits
