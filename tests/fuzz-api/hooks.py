"""Hooks for schemathesis: requests are sent as a user with a post, who is replaced when logged out or deleted.

`FUZZ_BASE` is the server's URL, `FUZZ_INTROSPECTION_SECRET` its secret for introspection.
"""

import os
import threading
import uuid

import requests
import schemathesis

BASE = os.environ["FUZZ_BASE"]
INTROSPECTION_SECRET = os.environ["FUZZ_INTROSPECTION_SECRET"]
PASSWORD = "correct-horse-battery-staple"
SECONDS_MAX = 30


class Person:
    """The current user."""

    def __init__(self):
        self.lock = threading.Lock()
        self.session = requests.Session()
        self.token = None
        self.ids = {}

    def ask(self, method, path, **more):
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return self.session.request(method, BASE + path, headers=headers, timeout=SECONDS_MAX, **more)

    def current_token(self):
        """Returns a valid token: a generated request may have ended the session or deleted the account."""
        with self.lock:
            if self.token is None or self.ask("GET", "/api/users/me").status_code != 200:
                self.begin()
            return self.token

    def begin(self):
        self.token = None
        name = f"fuzz-{uuid.uuid4()}"
        email = f"{name}@example.com"
        registered = self.ask("POST", "/api/users", json={"username": name, "email": email, "password": PASSWORD})
        registered.raise_for_status()
        login = self.ask("POST", "/api/users/token", data={"username": email, "password": PASSWORD})
        login.raise_for_status()
        self.token = login.json()["access_token"]
        self.ids = {"user_id": registered.json()["id"]}
        post = self.ask("POST", "/api/posts", json={"title": "A title", "content": "A text"})
        if post.status_code == 201:
            self.ids["post_id"] = post.json()["id"]
        sessions = self.ask("GET", "/api/users/me/sessions").json()["sessions"]
        self.ids["session_id"] = sessions[0]["id"]


PERSON = Person()


@schemathesis.hook
def before_load_schema(ctx, raw_schema):
    """Declares OAuth2 as an HTTP bearer scheme, because schemathesis checks missing authentication only for HTTP schemes
    and cookies."""
    raw_schema["components"]["securitySchemes"]["OAuth2PasswordBearer"] = {"type": "http", "scheme": "bearer"}


@schemathesis.auth(refresh_interval=None)
class Bearer:
    """Sends the current user's token where the operation accepts one."""

    def get(self, case, ctx):
        if case.operation.path.endswith("/introspect"):
            return INTROSPECTION_SECRET
        return PERSON.current_token()

    def set(self, case, data, ctx):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def map_path_parameters(ctx, path_parameters):
    """Replaces half of the valid ids with the current user's, because random ids do not exist."""
    for name, value in (path_parameters or {}).items():
        try:
            is_chosen = uuid.UUID(value).int % 2 == 0 and str(uuid.UUID(value)) == value
        except (AttributeError, TypeError, ValueError):
            continue
        if is_chosen and name in PERSON.ids:
            path_parameters[name] = PERSON.ids[name]
    return path_parameters
