"""Registers a user, with a proof of work if the server requires it: solve_challenge.py SERVER USERNAME EMAIL < password"""

import hashlib
import itertools
import json
import sys
import urllib.error
import urllib.request


def solve(challenge: dict) -> str:
    """Returns the value of `challenge_solution`."""
    for number in itertools.count():
        solution = f"{challenge['challenge']}:{number}"
        digest = hashlib.sha256(solution.encode()).digest()
        if int.from_bytes(digest, "big") >> (256 - challenge["bits"]) == 0:
            return solution


def post(url: str, body: dict) -> dict:
    """Returns the JSON of the response, error responses included."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        return json.load(refusal)


def register(server: str, body: dict) -> dict:
    """Returns the new account, or the problem."""
    answer = post(f"{server}/api/users", body)
    if answer.get("code") == "challenge_required":
        solution = solve(answer["challenge"])
        answer = post(f"{server}/api/users", {**body, "challenge_solution": solution})
    return answer


if __name__ == "__main__":
    server, username, email = sys.argv[1:4]
    account = register(server, {"username": username, "email": email, "password": sys.stdin.read().strip()})
    if "id" not in account:
        sys.exit(f"{account['code']}: {account['detail']}")
    print(account["id"])
