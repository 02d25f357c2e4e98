"""The house rules as programs: who may touch what, and how things are called."""

import ast
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("contracts", "identity", "exchange", "settlement", "app")
MIDDLE = ("identity", "exchange", "settlement")
PURE = sorted(
    path for room in MIDDLE for path in (ROOT / room).rglob("*.py") if "effects" not in path.relative_to(ROOT).parts
)
ALL = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))

MAY_IMPORT = {
    *MIDDLE,
    "base64",
    "binascii",
    "bisect",
    "collections",
    "dataclasses",
    "enum",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "json",
    "struct",
    "typing",
    "zlib",
    # signatures, hashes and columns: they compute, and touch nothing
    "coincurve",
    "sha3",
    "numpy",
}
MAY_NOT_NAME = {"float", "round", "open", "print", "input", "exec", "eval", "hash", "__import__"}
FORBIDDEN_METHODS = {"mean", "average", "true_divide", "astype_float"}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def hold_everywhere(rule: Callable[[Path], None], paths: Iterable[Path]) -> None:
    """Hold a rule against every file, and name all that break it: a test a file would be 1,500 of them."""
    broken = []
    for path in paths:
        try:
            rule(path)
        except AssertionError as why:
            broken.append(f"{path.relative_to(ROOT)}: {why}")
    assert not broken, "\n".join(broken)


def only_computes(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= MAY_IMPORT
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "import by the full name"
            assert node.module is not None
            assert node.module.split(".")[0] in MAY_IMPORT, f"{node.module} is not for pure files"
        if isinstance(node, ast.Name):
            assert node.id not in MAY_NOT_NAME, f"line {node.lineno}: {node.id}"
        if isinstance(node, ast.Attribute):
            assert node.attr not in FORBIDDEN_METHODS, f"line {node.lineno}: {node.attr} makes a float"


def test_a_pure_file_only_computes():
    hold_everywhere(only_computes, PURE)


def has_no_float(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant):
            assert not isinstance(node.value, float), f"line {node.lineno}: {node.value}"
        if isinstance(node, ast.Attribute):
            assert not re.fullmatch(r"float(16|32|64|128)?|float_|double", node.attr), f"line {node.lineno}"
        if isinstance(node, ast.Div | ast.FloorDiv):
            assert path.name == "units.py", "divide in units.py, and say how it rounds"


def test_no_float_in_energy_or_money():
    hold_everywhere(has_no_float, PURE)


@pytest.mark.parametrize(
    ("rule", "text"), [(has_no_float, "half = 0.5\n"), (only_computes, "import time\n")], ids=["float", "import"]
)
def test_a_rule_can_fail_and_names_the_file(monkeypatch, tmp_path, rule, text):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "sound.py").write_text("half = (1, 2)\n")
    (tmp_path / "planted.py").write_text(text)
    hold_everywhere(rule, [tmp_path / "sound.py"])
    with pytest.raises(AssertionError, match=r"^planted\.py: [^\n]+"):
        hold_everywhere(rule, [tmp_path / "sound.py", tmp_path / "planted.py"])


def is_no_drawer(path):
    assert not {"util", "utils", "helpers", "helper", "common", "misc", "core"} & {*path.parts, path.stem}


def test_no_file_is_a_drawer():
    hold_everywhere(is_no_drawer, ALL)


def is_one_idea(path):
    assert len(path.read_text().splitlines()) <= 420, "look for the second idea"


def test_a_file_is_one_idea():
    hold_everywhere(is_one_idea, ALL)


def says_what_it_is_for(path):
    assert ast.get_docstring(tree(path)), "a file begins with its purpose"


def test_a_file_says_what_it_is_for():
    hold_everywhere(says_what_it_is_for, (path for path in ALL if path.name != "__init__.py"))


def says_what_its_names_mean(path):
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"


def test_what_is_public_has_a_docstring():
    hold_everywhere(says_what_its_names_mean, ALL)


def reads_no_clock(path):
    text = path.read_text()
    assert not re.search(r"time\.time\(|datetime\.now|utcnow|perf_counter", text)


def test_nobody_reads_the_clock_but_the_clock():
    pure = (path for path in ALL if "effects" not in path.parts and path.parts[-2] != "app")
    hold_everywhere(reads_no_clock, (path for path in pure if path != ROOT / "app" / "clock.py"))


def test_init_files_are_empty():
    for path in ALL:
        if path.name == "__init__.py":
            assert not path.read_text().strip(), f"{path.relative_to(ROOT)} runs code on import"
