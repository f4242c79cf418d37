"""How the C library treats the memory of freed tensors."""

from __future__ import annotations

import ctypes
import platform

__all__ = ["keep_freed_memory"]

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3


def keep_freed_memory() -> None:
    """Let glibc keep the memory of freed tensors for the next ones, instead of giving it back at once.

    A pass over a batch allocates and frees blocks of the same few sizes again and again. glibc takes large ones
    from the system and returns them, which then clears each page anew: up to half the time of a pass.
    Blocks of more than 32 MiB, a model's weights among them, are still returned.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_M_MMAP_THRESHOLD, 32 << 20)  # as large as glibc takes it
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(_M_TOP_PAD, 64 << 20)
