"""Password hashes, access tokens, and the dependency that finds the current user."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from fastapi import Depends, HTTPException, status
from fastapi.security import OAuth2PasswordBearer
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from app.config import settings
from app.database import Db
from app.models import User

oauth2_scheme = OAuth2PasswordBearer(tokenUrl="/api/users/token")
password_hash = PasswordHash(
    (
        Argon2Hasher(
            memory_cost=settings.argon2_memory_kib,
            time_cost=settings.argon2_iterations,
            parallelism=settings.argon2_lanes,
        ),
    )
)


def hash_password(password: str) -> str:
    return password_hash.hash(password)


def verify_password(password: str, hashed: str) -> bool:
    return password_hash.verify(password, hashed)


def create_access_token(user_id: int) -> str:
    expires = datetime.now(UTC) + timedelta(minutes=settings.access_token_expire_minutes)
    claims = {"sub": str(user_id), "exp": expires}
    return jwt.encode(claims, settings.secret_key.get_secret_value(), algorithm=settings.algorithm)


def verify_access_token(token: str) -> int | None:
    try:
        claims = jwt.decode(
            token,
            settings.secret_key.get_secret_value(),
            algorithms=[settings.algorithm],
            options={"require": ["exp", "sub"]},
        )
        return int(claims["sub"])
    except (jwt.InvalidTokenError, ValueError):
        return None


def unauthorized(detail: str) -> HTTPException:
    return HTTPException(status.HTTP_401_UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})


async def get_current_user(token: Annotated[str, Depends(oauth2_scheme)], db: Db) -> User:
    user_id = verify_access_token(token)
    if user_id is None:
        raise unauthorized("Invalid or expired token")
    user = await db.get(User, user_id)
    if user is None:
        raise unauthorized("User not found")
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]
