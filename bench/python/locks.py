"""The driver of Python's multiprocessing for `locks`: what `src/locks/driver` is for the others.

usage: locks.py KIND

Requests and answers are those of `src/locks/protocol.rs`.
"""

import multiprocessing
import os
import sys
import time

from serving import serve

AHEAD = 20_000_000
BETWEEN_LOOKS = range(64)

context = multiprocessing.get_context("fork")


def pairs(lock):
    acquire, release = lock.acquire, lock.release

    def some():
        for _ in BETWEEN_LOOKS:
            acquire()
            release()

    return some


def blocks(lock):
    def some():
        for _ in BETWEEN_LOOKS:
            with lock:
                pass

    return some


def increments(value):
    lock = value.get_lock()

    def some():
        for _ in BETWEEN_LOOKS:
            with lock:
                value.value += 1

    return some


def fill(some, begin, end, cpu):
    """Does the work on a CPU as often as possible within a time: how often."""
    os.sched_setaffinity(0, {cpu})
    now = time.monotonic_ns
    while now() < begin:
        pass
    count = 0
    while now() < end:
        some()
        count += len(BETWEEN_LOOKS)
    return count


def other(told, some, *window):
    told.send(fill(some, *window))


def main():
    kind = sys.argv[1]
    cpus = sorted(os.sched_getaffinity(0))
    value = context.Value("Q", 0)
    some = {
        "lock": lambda: pairs(context.Lock()),
        "with": lambda: blocks(context.Lock()),
        "rlock": lambda: pairs(context.RLock()),
        "value": lambda: increments(value),
    }[kind]()

    def alone(work, millis):
        assert (work == "Increment") == (kind == "value"), f"{kind} does no {work}"
        begin = time.monotonic_ns()
        count = fill(some, begin, begin + millis * 1_000_000, cpus[0])
        return {"count": count, "ns": millis * 1_000_000}

    def both(work, millis):
        assert (work == "Increment") == (kind == "value"), f"{kind} does no {work}"
        before = value.value
        begin = time.monotonic_ns() + AHEAD
        window = begin, begin + millis * 1_000_000
        hears, tells = context.Pipe(False)
        process = context.Process(target=other, args=(tells, some, *window, cpus[-1]))
        process.start()
        count = fill(some, *window, cpus[0]) + hears.recv()
        process.join()
        if kind == "value":
            assert value.value - before == count, f"of {count} increments {value.value - before} were counted"
        return {"count": count, "ns": millis * 1_000_000}

    serve({"Alone": alone, "Both": both})


if __name__ == "__main__":
    main()
