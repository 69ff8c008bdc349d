"""`voxcast warmup`: compiles every kernel into the cache, so that no server waits for a compiler at its first picture."""

from __future__ import annotations

import time

from engine.cli.progress import bar
from engine.cli.terminal import DONE, FAILED, Terminal, plural
from engine.imaging.warmup import WarmKernel, cache_folder, usual_forms, warm_kernels


def run(terminal: Terminal) -> int:
    start = time.perf_counter()
    with bar("compiling kernels", usual_forms()) as shown:

        def tell(kernel: WarmKernel) -> None:
            what = f"{kernel.name}({kernel.kind})"
            how = "compiled" if kernel.is_compiled else "from the cache"
            record = {"kernel": kernel.name, "type": kernel.kind, "compiled": kernel.is_compiled, "s": kernel.seconds}
            terminal.result(record, f"{what:<32} {how:<14} {1e3 * kernel.seconds:6.0f} ms")
            shown.advance()

        done = warm_kernels(tell)
    took, folder = time.perf_counter() - start, cache_folder()
    compiled = sum(kernel.is_compiled for kernel in done)
    summary = {"compiled": compiled, "cached": len(done) - compiled, "s": took, "folder": folder and str(folder)}
    text = f"{plural(compiled, 'kernel')} compiled, {len(done) - compiled} from the cache in {took:.1f} s"
    terminal.result({"summary": summary}, f"{text}: {folder}" if folder else text)
    if folder is None:
        terminal.say("voxcast: no folder to keep them in, so this was in vain; set NUMBA_CACHE_DIR to one that can be written to")
        return FAILED
    return DONE
