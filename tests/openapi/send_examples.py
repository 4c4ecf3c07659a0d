#!/usr/bin/python3
"""Sends every example of a request in schema/openapi.yaml to a real front end, and holds the answer against the
description: the status under which the answer's example of the same name stands, the headers that must be there, the
body's schema, the problem's code and words.

  send_examples.py OPENAPI ENV SECKILLCTL          ENV: the file D/env of stack.sh
  send_examples.py OPENAPI ENV SECKILLCTL outage   the broker is down: what is documented for 503 is what comes

Exit status: 0, or 1 with what differs.
"""
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import jsonschema
import yaml

NOT_SENT = {  # (operation, example): why not
    ("getOrder", "accepted"): "inventory decides the order before anybody can ask",
}
VARIES = {"order_id", "stock_left"}  # in a problem; everything else is word for word as in the example
SECONDS = 60

faults = []


def fault(where, what):
    faults.append(f"{where}: {what}")


class Description:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.text = file.read()
        self.doc = yaml.safe_load(self.text)
        self.resolver = jsonschema.RefResolver.from_schema(self.doc)

    def resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            node = self.resolver.resolve(node["$ref"])[1]
        return node

    def operations(self):
        for path, entry in self.doc["paths"].items():
            for method, operation in entry.items():
                if method != "parameters":
                    parameters = [self.resolve(p) for p in entry.get("parameters", []) + operation.get("parameters", [])]
                    yield path, method.upper(), operation, parameters

    def errors(self, schema, value):
        validator = jsonschema.Draft202012Validator(schema, resolver=self.resolver)
        return [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in validator.iter_errors(value)]

    def responses(self, operation):
        return {int(status): self.resolve(r) for status, r in operation["responses"].items()}


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


class Server:
    def __init__(self, env):
        with open(env, encoding="utf-8") as file:
            found = dict(re.findall(r"^(?:export )?(SECKILL_\w+)=[\"']?([^\"'\n]*)", file.read(), re.M))
        self.url = found["SECKILL_URL"]
        self.amqp = found["SECKILL_AMQP_URL"]
        with open(found["SECKILL_ADMIN_TOKEN_FILE"], encoding="utf-8") as file:
            self.token = file.read().strip()
        self.opener = urllib.request.build_opener(NoRedirect, urllib.request.ProxyHandler({}))

    def send(self, method, path, headers, body=None):
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)
        try:
            with self.opener.open(request, timeout=SECONDS) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.headers, answer.read()

    def admin(self, method, path, value, headers=None):
        headers = {"Authorization": "Bearer " + self.token, "Content-Type": "application/json", **(headers or {})}
        return self.send(method, path, headers, json.dumps(value).encode())


# ---- what the examples speak of ----


def publish(server, line):
    client = os.path.join(os.path.dirname(__file__), "..", "support", "amqp_client.py")
    subprocess.run([sys.executable, client, server.amqp, "publish", "seckill.orders", "0"], input=line.encode(), check=True)


def wait_for(what, condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"{what} did not come")
        time.sleep(0.05)


def order_status(server, order_id):
    return json.loads(server.send("GET", f"/v1/orders/{order_id}?wait=5", {})[2]).get("status")


