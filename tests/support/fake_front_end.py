#!/usr/bin/python3
"""A front end that decides by itself, and may be slow or lie: for those who judge front ends.

  fake_front_end.py [--stock N] [--limit N] [--stall-at COUNT --stall-ms MS] [--lie LIE]

Serves on a free port of the loopback and prints it; ends when its standard input does. With --stall-at it stands still
for so long when the COUNTth POST came. LIE is one of

  oversells   confirms whatever the stock is            limit     … whatever the buyer has got
  changes     tells another decision when asked again   forgets   answers 404 for what it accepted
  keys        gives each repeat of a key a new id       receipts  gives one number to all
  other       tells of another buyer than the one who ordered
  no-http     answers POSTs with something else than HTTP
  closes      closes the connection instead of answering each seventh POST
"""
import argparse
import asyncio
import json
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--stock", type=int, default=1000000)
parser.add_argument("--limit", type=int, default=0)
parser.add_argument("--stall-at", type=int, default=0)
parser.add_argument("--stall-ms", type=int, default=0)
parser.add_argument("--lie", default="")
options = parser.parse_args()

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
orders, by_key, bought = {}, {}, {}
sold = posts = 0


def id_of(number):
    digits = ""
    for _ in range(26):
        digits = ALPHABET[number % 32] + digits
        number //= 32
    return digits


def take_order(order, key):
    global sold
    whose = (order["user_id"], order["sku"], key)
    if key and whose in by_key and options.lie != "keys":
        return by_key[whose]
    order_id = id_of(len(orders))
    by_key[whose] = order_id
    units, has = order["quantity"], bought.get(whose[:2], 0)
    reason = None
    if options.limit and has + units > options.limit and options.lie != "limit":
        reason = "limit_exceeded"
    elif sold + units > options.stock and options.lie != "oversells":
        reason = "sold_out"
    else:
        sold += units
        bought[whose[:2]] = has + units
    receipt = 7 if options.lie == "receipts" else len(orders) + 1
    orders[order_id] = dict(order, order_id=order_id, reason=reason, receipt_no=receipt, asked=0)
    return order_id


def show(order_id):
    order = orders.get(order_id)
    if not order or (options.lie == "forgets" and order["receipt_no"] % 5 == 0):
        return 404, {"code": "not_found"}
    order["asked"] += 1
    answer = {name: order[name] for name in ("order_id", "user_id", "sku", "quantity")}
    if options.lie == "other":
        answer["user_id"] += "x"
    changed = options.lie == "changes" and order["asked"] > 1
    if order["reason"] or changed:
        return 200, dict(answer, status="rejected", reason=order["reason"] or "sold_out")
    return 200, dict(answer, status="confirmed", receipt_no=order["receipt_no"])


def answer(method, path, key, body):
    global posts
    if method == "POST":
        posts += 1
        if posts == options.stall_at:
            time.sleep(options.stall_ms / 1000)
        try:
            order = json.loads(body)
            return 202, {"order_id": take_order(order, key), "status": "accepted"}
        except (ValueError, KeyError, TypeError):
            return 400, {"code": "malformed", "status": 400}
    if path == "/v1/items":
        left = max(0, options.stock - sold)
        item = {"sku": "phone-1", "stock_total": options.stock, "stock_left": left,
                "limit_per_user": options.limit, "shard": 0}
        return 200, {"items": [item]}
    if path.startswith("/v1/orders/"):
        return show(path[len("/v1/orders/"):].split("?")[0])
    return 404, {"code": "not_found"}


class Connection(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.received = transport, b""

    def data_received(self, data):
        self.received += data
        while b"\r\n\r\n" in self.received:
            head, rest = self.received.split(b"\r\n\r\n", 1)
            lines = head.decode().split("\r\n")
            fields = dict(line.split(": ", 1) for line in lines[1:])
            length = int(fields.get("Content-Length", 0))
            if len(rest) < length:
                return
            self.received = rest[length:]
            method, path, _ = lines[0].split(" ")
            status, body = answer(method, path, fields.get("Idempotency-Key"), rest[:length])
            self.send(method, status, json.dumps(body).encode())

    def send(self, method, status, body):
        if method == "POST" and options.lie == "no-http":
            self.transport.write(b"220 mail.example ESMTP\r\n")
        elif method == "POST" and options.lie == "closes" and posts % 7 == 0:
            self.transport.close()
        elif status == 202:  # in two pieces, so that readers have to put it together
            self.transport.write(b"HTTP/1.1 202 X\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body))
            self.transport.write(body + b"\r\n0\r\n\r\n")
        else:
            self.transport.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))


async def serve():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


asyncio.run(serve())
