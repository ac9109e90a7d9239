#!/usr/bin/env python3
"""The second reader of Holdfast's format 1, written from the format alone and sharing no code with the first.

Reads every v001_*.json beside it, accepts what must be accepted and refuses what must be refused, and says how many
of each. Exit code 0 if all is as it must be. Needs Python 3.9 and `cryptography` (python3-cryptography will do).
"""
import hashlib, hmac, json, pathlib, struct, sys
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

try:  # Not in older versions; the vectors carry what it gives.
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
except ImportError:
    Argon2id = None

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
DEVICE, CODE, PASSPHRASE, REVOKER = 1, 2, 3, 4
GENESIS, ROTATE, ADD, REVOKE, MINSUITE, ERASE = 1, 2, 3, 4, 5, 6

class Refused(Exception): pass
class Update(Refused): pass
def need(holds):
    if not holds: raise Refused
def known(value, highest):
    if value > highest: raise Update
    need(value > 0)
    return value

class Reader:
    def __init__(self, data): self.data, self.at = data, 0
    def take(self, n):
        need(0 <= n <= len(self.data) - self.at)
        self.at += n
        return self.data[self.at - n:self.at]
    def num(self, n): return int.from_bytes(self.take(n), "big")
    def left(self): return len(self.data) - self.at
    def end(self): need(self.left() == 0)
    def opening(self, magic):
        need(self.take(4) == magic)
        known(self.num(1), 1)
        known(self.num(2), 1)

# --- Primitives and S1 ---
def sha(data): return hashlib.sha256(data).digest()
def mac(key, data): return hmac.new(key, data, "sha256").digest()
def tagged(tag, data): return sha(b"holdfast/1 " + tag + b"\0" + data)

def expand(prk, info, n):
    out, block, i = b"", b"", 1
    while len(out) < n:
        block = mac(prk, block + info + bytes([i]))
        out, i = out + block, i + 1
    return out[:n]
def kdf(key, label, n): return expand(key, b"holdfast/1 " + label, n)

def point(data):
    need(data[0] == 4)
    try: return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data)
    except ValueError: raise Refused

def verify(key, tag, data, signature):
    need(len(signature) == 64)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    need(0 < r < ORDER and 0 < s <= ORDER // 2)
    message = b"holdfast/1 " + tag + b"\0" + data
    try: point(key).verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature: raise Refused

def gcm_open(key, nonce, text, aad):
    try: return AESGCM(key).decrypt(nonce, text, aad)
    except (InvalidTag, ValueError): raise Refused

def lextract(suite, salt, label, ikm): return mac(salt, b"HPKE-v1" + suite + label + ikm)
def lexpand(suite, prk, label, info, n): return expand(prk, struct.pack(">H", n) + b"HPKE-v1" + suite + label + info, n)
KEM, HPKE = b"KEM\x00\x10", b"HPKE\x00\x10\x00\x01\x00\x02"

def derive_scalar(ikm):
    prk = lextract(KEM, b"", b"dkp_prk", ikm)
    for counter in range(256):
        scalar = lexpand(KEM, prk, b"candidate", bytes([counter]), 32)
        if 0 < int.from_bytes(scalar, "big") < ORDER: return scalar
def private(scalar): return ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP256R1())
def public(scalar):
    n = private(scalar).public_key().public_numbers()
    return b"\x04" + n.x.to_bytes(32, "big") + n.y.to_bytes(32, "big")

def hpke_open(scalar, recipient, enc, info, ct):
    dh = private(scalar).exchange(ec.ECDH(), point(enc))
    shared = lexpand(KEM, lextract(KEM, b"", b"eae_prk", dh), b"shared_secret", enc + recipient, 32)
    context = b"\0" + lextract(HPKE, b"", b"psk_id_hash", b"") + lextract(HPKE, b"", b"info_hash", info)
    secret = lextract(HPKE, shared, b"secret", b"")
    return gcm_open(lexpand(HPKE, secret, b"key", context, 32), lexpand(HPKE, secret, b"base_nonce", context, 12), ct, b"")

# --- Member, Seal and Envelope, Recovery code, Challenge ---
def read_cost(r): need(65536 <= r.num(4) <= 1 << 20 and 3 <= r.num(4) <= 16 and r.num(4) == 4)

