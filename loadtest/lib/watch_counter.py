"""Watches a counter on a front end's /metrics rise to a value: watch_counter.py URL NAME VALUE.

Prints how many a second it rose from the first change that was seen to the end. One connection, few polls and no HTTP
library (it took 2 ms for an answer), because the watcher shares the machine with what it watches. Exit status 1 if it
does not get there within ten minutes.
"""
import socket
import sys
import time
from urllib.parse import urlsplit

address, name, goal = urlsplit(sys.argv[1]), ("\n" + sys.argv[2] + " ").encode(), int(sys.argv[3])
connection = socket.create_connection((address.hostname, address.port), timeout=10)
request = f"GET /metrics HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode()


def value():
    connection.sendall(request)
    answer = bytearray()
    body = length = -1
    while body < 0 or len(answer) < body + length:
        piece = connection.recv(1 << 16)
        if not piece:
            sys.exit("the front end ended the connection")
        answer += piece
        if body < 0 and b"\r\n\r\n" in answer:
            body = answer.index(b"\r\n\r\n") + 4
            head = bytes(answer[:body]).lower()
            length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    at = answer.index(name) + len(name)
    return int(answer[at:answer.index(b"\n", at)])


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
        sys.exit(f"{sys.argv[2]} stays at {count} of {goal}")
    time.sleep(0.01 if first is None else 0.04)
seconds = now - first[0] if first else 0
print(round((count - first[1]) / seconds) if seconds > 0 else 0)
