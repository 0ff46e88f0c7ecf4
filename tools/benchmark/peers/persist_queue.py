"""Drives persist-queue for headpond-bench: persist_queue.py fifo|ack FOLDER FULL|NORMAL.

Reads "fill COUNT" and "cycles CALLS PER_CALL" from standard input; answers each with the
microseconds that its calls took.
"""
import sys
import time
import uuid
from random import randbytes

import persistqueue

ACKED_ROWS_MAX = 1000  # that clear_acked_data() leaves


def make(count):
    return [(str(uuid.uuid4()), randbytes(500)) for _ in range(count)]


class Fifo:
    """Gets move a cursor in memory; task_done() removes what lies before it."""

    def __init__(self, folder):
        self.queue = persistqueue.FIFOSQLiteQueue(folder, auto_commit=False)

    def cycle(self, items):
        for item in items:
            self.queue.put(item)
        for _ in items:
            self.queue.get(block=False)
        self.queue.task_done()


class Ack:
    """Each get and each ack is a commit."""

    def __init__(self, folder):
        self.queue = persistqueue.SQLiteAckQueue(folder)
        self.acked = 0

    def cycle(self, items):
        for item in items:
            self.queue.put(item)
        leased = [self.queue.get(block=False) for _ in items]
        for item in leased:
            self.queue.ack(item)
        # Without it each get reads past all that was ever acked.
        self.acked += len(items)
        if self.acked >= ACKED_ROWS_MAX:
            self.queue.clear_acked_data()
            self.acked = 0


def main():
    kind, folder, synchronous = sys.argv[1:]
    driver = (Fifo if kind == "fifo" else Ack)(folder)
    # It has no option for it.
    driver.queue._putter.execute("PRAGMA synchronous=" + synchronous)
    print("ready", flush=True)
    for line in sys.stdin:
        what, *numbers = line.split()
        if what == "fill":
            for item in make(int(numbers[0])):
                driver.queue.put(item)
            print(0, flush=True)
            continue
        calls, per_call = map(int, numbers)
        material = [make(per_call) for _ in range(calls)]
        begin = time.perf_counter()
        for items in material:
            driver.cycle(items)
        print((time.perf_counter() - begin) * 1e6, flush=True)


main()