def read_member(r):
    start, kind = r.at, known(r.num(1), 4)
    need(r.num(1) == 0)
    keys = []
    need(r.num(1) == (1 if kind == REVOKER else 2))
    for use, alg in [(1, 0x0001), (2, 0x0010)][:1 if kind == REVOKER else 2]:
        need((r.num(1), r.num(2), r.num(2)) == (use, alg, 65))
        keys.append(r.take(65))
        point(keys[-1])
    need(len(set(keys)) == len(keys))
    need(r.num(2) == {DEVICE: 0, CODE: 16, PASSPHRASE: 28, REVOKER: 16}[kind])
    locator = r.take(16) if kind != DEVICE else None
    if kind == PASSPHRASE: read_cost(r)
    data = r.data[start:r.at]
    return {"kind": kind, "sign": keys[0], "seal": keys[1] if len(keys) > 1 else None, "keys": set(keys),
            "locator": locator, "id": tagged(b"member", data)[:16], "bytes": data}
def whole(read, data):
    r = Reader(data)
    value = read(r)
    r.end()
    return value

def read_seal(r):
    member = r.take(16)
    known(r.num(2), 1)
    need(r.num(2) == 113)
    enc = r.take(65)
    need(enc[0] == 4)
    return {"member": member, "enc": enc, "ct": r.take(48)}

def read_envelope(data):
    r = Reader(data)
    r.opening(b"HFev")
    e = {"purpose": known(r.num(1), 8), "wallet": r.take(32), "id": r.take(16), "version": r.num(8),
         "generation": r.num(4), "header": data[:68], "salt": r.take(32), "commit": r.take(32), "text": r.take(r.left())}
    size = len(e["text"]) - 16
    need(size >= 0)
    if e["purpose"] in (1, 4, 5): need(size in [1024 << i for i in range(9)])
    if e["purpose"] == 1: need(e["version"] and e["generation"])
    return e

def open_envelope(key, e):
    keys = expand(mac(e["salt"], key), b"holdfast/1 env\0" + e["header"], 76)
    need(hmac.compare_digest(keys[44:], e["commit"]))
    content = gcm_open(keys[:32], keys[32:44], e["text"], e["header"])
    if e["purpose"] not in (1, 4, 5): return content
    n = int.from_bytes(content[:4], "big")
    need(len(content) == next((1024 << i for i in range(9) if n + 4 <= 1024 << i), 0) and not any(content[4 + n:]))
    return content[4:4 + n]
def wk_commit(key, wallet, generation): return kdf(key, b"wk" + wallet + struct.pack(">I", generation), 32)

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

def code_member(kind, text):
    tag = b"code" if kind == "recovery" else b"revoker"
    letters = "".join(c for c in text.upper() if c != "-" and not c.isspace())
    letters = letters.replace("O", "0").replace("I", "1").replace("L", "1")
    need(len(letters) == 28 and all(c in ALPHABET for c in letters))
    bits = 0
    for c in letters: bits = bits << 5 | ALPHABET.index(c)
    seed = (bits >> 12).to_bytes(16, "big")
    need(bits & 0xFFF == int.from_bytes(tagged(tag, seed)[:2], "big") >> 4)
    prk = mac(b"holdfast/1 " + tag, seed)
    sign, seal = (derive_scalar(kdf(prk, label, 32)) for label in (b"sign", b"seal"))
    locator = kdf(prk, b"locator", 16)
    key = lambda use, alg, scalar: bytes([use]) + struct.pack(">HH", alg, 65) + public(scalar)
    keys = key(1, 1, sign) + (key(2, 0x10, seal) if tag == b"code" else b"")
    head = bytes([CODE, 0, 2]) if tag == b"code" else bytes([REVOKER, 0, 1])
    return seed, sign, seal, locator, head + keys + b"\0\x10" + locator

def check_challenge(data, member, signature):
    r = Reader(data)
    r.opening(b"HFch")
    use = r.num(1)
    need(use in (1, 2))
    r.take(16)
    need((r.take(32) == bytes(32)) == (use == 2))
    need(r.take(16) == member["id"] and (use == 1) == (member["kind"] == DEVICE))
    r.take(32)
    need(r.take(65)[0] == 4)
    r.take(8)
    r.end()
    verify(member["sign"], b"challenge", data, signature)

