"""Cold start: how long a command takes from nothing, beside the bare interpreter.

    python -m bench.start

Median CPU seconds of the whole process, user and system, in turns. `merit audit` audits a small demo day that is made
first, on a chain in this process, which the audit executes again.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.measure import load_line

REPEATS = 5


def children_seconds() -> float:
    """Return the CPU seconds of every process that was started and has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print one line a command."""
    with tempfile.TemporaryDirectory() as folder:
        day = Path(folder) / "day"
        merit = [sys.executable, "-m", "app"]
        subprocess.run([*merit, "demo", "--data", day], capture_output=True, check=True)
        commands = {
            "bare interpreter": [sys.executable, "-c", "pass"],
            "merit --help": [*merit, "--help"],
            "merit audit, what it imports": [sys.executable, "-c", "import app.commands.audit"],
            "merit audit, a demo day": [*merit, "audit", str(day)],
        }
        spent: dict[str, list[float]] = {label: [] for label in commands}
        for turn in range(REPEATS):
            for label, command in commands.items():
                if turn and label.endswith("a demo day"):
                    continue  # it takes seconds, and once is enough
                before = children_seconds()
                subprocess.run(command, capture_output=True, check=True)
                spent[label].append(children_seconds() - before)
    base = statistics.median(spent["bare interpreter"])
    for label, times in spent.items():
        middle = statistics.median(times)
        print(f"{label}: {middle * 1e3:,.0f} ms CPU, {middle / base:.1f} bare interpreters; {load_line()}")


if __name__ == "__main__":
    main()
