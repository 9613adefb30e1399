"""Settings from the environment."""

from pathlib import Path
from urllib.parse import unquote

from pydantic import SecretStr
from pydantic_settings import BaseSettings
from sqlalchemy import URL, make_url


class Settings(BaseSettings):
    database_url: str
    data_dir: Path
    secret_key: SecretStr
    algorithm: str = "HS256"
    access_token_expire_minutes: int = 30
    posts_per_page: int = 10
    max_upload_size_bytes: int = 5 * 1024 * 1024
    argon2_memory_kib: int = 65536
    argon2_iterations: int = 3
    argon2_lanes: int = 4

    def sqlalchemy_url(self) -> URL:
        """The same database in SQLAlchemy's way of naming it."""
        scheme, separator, rest = self.database_url.partition(":")
        if scheme == "sqlite":
            # `sqlite:/path` and `sqlite:///path` are the same file.
            return URL.create("sqlite+aiosqlite", database=rest.removeprefix("//"))
        url = make_url(f"postgresql+asyncpg{separator}{rest}")
        if url.host and url.host.startswith("%2F"):
            # The folder of a unix socket.
            url = url.set(host="", query={"host": unquote(url.host)})
        return url


settings = Settings()