# --- Link, and who may sign what ---
def read_link(data):
    r = Reader(data)
    r.opening(b"HFln")
    link = {"wallet": r.take(32), "n": r.num(4), "prev": r.take(32), "kind": known(r.num(1), 6), "signer": r.take(16), "bytes": data}
    need((link["kind"] == GENESIS) == (link["n"] == 0))
    if link["n"] == 0: need(not any(link["wallet"] + link["prev"]))
    need(r.num(4) == r.left())
    kind = link["kind"]
    if kind == GENESIS:
        link["region"] = r.take(1)
        r.take(32)
        link["members"] = [read_member(r) for _ in range(r.num(1))]
    elif kind == ROTATE:
        link["gen"], link["commit"] = r.num(4), r.take(32)
        need(link["gen"])
        history = r.take(r.num(2))
        need(len(history) == (0 if link["gen"] == 1 else 180))
        link["history"] = read_envelope(history) if history else None
        link["seals"] = [read_seal(r) for _ in range(r.num(1))]
    elif kind == ADD:
        link["members"] = [whole(read_member, r.take(r.num(2)))]
        link["gen"] = r.num(4)
        if link["members"][0]["kind"] != REVOKER: need(read_seal(r)["member"] == link["members"][0]["id"])
    elif kind == REVOKE: link["target"], _ = r.take(16), r.num(1)
    elif kind == MINSUITE: link["suite"] = known(r.num(2), 1)
    r.end()
    return link

def may(state, signer, link):
    kind, who = link["kind"], signer["kind"]
    if who == CODE: return True
    if kind == ROTATE: return who in (DEVICE, PASSPHRASE)
    if kind == MINSUITE: return who == DEVICE
    if kind == ADD:
        added = link["members"][0]["kind"]
        if added == CODE: return who == DEVICE and not any(m["kind"] == CODE for m in state["ever"])
        return added == DEVICE and who in (DEVICE, PASSPHRASE)
    if kind == REVOKE:
        target = state["active"].get(link["target"])
        return bool(target) and target["kind"] == DEVICE and who in (DEVICE, REVOKER) and target is not signer
    return False

def admit(state, link, signatures):
    kind, new = link["kind"], link.get("members", [])
    need(len({m["id"] for m in new}) == len(new) and len({k for m in new for k in m["keys"]}) == sum(len(m["keys"]) for m in new))
    if state is None:
        need(kind == GENESIS)
        kinds = [m["kind"] for m in new]
        need(DEVICE in kinds and kinds.count(CODE) <= 1 and PASSPHRASE not in kinds)
        need(link["signer"] == next(m["id"] for m in new if m["kind"] == DEVICE))
        state = {"wallet": link["region"] + tagged(b"link", link["bytes"])[:31], "gen": 0, "due": False, "erased": False,
                 "active": {}, "ever": [], "n": 0}
        signer = None
    else:
        state = dict(state, active=dict(state["active"]), ever=list(state["ever"]))
        need(not state["erased"] and kind != GENESIS and link["n"] == state["n"])
        need(link["wallet"] == state["wallet"] and link["prev"] == state["last"] and (state["n"] > 1 or kind == ROTATE))
        signer = state["active"].get(link["signer"])
        need(signer is not None and may(state, signer, link))
    if kind == ROTATE:
        need(link["gen"] == state["gen"] + 1)
        if link["history"]:
            e = link["history"]
            need((e["purpose"], e["wallet"], e["id"], e["version"], e["generation"]) == (2, state["wallet"], bytes(16), 0, link["gen"]))
        need([s["member"] for s in link["seals"]] == sorted(i for i, m in state["active"].items() if m["seal"]))
        state.update(gen=link["gen"], due=False)
    if kind == ADD: need(link["gen"] == state["gen"] and not any(m["keys"] & new[0]["keys"] for m in state["ever"]))
    if kind == REVOKE:
        need(state["active"].pop(link["target"], None))
        state["due"] = True
    need(kind != MINSUITE)  # Starts at 1, only rises, and no higher suite is known.
    if kind == ERASE: state["erased"] = True
    keys = {m["id"]: m["sign"] for m in new}
    keys.update({signer["id"]: signer["sign"]} if signer else {})
    required = [link["signer"]] + sorted(i for i in keys if i != link["signer"])
    need(len(signatures) == 80 * len(required))
    for at, member in enumerate(required):
        entry = signatures[80 * at:80 * at + 80]
        need(entry[:16] == member)
        verify(keys[member], b"link", link["bytes"], entry[16:])
    state["active"].update({m["id"]: m for m in new})
    state["ever"] += new
    state.update(n=link["n"] + 1, last=tagged(b"link", link["bytes"]))
    return state

