"""Run a module as `python -m` does; ask it to end when the process that started it is gone.

That is for a kill that leaves no time to tidy up. Only Linux has the means.
"""

import ctypes
from pathlib import Path
import runpy
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Run the module that is the first argument with the others."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    sys.path[0] = str(Path.cwd())
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
