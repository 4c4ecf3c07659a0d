"""What test_https.c has a TLS client do: https_checks.py CHECK PORT CERTIFICATES [ARGUMENT...].

CERTIFICATES is a folder by make_certificates.sh, with live.pem and live.key, which are what the front end serves. A check
that does not hold ends in an exception. Everything has a deadline; nothing is timed.
"""
import functools
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import sys
import time

CHECK, PORT, FOLDER = sys.argv[1], int(sys.argv[2]), sys.argv[3]
SECONDS = 60


@functools.cache
def context():
    return ssl.create_default_context(cafile=os.path.join(FOLDER, "ca.pem"))


def connect(port=PORT):
    plain = socket.create_connection(("127.0.0.1", port), SECONDS)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context().wrap_socket(plain, server_hostname="localhost")


def request(method, path, body="", headers=""):
    return (f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {len(body)}\r\n"
            f"Content-Type: application/json\r\n\r\n{body}").encode()


def order(user):
    return request("POST", "/v1/orders", json.dumps({"user_id": user, "sku": "phone"}))


def answer(connection):
    """Status and body of the next answer; what is read ahead stays in connection.ahead."""
    data = ahead.pop(connection, b"")
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        assert piece, "closed without an answer"
        data += piece
    head, _, data = data.partition(b"\r\n\r\n")
    length = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")][0]
    while len(data) < length:
        data += connection.recv(65536)
    ahead[connection] = data[length:]
    return int(head.split()[1]), data[:length]


ahead = {}


def get(port, path):
    client = http.client.HTTPSConnection("localhost", port, timeout=SECONDS, context=context())
    client.request("GET", path)
    response = client.getresponse()
    body = response.read()
    client.close()
    return response.status, body


def wait_until(holds):
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.02)


def check_records():
    """However a request falls into TLS records, it is one request."""
    connection = connect()
    for byte in order("in-many-records"):
        connection.send(bytes([byte]))
    assert answer(connection)[0] == 202
    # A body that follows its head, in two halves; and many requests in one record.
    head, _, body = order("in-three-records").partition(b"\r\n\r\n")
    for piece in (head + b"\r\n\r\n", body[:10], body[10:]):
        connection.send(piece)
    assert answer(connection)[0] == 202
    connection.sendall(b"".join(order(f"in-one-record-{i}") for i in range(60)))
    assert [answer(connection)[0] for _ in range(60)] == [202] * 60
    # Larger than the library's buffer, in one record: what GnuTLS has read and nobody fetched must not be forgotten.
    connection.sendall(request("POST", "/v1/orders", '{"user_id": "u", "sku": "phone"}' + " " * 3900,
                               "X-Padding: " + "x" * 3000 + "\r\n"))
    assert answer(connection)[0] == 202
    connection.sendall(request("POST", "/v1/orders", " " * 5000))
    assert answer(connection)[0] == 413


def check_in_step():
    """Many that send at the same moment: 128 and its multiples are where the library's own loop would stall."""
    for count in (128, 512):
        connections = [connect() for _ in range(count)]
        for turn in range(2):
            for i, connection in enumerate(connections):
                connection.send(order(f"step-{count}-{turn}-{i}"))
            statuses = [answer(connection)[0] for connection in connections]
            assert statuses == [202] * count, statuses
        for connection in connections:
            connection.close()


def check_long_polls():
    """Suspended and resumed connections, while others come and go."""
    connections = [connect() for _ in range(100)]
    for i, connection in enumerate(connections):
        connection.send(order(f"poll-{i}"))
    for connection in connections:
        status, body = answer(connection)
        assert status == 202
        connection.send(request("GET", f"/v1/orders/{json.loads(body)['order_id']}?wait=30"))
    for connection in connections:
        status, body = answer(connection)
        assert status == 200 and json.loads(body)["status"] == "confirmed", body


def serial(connection):
    return connection.getpeercert()["serialNumber"]


def serve(name, key=None):
    for source, suffix in ((name, "pem"), (key or name, "key")):
        shutil.copy(os.path.join(FOLDER, f"{source}.{suffix}"), os.path.join(FOLDER, f"live.{suffix}.new"))
        os.replace(os.path.join(FOLDER, f"live.{suffix}.new"), os.path.join(FOLDER, f"live.{suffix}"))


