"""The database: one pool for each worker, one session for each request."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from app.config import settings

url = settings.sqlalchemy_url()
is_sqlite = url.get_backend_name() == "sqlite"
engine = create_async_engine(url, connect_args={"timeout": 5} if is_sqlite else {})
new_session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


if is_sqlite:

    @event.listens_for(engine.sync_engine, "connect")
    def set_pragmas(connection, _record):
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout = 5000")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()


async def create_schema() -> None:
    async with engine.begin() as connection:
        # Both workers come here at once; the second finds everything made.
        await connection.exec_driver_sql("BEGIN IMMEDIATE" if is_sqlite else "SELECT pg_advisory_xact_lock(1)")
        await connection.run_sync(Base.metadata.create_all)


async def get_db() -> AsyncIterator[AsyncSession]:
    async with new_session() as session:
        yield session


Db = Annotated[AsyncSession, Depends(get_db)]
