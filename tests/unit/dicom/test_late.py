"""pydicom is loaded whole, whichever threads need it first, and in whatever order."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ENGINE = Path(__file__).resolve().parents[3] / "engine"
# A command of one thread; and what is called with a data set in hand.
ELSEWHERE = ("cli", "dicom/attributes.py", "dicom/late.py")
# The interpreter changes threads as often as it can.
FIRST = """
import sys, threading
from pathlib import Path
from engine.dicom.data_set import read_data_set
from engine.dicom.dicomdir import referenced_file_ids
from engine.errors import NotDicom
sys.setswitchinterval(1e-5)
begin, said = threading.Barrier(6), []
def read():
    begin.wait()
    said.append(str(read_data_set(b"\\x08\\x00\\x16\\x00UI\\x04\\x001.2\\0", "1.2.840.10008.1.2.1", 1000).SOPClassUID))
def listed():
    begin.wait()
    try:
        referenced_file_ids(Path(sys.executable))
    except NotDicom:
        said.append("1.2")
threads = [threading.Thread(target=one) for one in (read, listed) * 3]
for one in threads:
    one.start()
for one in threads:
    one.join()
assert said == ["1.2"] * 6, said
"""


def test_many_threads_may_be_the_first() -> None:
    """Without a lock six of seven processes failed."""
    for _ in range(3):
        run = subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 0, run.stderr[-3000:]


def test_nobody_imports_it_late_by_himself() -> None:
    wrong = []
    for path in sorted(ENGINE.rglob("*.py")):
        name = path.relative_to(ENGINE).as_posix()
        if name.startswith(ELSEWHERE):
            continue
        for function in ast.walk(ast.parse(path.read_text("utf_8"))):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            loaded = [
                node.lineno
                for node in ast.walk(function)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "load_pydicom"
            ]
            for node in ast.walk(function):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if any(one.split(".")[0] == "pydicom" for one in names) and not any(at < node.lineno for at in loaded):
                    wrong.append(f"{name}:{node.lineno}: call load_pydicom() before")
    assert wrong == []
