"""What every benchmark needs: CPU time in turns, and a line that says how busy the machine was."""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the process CPU time that the work takes."""
    started = time.process_time_ns()
    work()
    return (time.process_time_ns() - started) / 1e9


def in_turns(engines: dict[str, Callable[[], object]], repeats: int = 5) -> dict[str, float]:
    """Return the median CPU seconds of each engine, timed in turn, so that a busy moment hits them alike."""
    spent: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(repeats):
        for name, engine in engines.items():
            spent[name].append(cpu_seconds(engine))
    return {name: statistics.median(times) for name, times in spent.items()}


def cpu_seconds_of(pid: int) -> float:
    """Return the CPU time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_bytes() -> int:
    """Return how much memory this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def percentile(values: list[float], share: float) -> float:
    """Return the value below which this share of the values lies."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def load_line() -> str:
    """Return how busy the machine is: figures of a busy machine are lower, ratios within a run hold."""
    one, five, _ = os.getloadavg()
    return f"load {one:.1f} (5 min {five:.1f}) on {os.cpu_count()} cores"
