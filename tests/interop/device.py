"""A device as docs/formats.md describes it: what it signs to open a session, and to use one.

Written from the documents alone; it shares nothing with the client crate.
"""

import base64
import hashlib
import json
import os
import sys
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SUITE = b"\x00\x01"
TO_READ = b"\x01"
# What is there when a watch begins, and one push more.
CHANGES = 2


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign(key, message):
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + min(s, ORDER - s).to_bytes(32, "big")


def head_number(head):
    """The number of a head, behind magic, format, suite and wallet."""
    return int.from_bytes(head[39:47], "big")


def say(**line):
    print(json.dumps(line), flush=True)


class Device:
    def __init__(self, keys_file, wallet, member):
        with open(keys_file, "rb") as file:
            keys = file.read()
        keys = keys[keys.index(b"HFdk") :]
        self.key = ec.derive_private_key(int.from_bytes(keys[7:39], "big"), ec.SECP256R1())
        self.wallet, self.member = bytes.fromhex(wallet), bytes.fromhex(member)
        self.ephemeral = ec.generate_private_key(ec.SECP256R1())

    def challenge(self, cluster, nonce, expires):
        """The challenge to sign, and its signature."""
        point = self.ephemeral.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        opening = b"HFch\x01" + SUITE + TO_READ + cluster + self.wallet + self.member
        challenge = opening + nonce + point + expires.to_bytes(8, "big")
        return challenge, sign(self.key, b"holdfast/1 challenge\0" + challenge)

    def proof(self, verb, address, token):
        """A proof of possession (RFC 9449) for one request."""
        numbers = self.ephemeral.public_key().public_numbers()
        jwk = {
            "kty": "EC",
            "crv": "P-256",
            "x": b64(numbers.x.to_bytes(32, "big")),
            "y": b64(numbers.y.to_bytes(32, "big")),
        }
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}
        claims = {
            "jti": b64(os.urandom(16)),
            "htm": verb,
            "htu": address,
            "iat": int(time.time()),
            "ath": b64(hashlib.sha256(token.encode()).digest()),
        }
        signed = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
        return f"{signed}.{b64(sign(self.ephemeral, signed.encode()))}"


def arguments():
    """ENDPOINT CA_FILE KEYS_FILE WALLET MEMBER"""
    endpoint, ca, keys, wallet, member = sys.argv[1:6]
    return endpoint, ca, Device(keys, wallet, member)
