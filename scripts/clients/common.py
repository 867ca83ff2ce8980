"""What the checks of Python's clients share. $AGENT_URL is the agent's address."""

import json
import math
import os
import urllib.request

url = os.environ["AGENT_URL"]
model = "all-MiniLM-L6-v2"
texts = ["The gripper did not close.", "机器人 🤖", "7"]
checks = 0


def check(what, holds):
    global checks
    checks += 1
    if not holds:
        raise SystemExit(f"check-clients: {what}")


def same(a, b):
    return len(a) == len(b) and all(math.isclose(x, y, abs_tol=1e-6) for x, y in zip(a, b, strict=True))


def all_same(what, vectors, expected):
    check(what, len(vectors) == len(expected) and all(map(same, vectors, expected)))


def vectors_of(inputs):
    """Vectors as the agent's own API gives them."""
    body = json.dumps({"inputs": inputs}).encode()
    request = urllib.request.Request(f"{url}/api/v1/embed", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["embeddings"]


plain = vectors_of(texts)


def done(name):
    print(f"check-clients, {name}: {checks} checks passed")
