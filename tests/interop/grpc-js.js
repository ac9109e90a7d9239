// A session, a pull and a watch by @grpc/grpc-js. What it signs is written from docs/formats.md alone.
"use strict";

const crypto = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const SCHEMA = path.join(__dirname, "..", "..", "proto", "proto");
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
// What is there when a watch begins, and one push more.
const CHANGES = 2;
const [endpoint, ca, keysFile, wallet, member] = process.argv.slice(2);

function keyOf(scalar) {
  const curve = crypto.createECDH("prime256v1");
  curve.setPrivateKey(scalar);
  const point = curve.getPublicKey();
  const jwk = { kty: "EC", crv: "P-256", x: b64(point.subarray(1, 33)), y: b64(point.subarray(33)) };
  const secret = crypto.createPrivateKey({ key: { ...jwk, d: b64(scalar) }, format: "jwk" });
  return { point, jwk, secret };
}

function b64(bytes) {
  return Buffer.from(bytes).toString("base64url");
}

function sign({ secret }, message) {
  const signature = crypto.sign("sha256", message, { key: secret, dsaEncoding: "ieee-p1363" });
  const s = BigInt(`0x${signature.subarray(32).toString("hex")}`);
  const low = s > ORDER / 2n ? ORDER - s : s;
  return Buffer.concat([signature.subarray(0, 32), Buffer.from(low.toString(16).padStart(64, "0"), "hex")]);
}

const keys = fs.readFileSync(keysFile);
const at = keys.indexOf("HFdk") + 7;
const device = keyOf(keys.subarray(at, at + 32));
const ephemeral = keyOf(freshScalar());

function freshScalar() {
  const curve = crypto.createECDH("prime256v1");
  curve.generateKeys();
  return Buffer.from(curve.getPrivateKey("hex").padStart(64, "0"), "hex");
}

function challengeFor({ cluster, nonce, expires }) {
  const end = Buffer.alloc(8);
  end.writeBigUInt64BE(BigInt(expires));
  const opening = Buffer.from([...Buffer.from("HFch"), 1, 0, 1, 1]);
  const names = [cluster, Buffer.from(wallet, "hex"), Buffer.from(member, "hex")];
  return Buffer.concat([opening, ...names, nonce, ephemeral.point, end]);
}

function proof(address, token) {
  const header = { typ: "dpop+jwt", alg: "ES256", jwk: ephemeral.jwk };
  const ath = b64(crypto.createHash("sha256").update(token).digest());
  const iat = Math.floor(Date.now() / 1000);
  const claims = { jti: b64(crypto.randomBytes(16)), htm: "POST", htu: address, iat, ath };
  const signed = [header, claims].map((part) => b64(JSON.stringify(part))).join(".");
  return `${signed}.${b64(sign(ephemeral, Buffer.from(signed)))}`;
}

function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

// The number of a head stands behind magic, format, suite and wallet.
function headNumber(start) {
  return Number(start.head.head.readBigUInt64BE(39));
}

function once(client, method, message) {
  return new Promise((done, failed) => {
    client[method](message, (error, reply) => (error ? failed(error) : done(reply)));
  });
}

async function main() {
  const options = { includeDirs: [SCHEMA], keepCase: true, oneofs: true, longs: String, defaults: true };
  const files = ["devices.proto", "wallets.proto"];
  const { v1 } = grpc.loadPackageDefinition(loader.loadSync(files, options)).holdfast;
  const trust = grpc.credentials.createSsl(fs.readFileSync(ca));
  const address = endpoint.replace("https://", "");
  const devices = new v1.Devices(address, trust);
  const wallets = new v1.Wallets(address, trust);

  const challenge = challengeFor(await once(devices, "Challenge", {}));
  const tagged = Buffer.concat([Buffer.from("holdfast/1 challenge\0"), challenge]);
  const session = await once(devices, "OpenSession", { challenge, signature: sign(device, tagged) });
  const request = { wallet: Buffer.from(wallet, "hex") };
  const credentials = (method) => {
    const metadata = new grpc.Metadata();
    metadata.set("authorization", `DPoP ${session.token}`);
    metadata.set("dpop", proof(`/holdfast.v1.Wallets/${method}`, session.token));
    return metadata;
  };

  let head = 0;
  let envelopes = 0;
  for await (const frame of wallets.Pull(request, credentials("Pull"))) {
    if (frame.part === "start") head = headNumber(frame.start);
    if (frame.part === "envelope") envelopes += 1;
  }
  say({ pulled: head, envelopes });
  let seen = 0;
  for await (const frame of wallets.Watch(request, credentials("Watch"))) {
    if (frame.part === "start") head = headNumber(frame.start);
    if (frame.part !== "end") continue;
    say({ watched: head });
    seen += 1;
    // A stream that is left open would keep the program alive.
    if (seen === CHANGES) process.exit(0);
  }
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
