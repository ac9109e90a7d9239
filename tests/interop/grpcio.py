"""A session, a pull and a watch by Python's grpcio."""

import importlib
import pathlib
import sys
import tempfile

import grpc
from grpc_tools import protoc

import device

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "proto" / "proto"


def compiled(into, *names):
    files = [str(SCHEMA / f"{name}.proto") for name in names]
    if protoc.main(["", f"-I{SCHEMA}", f"--python_out={into}", f"--grpc_python_out={into}", *files]):
        sys.exit("the schema does not compile")
    sys.path.insert(0, into)
    return [importlib.import_module(f"{name}_pb2{kind}") for name in names for kind in ("", "_grpc")]


def main():
    endpoint, ca, phone = device.arguments()
    with tempfile.TemporaryDirectory() as directory:
        devices, devices_grpc, wallets, wallets_grpc = compiled(directory, "devices", "wallets")
    with open(ca, "rb") as file:
        trust = grpc.ssl_channel_credentials(file.read())
    with grpc.secure_channel(endpoint.removeprefix("https://"), trust) as channel:
        stub = devices_grpc.DevicesStub(channel)
        asked = stub.Challenge(devices.ChallengeRequest(), timeout=10)
        challenge, signature = phone.challenge(asked.cluster, asked.nonce, asked.expires)
        session = stub.OpenSession(
            devices.OpenSessionRequest(challenge=challenge, signature=signature), timeout=10
        )

        def credentials(method):
            proof = phone.proof("POST", f"/holdfast.v1.Wallets/{method}", session.token)
            return [("authorization", f"DPoP {session.token}"), ("dpop", proof)]

        stub = wallets_grpc.WalletsStub(channel)
        request = wallets.PullRequest(wallet=phone.wallet)
        frames = list(stub.Pull(request, metadata=credentials("Pull"), timeout=10))
        head = device.head_number(frames[0].start.head.head)
        envelopes = sum(frame.WhichOneof("part") == "envelope" for frame in frames)
        device.say(pulled=head, envelopes=envelopes)

        seen = 0
        watching = stub.Watch(request, metadata=credentials("Watch"), timeout=60)
        while seen < device.CHANGES:
            frame = next(watching)
            if frame.WhichOneof("part") == "start":
                head = device.head_number(frame.start.head.head)
            elif frame.WhichOneof("part") == "end":
                device.say(watched=head)
                seen += 1
        watching.cancel()


main()