def check_renewal(pid, log):
    """New connections get the new certificate, old ones go on; a bad one changes nothing and is named."""
    pid = int(pid)
    old = [connect() for _ in range(20)]
    before = serial(old[0])
    serve("renewed")
    os.kill(pid, signal.SIGHUP)
    wait_until(lambda: serial(connect()) != before)
    after = serial(connect())
    for i, connection in enumerate(old):
        connection.send(order(f"renewal-{i}"))
    assert [answer(connection)[0] for connection in old] == [202] * 20

    def trouble():
        with open(log, encoding="utf-8") as file:
            return [line for line in file if "certificate_not_renewed" in line]

    for number, (spoil, words) in enumerate([
            (lambda: serve("expired"), "has expired"),
            (lambda: serve("server", "client"), "is not the key of the certificate in"),
            (lambda: open(os.path.join(FOLDER, "live.pem"), "w").close(), "not a certificate"),
            (lambda: os.remove(os.path.join(FOLDER, "live.pem")), "No such file")]):
        spoil()
        os.kill(pid, signal.SIGHUP)
        wait_until(lambda: len(trouble()) > number)
        assert words in trouble()[number] and "live." in trouble()[number], trouble()[number]
        assert serial(connect()) == after
    serve("server")


def client_hello():
    outgoing = ssl.MemoryBIO()
    session = context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def check_slow_handshakes(pid):
    """Half a handshake is given up after http.request_timeout_s, and until then costs next to nothing."""
    slow = []
    for first in (client_hello()[:6], client_hello(), b""):
        for _ in range(30):
            connection = socket.create_connection(("127.0.0.1", PORT), SECONDS)
            connection.send(first)
            slow.append(connection)
    assert get(PORT, "/healthz")[0] == 200
    used, began = processor_seconds(pid), time.monotonic()
    for connection in slow:
        connection.settimeout(SECONDS)
        try:
            while connection.recv(65536):
                pass
        except ConnectionResetError:
            pass
    waited = time.monotonic() - began
    # They are cut off all at about the same time. A thread that spins meanwhile uses up all of it.
    assert waited < 1 or processor_seconds(pid) - used < waited * 0.6, (processor_seconds(pid) - used, waited)


def check_plain(expected_port):
    """No fallback: plain HTTP gets no answer on the TLS port, nor does an old TLS."""
    del expected_port
    plain = socket.create_connection(("127.0.0.1", PORT), SECONDS)
    plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    received = b""
    try:
        while piece := plain.recv(4096):
            received += piece
    except ConnectionResetError:
        pass
    assert b"HTTP/" not in received, received
    old = ssl.create_default_context(cafile=os.path.join(FOLDER, "ca.pem"))
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    try:
        with socket.create_connection(("127.0.0.1", PORT), SECONDS) as connection:
            old.wrap_socket(connection, server_hostname="localhost")
    except (ssl.SSLError, ConnectionResetError):
        return
    raise AssertionError("TLS 1.1 was taken")


def check_two_listeners(admin):
    """What concerns operators is at the other address only; both speak TLS."""
    admin = int(admin)
    for path in ("/metrics", "/dashboard", "/v1/stats"):
        assert get(PORT, path)[0] == 404, path
        assert get(admin, path)[0] == 200, path
    for path in ("/healthz", "/readyz", "/style.css", "/openapi.yaml"):
        assert get(PORT, path)[0] == 200, path
        assert get(admin, path)[0] == 200, path
    for path in ("/", "/v1/items", "/busy"):
        assert get(PORT, path)[0] == 200, path
        assert get(admin, path)[0] == 404, path
    with connect(admin) as connection:
        connection.send(order("at-the-wrong-door"))
        assert answer(connection)[0] == 404
    for port, status in ((PORT, 405), (admin, 401)):
        with connect(port) as connection:
            connection.send(request("PUT", "/v1/items/phone", "{}"))
            assert answer(connection)[0] == status


globals()["check_" + CHECK](*sys.argv[4:])
