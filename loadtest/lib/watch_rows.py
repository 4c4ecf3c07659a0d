"""Watches a number in a worker's database rise to a value: watch_rows.py DATABASE SQL VALUE.

Prints how many a second it rose from the first change that was seen to the end. It reads only, and seldom, because the
watcher shares the machine with what it watches. Exit status 1 if it does not get there within ten minutes.
"""
import pathlib
import sqlite3
import sys
import time

database, sql, goal = pathlib.Path(sys.argv[1]).resolve().as_uri(), sys.argv[2], int(sys.argv[3])
connection = sqlite3.connect(f"{database}?mode=ro", uri=True, isolation_level=None, timeout=10)


def value():
    return connection.execute(sql).fetchone()[0]


begin, end_by, first = value(), time.monotonic() + 600, None
still = time.monotonic()  # when it had not risen yet
print("watching", flush=True)
while True:
    now, count = time.monotonic(), value()
    if count == begin:
        still = now
    elif first is None:  # if all is there at once, it has come since it was looked at the last time
        first = (now, count) if count < goal else (still, begin)
    if count >= goal:
        break
    if now > end_by:
        sys.exit(f"{sql} stays at {count} of {goal}")
    time.sleep(0.01)
seconds = now - first[0] if first else 0
print(round((count - first[1]) / seconds) if seconds > 0 else 0)
