#!/usr/bin/python3
"""Buyers who order all the time and do not give up: what they were promised is checked at the end.

  steady_buyers.py URL SKU BUYERS STOP_FILE    until STOP_FILE exists; then waits for every decision. Prints what it got.

Each order has its own user and Idempotency-Key and is sent again, with the key, after anything but a 202. Exit status 1
where an order that was answered 202 is not confirmed in the end, or an order got two ids.
"""
import http.client
import json
import os
import sys
import threading
import time
import urllib.parse

PAUSE_S = 0.02
GIVE_UP_S = 90


class Buyer(threading.Thread):
    def __init__(self, url, sku, number, stop_file):
        super().__init__()
        self.address = urllib.parse.urlsplit(url).netloc
        self.sku, self.number, self.stop_file = sku, number, stop_file
        self.accepted, self.again, self.wrong = [], 0, []

    def ask(self, method, path, body=None, headers=None):
        """(status, answer); (0, None) where there was none."""
        connection = http.client.HTTPConnection(self.address, timeout=40)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        except (OSError, http.client.HTTPException, ValueError):
            return 0, None
        finally:
            connection.close()

    def order(self, count):
        body = json.dumps({"user_id": f"b{self.number}-{count}", "sku": self.sku})
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"{os.getpid()}-{self.number}-{count}"}
        ids = set()
        deadline = time.monotonic() + GIVE_UP_S
        while time.monotonic() < deadline:
            status, answer = self.ask("POST", "/v1/orders", body, headers)
            if answer and "order_id" in answer:
                ids.add(answer["order_id"])
            if status == 202:
                self.accepted.append(answer["order_id"])
                if len(ids) > 1:
                    self.wrong.append(f"one key, {len(ids)} ids: {ids}")
                return
            if status not in (0, 429, 503, 504):
                self.wrong.append(f"{status} {answer}")
                return
            self.again += 1
            time.sleep(0.2)
        self.wrong.append("no 202 within a long time")

    def settle(self, order_id):
        deadline = time.monotonic() + GIVE_UP_S
        while time.monotonic() < deadline:
            status, answer = self.ask("GET", f"/v1/orders/{order_id}?wait=10")
            if status == 200 and answer["status"] == "confirmed":
                return
            time.sleep(0.1)
        self.wrong.append(f"{order_id} was accepted and is {answer}")

    def run(self):
        count = 0
        while not os.path.exists(self.stop_file):
            count += 1
            self.order(count)
            time.sleep(PAUSE_S)
        for order_id in self.accepted:
            self.settle(order_id)


def main(url, sku, buyers, stop_file):
    threads = [Buyer(url, sku, number, stop_file) for number in range(int(buyers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wrong = [line for thread in threads for line in thread.wrong]
    accepted = sum(len(thread.accepted) for thread in threads)
    print(f"{accepted} accepted and confirmed, {sum(thread.again for thread in threads)} attempts repeated")
    for line in wrong[:20]:
        print(line)
    return 1 if wrong or accepted == 0 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