# --- Head and commit ---
def tree(leaves):  # RFC 6962, 2.1
    if not leaves: return sha(b"")
    if len(leaves) == 1: return sha(b"\0" + leaves[0])
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha(b"\1" + tree(leaves[:k]) + tree(leaves[k:]))

def root(entries):
    rows = [(i, i + struct.pack(">Q", v) + h) for i, (v, h) in sorted(entries.items())]
    buckets = (tagged(b"bucket", bytes([b]) + b"".join(row for i, row in rows if i[0] == b)) for b in range(256))
    return tagged(b"root", struct.pack(">I", len(rows)) + b"".join(buckets))

def take_commit(held, c):
    old = held or {"state": None, "leaves": [], "entries": {}, "root": None}
    r = Reader(c["head"])
    r.opening(b"HFhd")
    h = {"wallet": r.take(32), "seq": r.num(8), "prev": r.take(32), "history": r.take(32), "root": r.take(32),
         "links": r.num(4), "link": r.take(32), "signer": r.take(16), "time": r.num(8)}
    r.end()
    before = old["leaves"] + c["between"]
    need(h["seq"] == len(before) + 1 and h["prev"] == (before[-1] if before else bytes(32)) and h["history"] == tree(before))
    state = old["state"]
    need(state is None or not state["erased"])
    for link, signatures in c["links"]: state = admit(state, read_link(link), signatures)
    need(state is not None and state["gen"] and h["wallet"] == state["wallet"] and (h["links"], h["link"]) == (state["n"], state["last"]))
    ids = []
    entries = dict(old["entries"])
    for data in c["envelopes"]:
        e = read_envelope(data)
        stored = entries.get(e["id"], (0,))[0]
        need(e["purpose"] == 1 and e["wallet"] == state["wallet"])
        if c["between"]: need(e["version"] > stored and (old["state"] or {"gen": 0})["gen"] <= e["generation"] <= state["gen"])
        else: need(e["version"] == stored + 1 and e["generation"] == state["gen"])
        ids.append(e["id"])
        entries[e["id"]] = (e["version"], tagged(b"body", data))
    need(ids == sorted(set(ids)) and c["removed"] == sorted(set(c["removed"])) and not set(ids) & set(c["removed"]))
    for i in c["removed"]:
        need(i in old["entries"])
        del entries[i]
    need(not (state["due"] and (ids or c["removed"])) and h["root"] == root(entries))
    signer = state["active"].get(h["signer"])
    need(signer is not None and len(c["signature"]) == 80 and c["signature"][:16] == h["signer"])
    if signer["kind"] != DEVICE or state["erased"]: need(not c["between"] and h["root"] == old["root"])
    verify(signer["sign"], b"head", c["head"], c["signature"][16:])
    return {"state": state, "leaves": before + [tagged(b"head", c["head"])], "entries": entries, "root": h["root"]}

# --- The files ---
def raw(v): return bytes.fromhex(v)

def members(v, _):
    m = whole(read_member, raw(v["bytes"]))
    return m["id"] == raw(v["id"]) and m["kind"] == v["kind"] if "id" in v else True

def codes(v, _):
    seed, sign, seal, locator, member = code_member(v["kind"], v["text"])
    if "seed" not in v: return True
    code_member(v["kind"], v["typed"])
    return (seed, sign, locator, member) == tuple(raw(v[k]) for k in ("seed", "sign", "locator", "member")) and v["seal"] in (None, seal.hex())

def challenges(v, _):
    check_challenge(raw(v["challenge"]), whole(read_member, raw(v["member"])), raw(v["signature"]))
    return True

