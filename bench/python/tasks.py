"""What workers do, as in `src/pool/tasks.rs`. A module of its own, so that every pool finds the functions by name."""

import time

LARGE = 1 << 20


def successor(number):
    return number + 1


def look(message):
    """Reads a byte of each page."""
    for place in range(0, len(message), 4096):
        message[place]
    return len(message)


def work(ns):
    """Takes so much processor time."""
    now = time.thread_time_ns
    end = now() + ns
    while now() < end:
        pass
    return ns
