"""Verifies an access token and prints its user's id: verify_token.py SERVER ISSUER ALGORITHM [AUDIENCE] < token"""

import sys

import jwt  # PyJWT, with `cryptography`


class Verifier:
    """Verifies access tokens with the public keys of a server. Create one and keep it: it caches the keys."""

    def __init__(self, server: str, issuer: str, algorithm: str, audience: str | None = None):
        # Fetches the keys again when a token names an unknown one.
        self.keys = jwt.PyJWKClient(f"{server}/.well-known/jwks.json")
        self.issuer = issuer
        self.algorithm = algorithm
        self.audience = audience or issuer

    def verify(self, token: str) -> dict:
        """Returns the token's claims. Raises jwt.PyJWTError if it is not valid."""
        key = self.keys.get_signing_key_from_jwt(token)
        claims = jwt.decode(
            token,
            key.key,
            algorithms=[self.algorithm],  # never what the token says
            issuer=self.issuer,
            audience=self.audience,
            options={"require": ["iss", "aud", "sub", "sid", "exp"]},
        )
        # The signature covers the header too, so the header is trustworthy here.
        if jwt.get_unverified_header(token).get("typ") != "at+jwt":
            raise jwt.InvalidTokenError("This is not an access token")
        return claims


if __name__ == "__main__":
    try:
        claims = Verifier(*sys.argv[1:5]).verify(sys.stdin.read().strip())
    except jwt.PyJWTError as refused:
        sys.exit(f"{type(refused).__name__}: {refused}")
    print(claims["sub"])