def seals(v, _):
    member, seal, wallet = whole(read_member, raw(v["member"])), whole(read_seal, raw(v["seal"])), raw(v["wallet"])
    need(seal["member"] == member["id"])
    info = b"holdfast/1 seal\0" + struct.pack(">H", 1) + wallet + struct.pack(">I", v["generation"]) + member["id"]
    key = hpke_open(raw(v["scalar"]), member["seal"], seal["enc"], info, seal["ct"])
    need(wk_commit(key, wallet, v["generation"]) == raw(v["wk_commit"]))
    return key == raw(v["wallet_key"])

def envelopes(v, file):
    place = v if "of" not in v else next(a for a in file["accept"] if a["name"] == v["of"])
    data, purpose = raw(v["bytes"]), place["purpose"]
    if purpose in (5, 6, 8):
        front, data = data[:28], data[28:]
        need(len(front) == 28)
        read_cost(Reader(front[16:]))
        memory, passes = struct.unpack(">II", front[16:24])
        if Argon2id: key = Argon2id(salt=front[:16], length=32, iterations=passes, lanes=4, memory_cost=memory).derive(place["passphrase"].encode())
        else:
            need(front == raw(place["bytes"])[:28])
            key = raw(place["stretched"])
    else: key = raw(place["key"])
    label = {1: b"record", 2: b"history", 3: b"outer", 4: None, 5: b"export", 6: b"device", 7: b"wrap", 8: b"epoch"}[purpose]
    if label: key = kdf(key, label, 32)
    e = read_envelope(data)
    need((e["purpose"], e["wallet"], e["id"], e["version"], e["generation"])
         == (purpose, raw(place["wallet"]), raw(place["id"]), place["version"], place["generation"]))
    content = open_envelope(key, e)
    if purpose == 2: need(wk_commit(content, e["wallet"], e["generation"] - 1) == raw(place["wk_commit"]))
    if purpose == 3: need(e["id"] == tagged(b"outer", bytes([place["table"]]) + raw(place["inner_key"]))[:16])
    if purpose == 5 and e["version"] == 1: need(e["id"] == tagged(b"export", content)[:16])
    return content == raw(place["content"])

def links(v, file):
    states = file.setdefault("states", [])
    after = v.get("after", len(states))
    state = admit(states[after - 1] if after else None, read_link(raw(v["link"])), raw(v["signatures"]))
    if "after" in v: return True
    states.append(state)
    return (state["last"], state["wallet"], state["gen"], state["due"], [i.hex() for i in sorted(state["active"])]) == (
        raw(v["hash"]), raw(v["wallet"]), v["generation"], v["rotation_due"], v["active"])

def commits(v, file):
    helds = file.setdefault("helds", [])
    commit = {"head": raw(v["head"]), "signature": raw(v["signature"]), "links": [(raw(l["link"]), raw(l["signatures"])) for l in v["links"]]}
    commit.update({k: [raw(x) for x in v[k]] for k in ("between", "envelopes", "removed")})
    held = take_commit(helds[v["after"] - 1] if v["after"] else None, commit)
    if "hash" not in v: return True
    if v["after"] == len(helds): helds.append(held)
    entries = [[i.hex(), n, h.hex()] for i, (n, h) in sorted(held["entries"].items())]
    return held["leaves"][-1] == raw(v["hash"]) and entries == v["entries"]

def outcome(check, vector, file):
    try: return "accepted" if check(vector, file) else "read as something else"
    except Update: return "update"
    except Refused: return "refused"

def main():
    wrong = total = 0
    for check in (members, codes, challenges, seals, envelopes, links, commits):
        file = json.loads((pathlib.Path(__file__).parent / f"v001_{check.__name__}.json").read_text())
        for expected, vectors in (("accepted", file["accept"]), (None, file["refuse"])):
            for vector in vectors:
                found, due, total = outcome(check, vector, file), expected or vector["why"], total + 1
                if found != due:
                    wrong += 1
                    print(f"{check.__name__}: {vector['name']}: {found}, must be {due}")
        print(f"{check.__name__}: {len(file['accept'])} to accept, {len(file['refuse'])} to refuse")
    print(f"{total} vectors, {wrong} wrong")
    sys.exit(1 if wrong else 0)

if __name__ == "__main__": main()