def set_up(server, seckillctl):
    items = {
        "phone-1": {"name": "Phone", "unit_price": 99900, "stock": 1000},
        "phone-2": {"name": "Phone 2", "unit_price": 99900, "stock": 100},
        "phone-gone": {"unit_price": 100, "stock": 1},
        "phone-next": {"unit_price": 100, "stock": 1, "starts_at": "2099-11-11T00:00:00Z"},
        "phone-past": {"unit_price": 100, "stock": 1, "ends_at": "2020-11-11T00:00:00Z"},
        "phone-paused": {"unit_price": 100, "stock": 1, "paused": True},
    }
    for sku, terms in items.items():
        status, _, body = server.admin("PUT", f"/v1/items/{sku}", terms)
        if status != 201:
            sys.exit(f"PUT {sku}: {status} {body.decode()}")
    subprocess.run(
        [*seckillctl, "campaign", "put", "phone-1", "--budget", "100000", "--packets", "100"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    order = {"v": 1, "user_id": "u1", "sku": "phone-1", "quantity": 1}
    publish(server, json.dumps({**order, "order_id": "01ARZ3NDEKTSV4RRFFQ69G5FA1"}))
    publish(server, json.dumps({**order, "order_id": "01ARZ3NDEKTSV4RRFFQ69G5FA3", "sku": "phone-gone"}))
    publish(server, json.dumps({**order, "order_id": "01ARZ3NDEKTSV4RRFFQ69G5FA2", "sku": "phone-gone"}))
    wait_for("the rejection", lambda: order_status(server, "01ARZ3NDEKTSV4RRFFQ69G5FA2") == "rejected")
    packet = lambda: b"red_packet" in server.send("GET", "/v1/orders/01ARZ3NDEKTSV4RRFFQ69G5FA1", {})[2]
    wait_for("the red packet", packet)
    item = lambda: json.loads(server.send("GET", "/v1/items/phone-gone", {})[2])
    wait_for("sold out", lambda: item().get("stock_left") == 0)


# ---- calls ----


class Call:
    """One request: all the parameters' and the body's examples of one name."""

    def __init__(self, d, path, method, operation, parameters, name):
        self.d, self.method, self.operation, self.name = d, method, operation, name
        self.where = f"{method} {path}" + (f", {name}" if name else "")
        self.headers, query = {}, {}
        for p in parameters:
            example = d.resolve(p.get("examples", {}).get(name, {}))
            if "value" not in example:
                continue
            value = str(example["value"])
            if p["in"] == "path":
                path = path.replace("{" + p["name"] + "}", urllib.parse.quote(value, safe=""))
            elif p["in"] == "query":
                query[p["name"]] = value
            else:
                self.headers[p["name"]] = value
        self.path = path + ("?" + urllib.parse.urlencode(query) if query else "")
        self.body = None
        for kind, media in operation.get("requestBody", {}).get("content", {}).items():
            if name in media.get("examples", {}):
                value = media["examples"][name]["value"]
                is_form = kind == "application/x-www-form-urlencoded"
                self.body = (urllib.parse.urlencode(value) if is_form else json.dumps(value)).encode()
                self.headers["Content-Type"] = kind

    def authorize(self, server):
        if {"admin": []} in self.operation.get("security", []) and self.name != "without_token":
            self.headers["Authorization"] = "Bearer " + ("x" if self.name == "wrong_token" else server.token)

    def check_headers(self, response, headers):
        for name, header in response.get("headers", {}).items():
            header, value = self.d.resolve(header), headers.get(name)
            if value is None:
                if header.get("required"):
                    fault(self.where, f"there is no {name}")
                continue
            schema = self.d.resolve(header["schema"])
            value = int(value) if schema.get("type") == "integer" and value.isdigit() else value
            for error in self.d.errors(schema, value):
                fault(self.where, f"{name}: {error}")

    def check_body(self, response, headers, body):
        kind = (headers.get("Content-Type") or "").split(";")[0]
        media = response.get("content", {}).get(kind)
        if media is None:
            fault(self.where, f"{kind} is not documented for this status")
            return
        if not kind.endswith("json"):
            return
        value = json.loads(body)
        for error in self.d.errors(media["schema"], value):
            fault(self.where, error)
        example = media.get("examples", {}).get(self.name, {}).get("value")
        if example is None:
            return
        if set(example) != set(value):
            fault(self.where, f"the members are {sorted(value)}, in the example {sorted(example)}")
        elif kind == "application/problem+json":
            for member in set(value) - VARIES:
                if value[member] != example[member]:
                    fault(self.where, f"{member} is {value[member]!r}, in the example {example[member]!r}")
        elif value.get("status") != example.get("status"):
            fault(self.where, f"status is {value['status']}")

    def check(self, expected, answer):
        status, headers, body = answer
        response = self.d.responses(self.operation).get(status)
        if response is None or (expected and status != expected):
            fault(self.where, f"{status} came, not {expected or 'a documented status'}: {body.decode()[:300]}")
            return
        self.check_headers(response, headers)
        if body:
            self.check_body(response, headers, body)

    def send(self, server):
        return server.send(self.method, self.path, self.headers, self.body)


def expectations(d, operation):
    """{name of an answer's example: status}"""
    found = {}
    for status, response in d.responses(operation).items():
        for media in response.get("content", {}).values():
            found.update({name: status for name in media.get("examples", {})})
    return found


def request_examples(operation, parameters):
    names = [name for m in operation.get("requestBody", {}).get("content", {}).values() for name in m.get("examples", {})]
    needed = [p for p in parameters if p.get("required") and p["in"] == "path" and "examples" in p]
    if not names:
        names = [name for p in parameters for name in p.get("examples", {})]
    return [n for n in dict.fromkeys(names) if all(n in p["examples"] for p in needed)]


def send_operation(d, server, path, method, operation, parameters, ids):
    expected = expectations(d, operation)
    names = request_examples(operation, parameters)
    for name in names or [None]:
        call = Call(d, path, method, operation, parameters, name)
        operation_id = operation["operationId"]
        if (operation_id, name) in NOT_SENT or (name not in expected and method == "GET" and path == "/v1/items/{sku}"):
            continue
        if name and name not in expected and "content" in d.responses(operation)[min(d.responses(operation))] and path.startswith("/v1/"):
            fault(call.where, "no answer has an example of this name")
            continue
        if operation_id == "getOrder" and name == "unknown":
            call.path = f"/v1/orders/{ids['issued']}"
        call.authorize(server)
        answer = call.send(server)
        for _ in range(60 if name == "rate_limited" else 0):
            if answer[0] == 429:
                break
            answer = call.send(server)
        call.check(expected.get(name, 200), answer)
        if name == "refused_with_key":
            ids["issued"] = json.loads(answer[2]).get("order_id")
    return len(names or [None])


def send_all(d, server, seckillctl):
    set_up(server, seckillctl)
    ids, sent = {}, 0
    for path, method, operation, parameters in d.operations():
        sent += send_operation(d, server, path, method, operation, parameters, ids)
    status, headers, body = server.send("GET", "/openapi.yaml", {})
    if (status, headers["Content-Type"]) != (200, "application/yaml") or body.decode() != d.text:
        fault("GET /openapi.yaml", "it is not this file")
    bad = {"Content-Type": "application/json"}
    for where, kind, content, expected in (
        ("not JSON", bad, b"{", 400),
        ("too large", bad, b" " * 5000, 413),
        ("another type", {"Content-Type": "text/csv"}, b"u1", 415),
        ("for a browser", {**bad, "Accept": "text/html"}, b'{"user_id":"b","sku":"phone-1"}', 303),
    ):
        post = Call(d, "/v1/orders", "POST", d.doc["paths"]["/v1/orders"]["post"], [], where)
        post.headers, post.body = kind, content
        post.check(expected, post.send(server))
    print(f"{sent} examples were sent")


def send_in_outage(d, server):
    wait_for("the outage", lambda: server.send("GET", "/readyz", {})[0] == 503)
    for path, method, operation, parameters in d.operations():
        if 503 not in d.responses(operation) or path in ("/v1/items", "/v1/items/{sku}/restock", "/order"):
            continue
        if method == "GET" and path == "/v1/items/{sku}":
            continue
        name = {"postOrder": "accepted", "putItem": "changed", "getOrder": "nobodys"}.get(operation["operationId"])
        call = Call(d, path, method, operation, parameters, name)
        call.authorize(server)
        call.check(503, call.send(server))


def main():
    d, server, config = Description(sys.argv[1]), Server(sys.argv[2]), os.path.dirname(sys.argv[2]) + "/seckill.conf"
    if sys.argv[4:] == ["outage"]:
        send_in_outage(d, server)
    else:
        send_all(d, server, [sys.argv[3], "--config", config])
    print("\n".join(faults))
    return 1 if faults else 0


sys.exit(main())
