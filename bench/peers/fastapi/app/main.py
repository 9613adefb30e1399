"""An application with accounts and posts on FastAPI, as in the tutorial."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, status
from fastapi.staticfiles import StaticFiles
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.config import settings
from app.database import Db, create_schema, engine
from app.routers import posts, users


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    await create_schema()
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)
app.include_router(users.router, prefix="/api/users", tags=["users"])
app.include_router(posts.router, prefix="/api/posts", tags=["posts"])
app.mount("/media/profile_pics", StaticFiles(directory=settings.data_dir), name="pictures")


@app.get("/health")
async def health(db: Db):
    try:
        await db.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError) as error:
        raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, "Database unavailable") from error
    return {"status": "healthy"}
