"""The tree keeps its own rules: one noun a module, a first line that says what for, nothing left undone, no machine's paths."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from engine import errors
from engine.dicom.defects import DEFECTS

ROOT = Path(__file__).resolve().parents[2]
LINES_MAX = {
    ".py": 400,
    ".js": 400,
    ".ts": 400,
    ".tsx": 400,
    ".cpp": 400,
    ".hpp": 400,
}  # a C++ file spends a third on braces and types
GENERATED = {"dictionary_data.py", "charset_data.inc", "dictionary_data.inc"}
TEXT = {
    ".py",
    ".pyi",
    ".md",
    ".toml",
    ".cpp",
    ".hpp",
    ".inc",
    ".txt",
    ".js",
    ".ts",
    ".tsx",
    ".css",
    ".html",
    ".sh",
    ".yml",
    ".lock",
    "",
}
# Words that mean "not done yet", and places that exist on one machine only; written apart, or this file would find itself.
UNDONE = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")
MACHINE = re.compile(r"(?<![\w.:/])/(home|root|work|Users|opt|mnt)/\w")


def ours() -> list[Path]:
    """Every text file of the project: what git knows or would add; without git, what lies in the known folders."""
    run = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True, text=True, check=False
    )
    if run.returncode == 0:
        names = [ROOT / name for name in run.stdout.split("\0") if name]
    else:
        folders = ("engine", "voxcast", "native", "tests", "benchmarks", "docs", ".ci")
        names = [p for folder in folders for p in (ROOT / folder).rglob("*") if "__pycache__" not in p.parts]
        names += [*ROOT.glob("*.*"), ROOT / "Makefile"]
    return sorted(p for p in names if p.is_file() and p.suffix in TEXT and p.name != "LICENSE")


def python_files(*folders: str) -> list[Path]:
    return [p for p in ours() if p.suffix == ".py" and p.relative_to(ROOT).parts[0] in folders]


def test_a_module_is_one_noun() -> None:
    long = {
        str(p.relative_to(ROOT)): count
        for p in ours()
        if p.suffix in LINES_MAX and p.name not in GENERATED and p.relative_to(ROOT).parts[0] != "tests"
        if (count := len(p.read_text("utf_8").splitlines())) > LINES_MAX[p.suffix]
    }
    assert not long, f"there is a second noun in {long}"


def test_the_first_line_says_what_a_module_is_for() -> None:
    silent = [
        str(p.relative_to(ROOT))
        for p in python_files("engine", "voxcast", "benchmarks", "tests", "docs", "native")
        if len((ast.get_docstring(ast.parse(p.read_text("utf_8"))) or "").split("\n")[0].split()) < 3
    ]
    assert not silent


def test_nothing_is_left_undone_and_no_path_is_of_one_machine() -> None:
    found = [
        f"{p.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for p in ours()
        if p.name not in GENERATED
        for number, line in enumerate(p.read_text("utf_8").splitlines(), 1)
        if UNDONE.search(line) or MACHINE.search(line)
    ]
    assert not found, "\n".join(found)


def _leaves() -> list[type[errors.EngineError]]:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.EngineError)]
    return [k for k in kinds if not k.__subclasses__()]


@pytest.mark.parametrize("leaf", _leaves(), ids=lambda leaf: leaf.__name__)
def test_an_error_leaf_carries_fields_and_stands_in_the_tree(leaf: type[errors.EngineError]) -> None:
    code = leaf.__init__.__code__
    names = [name for name in code.co_varnames[1 : code.co_argcount]]
    assert names, f"{leaf.__name__} takes no fields"
    values = {
        name: 7 if any(w in name for w in ("needed", "have", "value", "limit", "number", "_s", "offset")) else "x"
        for name in names
    }
    values |= {name: ("x",) for name in names if name == "offered"}
    error = leaf(**values)
    assert all(hasattr(error, name) for name in names), f"{leaf.__name__} forgets one of {names}"
    assert len(str(error)) > 8
    assert re.search(rf"\b{leaf.__name__}\b", errors.__doc__ or ""), f"{leaf.__name__} is not in the tree at the top"


def test_every_raised_error_is_a_leaf() -> None:
    inner = {k.__name__ for k in vars(errors).values() if isinstance(k, type) and k.__subclasses__()}
    raised = [
        f"{p.relative_to(ROOT)}:{node.lineno}"
        for p in python_files("engine")
        for node in ast.walk(ast.parse(p.read_text("utf_8")))
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
        and node.exc.func.id in inner
    ]
    assert not raised


def test_defects_in_use_are_the_defects_that_are_listed() -> None:
    """Native code says ``defect("code"`` or ``defects.emplace_back("code"``, Python ``Defect("code"``."""
    sources = [
        p
        for p in ours()
        if p.relative_to(ROOT).parts[0] in ("engine", "native") and p.suffix in (".py", ".cpp", ".hpp")
    ]
    sources = [p for p in sources if p.name != "defects.py"]
    text = "\n".join(p.read_text("utf_8") for p in sources)
    noted = set(re.findall(r'\b(?:defect|Defect|defects\.emplace_back)\(\s*"([a-z0-9-]+)"', text))
    assert noted == set(DEFECTS)


def _locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text("utf_8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+", pin) for pin in pins), (
        "exact versions and nothing else"
    )
    return {canonicalize_name(name): version for name, _, version in (pin.partition("==") for pin in pins)}


def test_the_lock_file_has_an_exact_version_of_all_that_make_installs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf_8"))
    extras = project["project"]["optional-dependencies"].values()
    wanted = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(r for e in extras for r in e),
    ]
    locked = _locked()
    for text in wanted:
        requirement = Requirement(text)
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{text} is not locked: make lock"
        assert requirement.specifier.contains(version), f"{text}, but locked at {version}: make lock"
