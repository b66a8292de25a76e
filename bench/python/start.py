"""The driver of Python's multiprocessing for `start`: what `src/start/driver` is for the others.

usage: start.py START_METHOD MIB

Requests and answers are those of `src/start/protocol.rs`.
"""

import multiprocessing
import os
import sys
import time


def noop():
    """The child that does nothing."""


def idle(ready):
    """The child that says that it is ready, and sleeps until it is killed."""
    os.write(ready.fileno(), b".")
    time.sleep(300)


def start_and_join(context, millis, least, most, pause_us):
    call_ns, whole_ns = [], []
    deadline = time.perf_counter_ns() + millis * 1_000_000
    while len(call_ns) < most and (len(call_ns) < least or time.perf_counter_ns() < deadline):
        begin = time.perf_counter_ns()
        child = context.Process(target=noop)
        child.start()
        called = time.perf_counter_ns()
        child.join()
        ended = time.perf_counter_ns()
        assert child.exitcode == 0, child.exitcode
        call_ns.append(called - begin)
        whole_ns.append(ended - begin)
        if pause_us:
            time.sleep(pause_us / 1e6)
    return {"Started": {"call_ns": call_ns, "whole_ns": whole_ns}}


def sleepers(context, count, looked_at):
    reader, writer = context.Pipe(duplex=False)
    children = []
    try:
        begin = time.perf_counter_ns()
        for _ in range(count):
            child = context.Process(target=idle, args=(writer,))
            child.start()
            children.append(child)
        writer.close()
        announced = 0
        while announced < count:
            said = len(os.read(reader.fileno(), count - announced))
            assert said, "some children died"
            announced += said
        ready_ns = time.perf_counter_ns() - begin
        step = max(count // max(looked_at, 1), 1)
        memory = [private_kib(child.pid) for child in children[::step]]
    finally:
        for child in children:
            child.kill()
        for child in children:
            child.join()
        reader.close()
    return {"Idle": {"ready_ns": ready_ns, "private_kib": memory}}


def private_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        fields = (line.split() for line in rollup)
        return sum(int(field[1]) for field in fields if field[0] in ("Private_Clean:", "Private_Dirty:"))


def main():
    # Imported here, so that children that import this file again are not slowed by them.
    import resource
    from functools import partial

    from serving import serve

    method, mib = sys.argv[1], int(sys.argv[2])
    heap = bytearray(mib << 20)
    heap[::4096] = b"\1" * (len(heap) // 4096)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    context = multiprocessing.get_context(method)
    serve({"Start": partial(start_and_join, context), "Idle": partial(sleepers, context)})


if __name__ == "__main__":
    main()
