"""`voxcast warmup`: compiles every kernel into the cache, so that no server waits for a compiler at its first picture."""

from __future__ import annotations

import time

from engine.cli.terminal import DONE, FAILED, Terminal, plural
from engine.imaging.warmup import WarmKernel, cache_folder, warm_kernels


def run(terminal: Terminal) -> int:
    def tell(kernel: WarmKernel) -> None:
        how = "compiled" if kernel.is_compiled else "from the cache"
        record = {"kernel": kernel.name, "type": kernel.kind, "compiled": kernel.is_compiled, "s": kernel.seconds}
        terminal.result(record, f"{f'{kernel.name}({kernel.kind})':<32} {how:<14} {1e3 * kernel.seconds:6.0f} ms")

    start = time.perf_counter()
    done = warm_kernels(tell)
    took, folder = time.perf_counter() - start, cache_folder()
    compiled = sum(kernel.is_compiled for kernel in done)
    text = f"{plural(compiled, 'kernel')} compiled, {len(done) - compiled} from the cache, in {took:.1f} s"
    place = str(folder) if folder else None
    summary = {"compiled": compiled, "cached": len(done) - compiled, "s": took, "folder": place}
    terminal.result({"summary": summary}, f"{text}; they are in {place}" if place else text)
    if folder is None:
        terminal.say(
            "voxcast: no folder to keep them in can be written to, so every process will compile; set NUMBA_CACHE_DIR"
        )
        return FAILED
    return DONE
