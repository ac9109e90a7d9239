"""A session, a pull and a watch by curl over HTTP/JSON. Only what is signed is made here."""

import json
import subprocess
import sys

import device


def main():
    endpoint, ca, phone = device.arguments()
    command = ["curl", "--silent", "--show-error", "--fail-with-body", "--cacert", ca]

    def post(path, body):
        sent = ["--json", json.dumps(body), endpoint + path]
        return json.loads(subprocess.run(command + sent, check=True, stdout=subprocess.PIPE).stdout)

    asked = post("/v1/challenges", {})
    challenge, signature = phone.challenge(
        device.unb64(asked["cluster"]), device.unb64(asked["nonce"]), asked["expires"]
    )
    session = post(
        "/v1/sessions", {"challenge": device.b64(challenge), "signature": device.b64(signature)}
    )
    wallet = f"{endpoint}/v1/wallets/{session['wallet']}"

    def get(address):
        proof = phone.proof("GET", address, session["token"])
        headers = ["-H", f"authorization: DPoP {session['token']}", "-H", f"dpop: {proof}"]
        return command + headers + [address]

    pulled = subprocess.run(get(wallet), check=True, stdout=subprocess.PIPE)
    frames = json.loads(pulled.stdout)
    head = device.head_number(device.unb64(frames[0]["start"]["head"]["head"]))
    device.say(pulled=head, envelopes=sum("envelope" in frame for frame in frames))

    watching = subprocess.Popen(
        get(f"{wallet}/watch") + ["--no-buffer"], stdout=subprocess.PIPE, text=True
    )
    seen = 0
    while seen < device.CHANGES:
        line = watching.stdout.readline()
        if not line:
            sys.exit("the watch ended")
        name, _, value = line.rstrip("\n").partition(": ")
        if name == "event":
            event = value
        elif name == "data" and event == "start":
            head = device.head_number(device.unb64(json.loads(value)["head"]["head"]))
        elif name == "data" and event == "end":
            device.say(watched=head)
            seen += 1
    watching.terminate()
    watching.wait()


main()
