"""Runs Authlib and requests-oauthlib against the program; scripts/test-oauth starts both."""

import os
import sys
import traceback

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from authlib.oauth2.rfc6750.errors import InvalidTokenError
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc.jwk import KeySet
from oauthlib.oauth2 import InvalidGrantError, LegacyApplicationClient
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session as OauthlibSession

BASE = os.environ["OAUTH_BASE"]
SECRET = os.environ["OAUTH_SECRET"]
USERNAME = "ada@example.com"
PASSWORD = "correct-horse-battery-staple"
FIRST_PARTY = "first-party"
ELSEWHERE = "https://elsewhere.example.org"

AS = requests.get(f"{BASE}/.well-known/oauth-authorization-server", timeout=30).json()
TOKEN, REVOKE, INTROSPECT = (AS[f"{name}_endpoint"] for name in ["token", "revocation", "introspection"])

passed, failed = 0, 0


def step(name, act):
    """Runs one step of a client and returns its result for later steps."""
    global passed, failed
    try:
        result = act()
    except Exception:  # continue with the later steps
        failed += 1
        print(f"test {name} ... FAILED\n{traceback.format_exc()}")
        return None
    passed += 1
    print(f"test {name} ... ok")
    return result


def failure(kind, act):
    """Returns the error of an act that must fail."""
    try:
        act()
    except kind as error:
        return error
    raise AssertionError("it succeeded")


def equal(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


class Validator(JWTBearerTokenValidator):
    """Authlib's validator for RFC 9068, with the program's published keys."""

    def get_jwks(self):
        return KeySet.import_key_set(requests.get(AS["jwks_uri"], timeout=30).json())

    def claims(self, token):
        claims = self.authenticate_token(token)
        self.validate_token(claims, None, None)
        return claims


def play_authlib():
    def named(name, act):
        return step(f"Authlib {name}", act)

    own = AuthlibSession(FIRST_PARTY, token_endpoint=TOKEN, token_endpoint_auth_method="none")
    service = AuthlibSession("reports", SECRET, token_endpoint_auth_method="client_secret_basic")
    stranger = AuthlibSession("reports", "another", token_endpoint_auth_method="client_secret_basic")

    def log_in(password):
        return own.fetch_token(TOKEN, username=USERNAME, password=password)

    def about(token):
        return service.introspect_token(INTROSPECT, token=token).json()

    first = named("logs in by a password", lambda: dict(log_in(PASSWORD)))
    named(
        "sees invalid_grant for a wrong password",
        lambda: equal(failure(OAuthError, lambda: log_in("another")).error, "invalid_grant"),
    )

    def verify():
        claims = Validator(issuer=AS["issuer"], resource_server=BASE).claims(first["access_token"])
        equal((claims["aud"], claims["client_id"]), (BASE, FIRST_PARTY))

    named("verifies an access token by public key, issuer and audience (RFC 9068)", verify)
    for what, validator in [
        ("audience", Validator(issuer=AS["issuer"], resource_server=ELSEWHERE)),
        ("issuer", Validator(issuer=ELSEWHERE, resource_server=BASE)),
    ]:
        named(
            f"refuses an access token of another {what}",
            lambda validator=validator: failure(InvalidTokenError, lambda: validator.claims(first["access_token"])),
        )
    second = named("refreshes", lambda: dict(own.refresh_token(TOKEN, refresh_token=first["refresh_token"])))
    named(
        "sees invalid_grant for a refresh token that is none",
        lambda: equal(
            failure(OAuthError, lambda: own.refresh_token(TOKEN, refresh_token="csr_made-up")).error, "invalid_grant"
        ),
    )

    def ask():
        found = about(second["access_token"])
        equal((found["active"], found["aud"], found["client_id"]), (True, BASE, FIRST_PARTY))

    named("asks about a token with the service's secret", ask)

    def ask_wrongly():
        answer = stranger.introspect_token(INTROSPECT, token=second["access_token"])
        equal((answer.status_code, answer.json()["error"]), (401, "invalid_client"))
        assert answer.headers["WWW-Authenticate"].startswith("Basic "), answer.headers

    named("sees that the service's secret is wrong", ask_wrongly)

    def revoke():
        equal(own.revoke_token(REVOKE, token=second["refresh_token"]).status_code, 200)
        equal(about(second["access_token"]), {"active": False})

    named("revokes a token, which is not active from then on", revoke)


def play_requests_oauthlib():
    def named(name, act):
        return step(f"requests-oauthlib {name}", act)

    client = LegacyApplicationClient(FIRST_PARTY)
    own = OauthlibSession(client=client)

    def log_in(password):
        return own.fetch_token(TOKEN, username=USERNAME, password=password)

    def about(token):
        auth = HTTPBasicAuth("reports", SECRET)
        return requests.post(INTROSPECT, data={"token": token}, auth=auth, timeout=30).json()

    first = named("logs in by a password", lambda: dict(log_in(PASSWORD)))
    named("sees invalid_grant for a wrong password", lambda: failure(InvalidGrantError, lambda: log_in("another")))
    second = named("refreshes", lambda: dict(own.refresh_token(TOKEN, refresh_token=first["refresh_token"])))
    named(
        "sees invalid_grant for a refresh token that is none",
        lambda: failure(InvalidGrantError, lambda: own.refresh_token(TOKEN, refresh_token="csr_made-up")),
    )
    named(
        "calls the API with the access token",
        lambda: equal(own.get(f"{BASE}/api/users/me").json()["email"], USERNAME),
    )
    named("asks about a token with the service's secret", lambda: equal(about(second["access_token"])["active"], True))

    def revoke():
        url, headers, body = client.prepare_token_revocation_request(REVOKE, second["refresh_token"], "refresh_token")
        equal(requests.post(url, headers=headers, data=body, timeout=30).status_code, 200)
        equal(about(second["access_token"]), {"active": False})

    named("revokes a token, which is not active from then on", revoke)


play_authlib()
play_requests_oauthlib()
print(f"\ntest result: {'FAILED' if failed else 'ok'}. {passed} passed; {failed} failed; 0 ignored")
sys.exit(1 if failed else 0)
