"""Show what is dictated, with nothing but pyzmq and the standard library.

Run it before or after the service starts, and leave at will: nothing waits for it. The messages are described in
docs/protocol.md.
"""

import json
import os
from pathlib import Path

import zmq

xdg = os.environ.get("XDG_RUNTIME_DIR")
default = f"{xdg}/sottovoce" if xdg else f"/dev/shm/sottovoce-{os.getuid()}"  # noqa: S108 - the service's own
runtime = Path(os.environ.get("SOTTOVOCE_RUNTIME_DIR") or default)

socket = zmq.Context().socket(zmq.SUB)
for prefix in ("state.", "transcript."):
    socket.setsockopt_string(zmq.SUBSCRIBE, prefix)

connected = set()
newest = {}
while True:
    # Every process of the service publishes at a socket of its own; look for new ones once a second.
    for path in set(runtime.glob("*.events")) - connected:
        socket.connect(f"ipc://{path}")
        connected.add(path)
    if not socket.poll(1000):
        continue
    topic, payload = socket.recv_multipart()
    message = json.loads(payload)
    if message["v"] != 1:
        continue
    # The last state is sent again to all when somebody attaches; what is not newer is such a repeat.
    key = message["src"], message["type"]
    if message["t_ns"] <= newest.get(key, -1):
        continue
    newest[key] = message["t_ns"]
    body = message["body"]
    if message["type"] == "transcript.draft":
        print("draft:", body["text"], flush=True)
    elif message["type"] == "transcript.final":
        print("final:", body["text"], flush=True)
    elif message["type"].startswith("state."):
        print("state:", message["src"], body["state"], flush=True)
