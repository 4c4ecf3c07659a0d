"""Waits for the ready signals of services: the receiving end of systemd's sd_notify, for several at once.

ready.py SECONDS UNIT...   prints, one a line: "UNIT socket NAME" for each (what goes into its NOTIFY_SOCKET) before
anything else, then "UNIT status TEXT" and "UNIT ready" as they come, and "- tick" ten times a second, so that its
reader can look at other things without a time-out of its own: bash's read -t may take a line's end off the pipe and
report a time-out all the same. Ends when all are ready, when the time is over, or when nobody reads its output any more.
"""
import select
import socket
import sys
import time

deadline = time.monotonic() + float(sys.argv[1])
poll = select.poll()
poll.register(sys.stdout, 0)  # reports only that the other end was closed
waiting = {}
for unit in sys.argv[2:]:
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    receiver.bind("")  # the kernel chooses a free name in the abstract namespace: no file to clean up
    poll.register(receiver, select.POLLIN)
    waiting[receiver.fileno()] = (unit, receiver)
    print(unit, "socket", "@" + receiver.getsockname()[1:].decode(), flush=True)

while waiting:
    events = poll.poll(100)
    if time.monotonic() >= deadline or sys.stdout.fileno() in dict(events):
        sys.exit(1)
    if not events:
        print("- tick", flush=True)
    for number, _ in events:
        unit, receiver = waiting[number]
        for line in receiver.recv(65536).decode(errors="replace").splitlines():
            name, _, value = line.partition("=")
            if name == "STATUS":
                print(unit, "status", value, flush=True)
            elif line == "READY=1":
                print(unit, "ready", flush=True)
                poll.unregister(receiver)
                del waiting[number]
