"""Watches a counter on a front end's /metrics rise to a value: watch_counter.py URL NAME VALUE.

Prints how many a second it rose from the first change that was seen to the end. One connection and few polls, because
the watcher shares the machine with what it watches. Exit status 1 if it does not get there within ten minutes.
"""
import http.client
import sys
import time
from urllib.parse import urlsplit

address, name, goal = urlsplit(sys.argv[1]), sys.argv[2], int(sys.argv[3])
connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)


def value():
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))


begin, end_by, first = value(), time.monotonic() + 600, None
print("watching", flush=True)
while True:
    now, count = time.monotonic(), value()
    if first is None and count > begin:
        first = now, count
    if count >= goal:
        break
    if now > end_by:
        sys.exit(f"{name} stays at {count} of {goal}")
    time.sleep(0.01 if first is None else 0.04)
seconds = now - first[0]
print(round((count - first[1]) / seconds) if seconds > 0 else 0)
