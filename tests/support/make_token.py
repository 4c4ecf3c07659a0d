"""A JSON Web Token made without any library of ours: hmac, and openssl for the signatures.

    make_token.py ALG KEYFILE CLAIMS [HEADER]

ALG is HS256, RS256, ES256 or none: how it is signed. CLAIMS and HEADER are JSON; HEADER is put over {"alg": ALG,
"typ": "JWT"}, so that a header can say something else than what was done.
"""
import base64
import hashlib
import hmac
import json
import subprocess
import sys


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def raw_signature(der):
    """r and s with 32 bytes each, of SEQUENCE { INTEGER r, INTEGER s } with short lengths."""
    at = 2
    parts = []
    for _ in range(2):
        length = der[at + 1]
        number = int.from_bytes(der[at + 2:at + 2 + length], "big")
        parts.append(number.to_bytes(32, "big"))
        at += 2 + length
    return b"".join(parts)


def sign(algorithm, key_file, data):
    if algorithm == "none":
        return b""
    if algorithm == "HS256":
        with open(key_file, "rb") as file:
            return hmac.new(file.read().rstrip(), data, hashlib.sha256).digest()
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key_file], input=data, check=True,
                               capture_output=True).stdout
    return raw_signature(signature) if algorithm == "ES256" else signature


def main():
    algorithm, key_file, claims = sys.argv[1:4]
    header = {"alg": algorithm, "typ": "JWT"}
    if len(sys.argv) > 4:
        header.update(json.loads(sys.argv[4]))
    # Claims go out as they were written, so that they may be no JSON as well.
    data = base64url(json.dumps(header).encode()) + b"." + base64url(claims.encode())
    print((data + b"." + base64url(sign(algorithm, key_file, data))).decode())


main()
