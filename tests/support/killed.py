"""A process that is killed while it writes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path


def killed_while_writing(path: Path) -> None:
    """Write a file in a process that dies in the middle of it."""
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom w2s.files import written_beside\n"
        "with written_beside(Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
