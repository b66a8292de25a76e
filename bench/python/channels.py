"""The driver of Python's multiprocessing for `channels`: what `src/channels/driver` is for the others.

usage: channels.py TRANSPORT PLACEMENT

Requests and answers are those of `src/channels/protocol.rs`. Messages begin with a byte that says what the peer does.
"""

import multiprocessing
import os
import sys
import time

from serving import serve

ECHO, SWALLOW, ACKNOWLEDGE, STOP = b"\0", b"\1", b"\2", b"\3"
SHORT = 8
END = bytes(16)

context = multiprocessing.get_context("fork")


class Pipe:
    """One end of a `Pipe`, and bytes that are not pickled."""

    def __init__(self, connection):
        self.send, self.receive = connection.send_bytes, connection.recv_bytes

    @staticmethod
    def pair(size):
        del size
        return map(Pipe, context.Pipe())


class Queue:
    """A `Queue` for each direction."""

    def __init__(self, to, back):
        self.send, self.receive = to.put, back.get

    @staticmethod
    def pair(size):
        # `put` returns at once: without a bound, large messages would pile up in the sender.
        most = 0 if size <= 4096 else 64 if size <= 65536 else 2
        there, back = context.Queue(most), context.Queue(most)
        return Queue(there, back), Queue(back, there)


def attend(end, size):
    """The life of a peer."""
    answers = {ECHO: ECHO + bytes(size - 1), ACKNOWLEDGE: ACKNOWLEDGE + bytes(SHORT - 1)}
    while (signal := end.receive()[:1]) != STOP:
        if signal in answers:
            end.send(answers[signal])


class Link:
    """The end of the driver, and a peer that is there."""

    def __init__(self, transport, cpus, size, least):
        self.end, theirs = transport.pair(size)
        self.size = size
        self.messages = {signal: signal + bytes(size - 1) for signal in (ECHO, SWALLOW, ACKNOWLEDGE, STOP)}
        self.peer = context.Process(target=attend, args=(theirs, size))
        pin(cpus[1])
        self.peer.start()
        pin(cpus[0])
        self.round_trips(10, least)
        self.one_way(10, least)

    def round_trips(self, millis, least):
        send, receive, message = self.end.send, self.end.receive, self.messages[ECHO]
        ns = []
        deadline = time.perf_counter_ns() + millis * 1_000_000
        while True:
            begin = time.perf_counter_ns()
            if len(ns) >= least and begin >= deadline:
                return {"RoundTrips": {"ns": ns}}
            send(message)
            back = receive()
            ns.append(time.perf_counter_ns() - begin)
            assert len(back) == self.size, f"{len(back)} bytes came back"

    def one_way(self, millis, least):
        send, message = self.end.send, self.messages[SWALLOW]
        between_looks = range(64 if self.size <= 4096 else 1)
        sent = 0
        begin = time.perf_counter_ns()
        deadline = begin + millis * 1_000_000
        while sent < least or time.perf_counter_ns() < deadline:
            for _ in between_looks:
                send(message)
            sent += len(between_looks)
        send(self.messages[ACKNOWLEDGE])
        self.end.receive()
        return {"Flow": {"count": sent + 1, "ns": time.perf_counter_ns() - begin}}

    def idle(self, millis):
        self.round_trips(1, 1)
        time.sleep(0.001)
        before = time.process_time_ns() + run_time(self.peer.pid)
        time.sleep(millis / 1e3)
        return {"Idle": {"cpu_ns": time.process_time_ns() + run_time(self.peer.pid) - before}}

    def close(self):
        self.end.send(self.messages[STOP])
        self.peer.join()
        assert self.peer.exitcode == 0, self.peer.exitcode


def run_time(pid):
    """The processor time of all threads of another process, in nanoseconds: the clock that clock_getcpuclockid(3) names."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def produce(queue, results, millis):
    put, count, total = queue.put, 0, 0
    at = time.monotonic_ns()
    deadline = at + millis * 1_000_000
    while count == 0 or count % 64 or time.monotonic_ns() < deadline:
        count += 1
        put(count.to_bytes(16, "little"))
        total += count
    queue.close()
    queue.join_thread()
    results.send((at, count, total))


def consume(queue, results):
    get, count, total = queue.get, 0, 0
    while (item := get()) != END:
        count += 1
        total += int.from_bytes(item, "little")
    results.send((time.monotonic_ns(), count, total))


def crowd(millis):
    queue = context.Queue()
    (produced, told_produced), (consumed, told_consumed) = context.Pipe(False), context.Pipe(False)
    consumers = [context.Process(target=consume, args=(queue, told_consumed)) for _ in range(2)]
    producers = [context.Process(target=produce, args=(queue, told_produced, millis)) for _ in range(2)]
    for process in consumers + producers:
        process.start()
    for process in producers:
        process.join()
    for _ in consumers:
        queue.put(END)
    for process in consumers:
        process.join()
    sent, received = ([pipe.recv() for _ in range(2)] for pipe in (produced, consumed))
    totals = [[sum(column) for column in list(zip(*rows))[1:]] for rows in (sent, received)]
    assert totals[0] == totals[1], f"{totals[0]} were sent (count and sum), {totals[1]} were received"
    ns = max(row[0] for row in received) - min(row[0] for row in sent)
    return {"Flow": {"count": totals[0][0], "ns": ns}}


def pin(cpu):
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})


def main():
    transport, placement = {"pipe": Pipe, "queue": Queue}[sys.argv[1]], sys.argv[2]
    allowed = os.sched_getaffinity(0)
    first, last = min(allowed), max(allowed)
    # Where this process and the peer are.
    cpus = {"free": (None, None), "apart": (first, last), "pinned": (last, last)}[placement]
    pin(cpus[1])
    link = None

    def open_link(size, least):
        nonlocal link
        link = Link(transport, cpus, size, least)
        return {"Done": {}}

    def close_link():
        nonlocal link
        link.close()
        link = None
        return {"Done": {}}

    serve(
        {
            "Open": open_link,
            "RoundTrip": lambda **batch: link.round_trips(**batch),
            "OneWay": lambda **batch: link.one_way(**batch),
            "Idle": lambda **settings: link.idle(**settings),
            "Close": close_link,
            "Crowd": crowd,
        }
    )


if __name__ == "__main__":
    main()
