"""The driver of Python's pools for `pool`: what `src/pool/driver` is for the others.

usage: pool.py POOL PLACEMENT

Requests and answers are those of `src/pool/protocol.rs`. Each pool says which function has tasks done in which way; all of
them return iterables of the results.
"""

import importlib
import os
import sys
import time

from placing import children, part
from tasks import LARGE, look, successor, work

WORKERS = 2
BATCH = 64


class Pool:
    """`multiprocessing.Pool`."""

    def __init__(self):
        import multiprocessing

        self.pool = multiprocessing.get_context("fork").Pool(WORKERS)
        self.single = lambda function, argument: self.pool.apply(function, (argument,))
        self.ways = {
            "Map": self.pool.map,
            "Ones": lambda *call: self.pool.map(*call, chunksize=1),
            "Batches": lambda *call: self.pool.map(*call, chunksize=BATCH),
            "Imap": self.pool.imap,
            "Unordered": self.pool.imap_unordered,
            "UnorderedBatches": lambda *call: self.pool.imap_unordered(*call, chunksize=BATCH),
        }
        self.each = lambda *call: self.pool.imap(*call, chunksize=BATCH)

    def stop(self):
        self.pool.close()
        self.pool.join()


class Futures:
    """What has the interface of `concurrent.futures`."""

    def __init__(self, pool):
        self.pool = pool
        self.single = lambda function, argument: self.pool.submit(function, argument).result()
        self.each = lambda *call: self.pool.map(*call, chunksize=BATCH)
        self.ways = {"Ones": self.pool.map, "Batches": self.each}

    def stop(self):
        self.pool.shutdown()


def executor():
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    return Futures(ProcessPoolExecutor(WORKERS, multiprocessing.get_context("fork")))


def loky():
    from loky import ProcessPoolExecutor

    return Futures(ProcessPoolExecutor(WORKERS))


class Mpire:
    """`mpire.WorkerPool`, whose workers stay. Those that have done one of `apply`, `map` and `imap_unordered` fail at another, so each
    has a pool of its own; workers are started at the first call."""

    def __init__(self):
        from mpire import WorkerPool

        self.pools = [WorkerPool(n_jobs=WORKERS, keep_alive=True) for _ in range(3)]
        applying, mapping, unordered = self.pools
        self.single = lambda function, argument: applying.apply(function, (argument,))
        self.ways = {
            "Map": mapping.map,
            "Ones": lambda *call: mapping.map(*call, chunk_size=1),
            "Batches": lambda *call: mapping.map(*call, chunk_size=BATCH),
            "Imap": mapping.imap,
            "Unordered": unordered.imap_unordered,
        }
        self.each = lambda *call: mapping.imap(*call, chunk_size=BATCH)

    def stop(self):
        for pool in self.pools:
            pool.stop_and_join()


# With what a program imports before it makes a pool.
KINDS = {
    "pool": (Pool, "multiprocessing.pool"),
    "executor": (executor, "concurrent.futures.process"),
    "loky": (loky, "loky"),
    "mpire": (Mpire, "mpire"),
}


class Driver:
    def __init__(self, make, placement):
        self.make, self.placement = make, placement
        self.pool = None
        self.argument = bytes(LARGE)

    def open(self):
        assert self.pool is None, "there is a pool already"
        self.pool = self.make()
        for number in range(16):
            self.pool.single(successor, number)
            self.pool.single(look, self.argument)
        if self.placement == "apart":
            allowed = os.sched_getaffinity(0)
            part(min(allowed), max(allowed))
        return {"Done": {}}

    def close(self):
        self.pool.stop()
        self.pool = None
        return {"Done": {}}

    def flow(self, way, function, inputs, expected):
        """So many tasks: the time until all results were there."""
        begin = time.perf_counter_ns()
        results = list(self.pool.ways[way](function, inputs))
        ns = time.perf_counter_ns() - begin
        total = sum(results)
        assert total == expected, f"the results add up to {total} in place of {expected}"
        return ns

    def again(self, millis, count, *flow):
        done, ns = 0, 0
        while done == 0 or ns < millis * 1_000_000:
            ns += self.flow(*flow)
            done += count
        return {"Flow": {"count": done, "ns": ns}}

    def tiny(self, way, count, millis):
        return self.again(millis, count, way, successor, range(count), count * (count + 1) // 2)

    def large(self, way, count, millis):
        return self.again(millis, count, way, look, [self.argument] * count, count * LARGE)

    def singles(self, large, millis, least):
        single = self.pool.single
        ns = []
        deadline = time.perf_counter_ns() + millis * 1_000_000
        while True:
            number = len(ns)
            begin = time.perf_counter_ns()
            if number >= least and begin >= deadline:
                return {"Singles": {"ns": ns}}
            result = single(look, self.argument) if large else single(successor, number)
            ns.append(time.perf_counter_ns() - begin)
            expected = LARGE if large else number + 1
            assert result == expected, f"the result was {result} in place of {expected}"

    def work(self, way, ns):
        return {"Worked": {"ns": self.flow(way, work, ns, sum(ns))}}

    def idle(self, millis):
        # The clocks that clock_getcpuclockid(3) names.
        clocks = [(~pid << 3) | 2 for pid in [os.getpid(), *children()]]
        self.singles(False, 1, 1)
        time.sleep(0.001)
        before = sum(map(time.clock_gettime_ns, clocks))
        time.sleep(millis / 1e3)
        return {"Idle": {"cpu_ns": sum(map(time.clock_gettime_ns, clocks)) - before}}

    def watch(self, looks):
        come, resident = 0, []
        begin = time.perf_counter_ns()
        for come, result in enumerate(self.pool.each(successor, range(looks[-1])), 1):
            assert result == come, f"the result was {result} in place of {come}"
            if come == looks[len(resident)]:
                resident.append(resident_kib())
        assert come == looks[-1], f"{come} results came of {looks[-1]}"
        return {"Watched": {"resident_kib": resident, "ns": time.perf_counter_ns() - begin}}

    def life(self):
        begin = time.perf_counter_ns()
        pool = self.make()
        made = time.perf_counter_ns() - begin
        result = pool.single(successor, 1)
        first = time.perf_counter_ns() - begin
        pool.stop()
        ended = time.perf_counter_ns() - begin
        assert result == 2, f"the result was {result} in place of 2"
        return {"Lived": {"made": made, "first_result": first, "ended": ended}}


def resident_kib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def main():
    from serving import serve

    placement = sys.argv[2]
    if placement == "pinned":
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    make, module = KINDS[sys.argv[1]]
    importlib.import_module(module)
    driver = Driver(make, placement)
    serve(
        {
            "Open": driver.open,
            "Tiny": driver.tiny,
            "Large": driver.large,
            "Single": driver.singles,
            "Work": driver.work,
            "Idle": driver.idle,
            "Watch": driver.watch,
            "Close": driver.close,
            "Life": driver.life,
        }
    )


if __name__ == "__main__":
    main()
