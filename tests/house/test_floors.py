"""The house rules as programs: who may touch what, and how things are called."""

import ast
import re
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


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PURE, ids=name)
def test_a_pure_file_only_computes(path):
    for node in ast.walk(ast.parse(path.read_text())):
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


@pytest.mark.parametrize("path", PURE, ids=name)
def test_no_float_in_energy_or_money(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant):
            assert not isinstance(node.value, float), f"line {node.lineno}: {node.value}"
        if isinstance(node, ast.Attribute):
            assert not re.fullmatch(r"float(16|32|64|128)?|float_|double", node.attr), f"line {node.lineno}"
        if isinstance(node, ast.Div | ast.FloorDiv):
            assert path.name == "units.py", "divide in units.py, and say how it rounds"


def test_the_rule_against_floats_can_fail(tmp_path):
    planted = tmp_path / "planted.py"
    planted.write_text("half = 0.5\n")
    with pytest.raises(AssertionError):
        test_no_float_in_energy_or_money(planted)
    planted.write_text("import time\n")
    with pytest.raises(AssertionError):
        test_a_pure_file_only_computes(planted)


@pytest.mark.parametrize("path", ALL, ids=name)
def test_no_file_is_a_drawer(path):
    assert not {"util", "utils", "helpers", "helper", "common", "misc", "core"} & {*path.parts, path.stem}


@pytest.mark.parametrize("path", ALL, ids=name)
def test_a_file_is_one_idea(path):
    assert len(path.read_text().splitlines()) <= 420, "look for the second idea"


@pytest.mark.parametrize("path", [path for path in ALL if path.name != "__init__.py"], ids=name)
def test_a_file_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text())), "a file begins with its purpose"


@pytest.mark.parametrize("path", ALL, ids=name)
def test_what_is_public_has_a_docstring(path):
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"


@pytest.mark.parametrize("path", [p for p in ALL if "effects" not in p.parts and p.parts[-2] != "app"], ids=name)
def test_nobody_reads_the_clock_but_the_clock(path):
    if path == ROOT / "app" / "clock.py":
        return
    text = path.read_text()
    assert not re.search(r"time\.time\(|datetime\.now|utcnow|perf_counter", text)


def test_init_files_are_empty():
    for path in ALL:
        if path.name == "__init__.py":
            assert not path.read_text().strip(), f"{name(path)} runs code on import"
