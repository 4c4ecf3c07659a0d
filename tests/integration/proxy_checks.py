"""The shipped examples of nginx and HAProxy, run before a front end: proxy_checks.py CHECK FRONT_END_PORT FOLDER LOG.

FOLDER has certificates by make_certificates.sh. LOG is the front end's, which writes a line for each order; it trusts
127.0.0.1 as a proxy, and no other address of the loopback. The proxies are private processes in the foreground.
"""
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import time

CHECK, PORT, FOLDER, LOG = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
DEPLOY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "deploy")
SECONDS = 60
CLIENT = "127.1.2.3"  # an address of the loopback that is no proxy's


def wait_until(holds, what):
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def request(method, path, body="", headers="", length=None):
    length = len(body) if length is None else length
    return (f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n"
            f"Content-Type: application/json\r\n\r\n{body}").encode()


def order(user, headers=""):
    return request("POST", "/v1/orders", json.dumps({"user_id": user, "sku": "phone"}), headers)


def status(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        assert piece, "closed without an answer"
        data += piece
    return int(data.split()[1])


def connect(port, source, secure=False):
    plain = socket.create_connection(("127.0.0.1", port), SECONDS, (source, 0))
    if not secure:
        return plain
    context = ssl.create_default_context(cafile=os.path.join(FOLDER, "ca.pem"))
    return context.wrap_socket(plain, server_hostname="localhost")


def client_in_log(user):
    def line():
        with open(LOG, encoding="utf-8") as file:
            return [entry for entry in file if "order_received" in entry and f"user={user} " in entry]
    wait_until(line, f"no line about {user}")
    found = re.search(r" client=(\S+)", line()[0])
    return found and found.group(1)


def derive(example, name, changes):
    """The example with other ports and paths; each change must be one."""
    with open(os.path.join(DEPLOY, example), encoding="utf-8") as file:
        text = file.read()
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    path = os.path.join(FOLDER, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def check_proxy(command, port, name):
    with open(os.path.join(FOLDER, name + ".log"), "wb") as log:
        proxy = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        def answers():
            assert proxy.poll() is None, open(os.path.join(FOLDER, name + ".log"), encoding="utf-8").read()
            try:
                with connect(port, CLIENT, True) as probe:
                    probe.sendall(request("GET", "/readyz"))
                    return status(probe) == 200
            except OSError:
                return False
        wait_until(answers, f"{name} does not serve")
        with connect(port, CLIENT, True) as client:
            for i in range(3):
                client.sendall(order(f"by-{name}-{i}", "X-Forwarded-For: 198.51.100.9\r\n"))
                assert status(client) == 202
                assert client_in_log(f"by-{name}-{i}") == CLIENT  # not what the client says of itself
            for path in ("/metrics", "/dashboard", "/v1/stats", "/%6detrics", "/dashboar%64", "/v1%2fstats"):
                client.sendall(request("GET", path))
                assert status(client) == 404, path
    finally:
        proxy.terminate()
        proxy.wait(SECONDS)


def check_nginx():
    port = free_port()
    derive("nginx/seckill.conf", "site.conf",
           [("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"), ("127.0.0.1:8080", f"127.0.0.1:{PORT}"),
            ("/etc/ssl/seckill/fullchain.pem", f"{FOLDER}/server.pem"),
            ("/etc/ssl/seckill/privkey.pem", f"{FOLDER}/server.key")])
    main = os.path.join(FOLDER, "nginx.conf")
    with open(main, "w", encoding="utf-8") as file:
        temporary = "".join(f"{what}_temp_path {FOLDER}/{what};\n"
                            for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        file.write(f"daemon off; master_process off; pid {FOLDER}/nginx.pid; error_log stderr;\n"
                   f"events {{ worker_connections 1024; }}\n"
                   f"http {{ access_log off;\n{temporary}include {FOLDER}/site.conf; }}\n")
    check_proxy(["/usr/sbin/nginx", "-p", FOLDER, "-c", main], port, "nginx")


def check_haproxy():
    port = free_port()
    with open(os.path.join(FOLDER, "both.pem"), "w", encoding="utf-8") as both:
        for part in ("server.pem", "server.key"):
            with open(os.path.join(FOLDER, part), encoding="utf-8") as file:
                both.write(file.read())
    path = derive("haproxy/haproxy.cfg", "haproxy.cfg",
                  [("bind :443", f"bind 127.0.0.1:{port}"), ("/etc/haproxy/seckill.pem", f"{FOLDER}/both.pem"),
                   ("127.0.0.1:8080", f"127.0.0.1:{PORT}"), ("maxconn 20000", "maxconn 1000")])
    check_proxy(["/usr/sbin/haproxy", "-db", "-f", path], port, "haproxy")


def check_limit():
    """http.connections_per_address is 3: of a proxy's connections there may be more, of a client's requests not."""
    mine = "X-Forwarded-For: 203.0.113.5\r\n"
    body = json.dumps({"user_id": "slow", "sku": "phone"})
    waiting = [connect(PORT, "127.0.0.1") for _ in range(3)]
    for connection in waiting:
        connection.sendall(request("POST", "/v1/orders", body[:5], mine, len(body)))

    def is_full():
        with connect(PORT, "127.0.0.1") as one_more:
            one_more.sendall(order("one-more", mine))
            return status(one_more) == 429
    wait_until(is_full, "a fourth request of one client is taken")
    with connect(PORT, "127.0.0.1") as other:
        other.sendall(order("other-client", "X-Forwarded-For: 203.0.113.6\r\n"))
        assert status(other) == 202
    with connect(PORT, CLIENT) as stranger:  # whose word for somebody else is not taken
        stranger.sendall(order("stranger", mine))
        assert status(stranger) == 202
    assert client_in_log("stranger") is None
    for connection in waiting:
        connection.sendall(body[5:].encode())
    assert [status(connection) for connection in waiting] == [202] * 3
    wait_until(lambda: not is_full(), "the places are not given back")


globals()["check_" + CHECK]()
