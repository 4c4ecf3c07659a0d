#!/usr/bin/python3
"""Stops one thread of a process, and leaves the others running: freeze_thread.py TID. Until the process or this ends."""
import ctypes
import os
import sys

PTRACE_SEIZE, PTRACE_INTERRUPT, WAIT_ALL = 0x4206, 0x4207, 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

tid = int(sys.argv[1])
for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
    if libc.ptrace(request, tid, None, None) != 0:
        sys.exit(f"ptrace: {os.strerror(ctypes.get_errno())}")
os.waitpid(tid, WAIT_ALL)
print("frozen", flush=True)
os.waitpid(tid, WAIT_ALL)  # its end, which only this process can take note of
