"""The driver of Python's multiprocessing for `managers`: what `src/managers/driver` is for the others.

usage: managers.py local|tcp PLACEMENT

Requests and answers are those of `src/managers/protocol.rs`.
"""

import multiprocessing
import os
import queue
import sys
import threading
import time
from multiprocessing.managers import BaseManager

from placing import part
from serving import serve

VALUE = 0x0123456789ABCDEF
AHEAD = 150_000_000
WORKERS = 2

context = multiprocessing.get_context("fork")


class Number:
    def __init__(self, value):
        self.value = value

    def get(self):
        return self.value


class Manager(BaseManager):
    pass


tasks, results = queue.Queue(), queue.Queue()
Manager.register("Number", Number)
Manager.register("get_task_queue", callable=lambda: tasks)
Manager.register("get_result_queue", callable=lambda: results)


def start(socket):
    address = ("127.0.0.1", 0) if socket == "tcp" else None
    manager = Manager(address, authkey=b"bench", ctx=context)
    manager.start()
    return manager


def fill(call, begin, end):
    """Calls as often as possible within a time: how often."""
    call()
    early = begin - time.monotonic_ns()
    assert early > 0, "the time began before everybody was there"
    time.sleep(early / 1e9)
    count = 0
    while time.monotonic_ns() < end:
        value = call()
        assert value == VALUE, f"the value was {value}"
        count += 1
    return count


def crowd_of_threads(told, call, threads, *window):
    counts = []
    all_threads = [threading.Thread(target=lambda: counts.append(fill(call, *window))) for _ in range(threads)]
    for thread in all_threads:
        thread.start()
    for thread in all_threads:
        thread.join()
    assert len(counts) == threads, "a thread failed"
    told.send(sum(counts))


def work(address):
    """As the tutorials do it."""
    manager = Manager(address, authkey=b"bench")
    manager.connect()
    todo, done = manager.get_task_queue(), manager.get_result_queue()
    while True:
        number = todo.get()
        done.put(number * number)


class Driver:
    def __init__(self, socket):
        self.socket = socket
        self.manager = start(socket)
        self.number = self.manager.Number(VALUE)
        self.queues = None
        for _ in range(1000):
            self.number.get()

    def calls(self, millis, least):
        get = self.number.get
        ns = []
        deadline = time.perf_counter_ns() + millis * 1_000_000
        while True:
            begin = time.perf_counter_ns()
            if len(ns) >= least and begin >= deadline:
                return {"Calls": {"ns": ns}}
            value = get()
            ns.append(time.perf_counter_ns() - begin)
            assert value == VALUE, f"the value was {value}"

    def crowd(self, crowd, millis):
        begin = time.monotonic_ns() + AHEAD
        window = begin, begin + millis * 1_000_000
        processes = []
        for _ in range(crowd["processes"]):
            hears, tells = context.Pipe(False)
            process = context.Process(target=crowd_of_threads, args=(tells, self.number.get, crowd["threads"], *window))
            process.start()
            tells.close()
            processes.append((process, hears))
        count = sum(hears.recv() for _, hears in processes)
        for process, _ in processes:
            process.join()
        return {"Flow": {"count": count, "ns": millis * 1_000_000}}

    def tasks(self, count):
        if self.queues is None:
            self.queues = self.manager.get_task_queue(), self.manager.get_result_queue()
            for _ in range(WORKERS):
                context.Process(target=work, args=(self.manager.address,), daemon=True).start()
        todo, done = self.queues
        begin = time.perf_counter_ns()
        for number in range(count):
            todo.put(number)
        total = sum(done.get() for _ in range(count))
        ns = time.perf_counter_ns() - begin
        expected = sum(number * number for number in range(count))
        assert total == expected, f"the results add up to {total} in place of {expected}"
        return {"Flow": {"count": count, "ns": ns}}


def main():
    socket, placement = sys.argv[1:]
    allowed = os.sched_getaffinity(0)
    if placement == "pinned":
        os.sched_setaffinity(0, {max(allowed)})
    driver = Driver(socket)
    if placement == "apart":
        part(min(allowed), max(allowed))
    serve({"Calls": driver.calls, "Crowd": driver.crowd, "Tasks": driver.tasks})


if __name__ == "__main__":
    main()
