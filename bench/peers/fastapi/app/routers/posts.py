"""The handlers of `/api/posts`."""

from typing import Annotated

from fastapi import APIRouter, Query, status
from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from app.auth import CurrentUser
from app.config import settings
from app.database import Db
from app.models import Post
from app.schemas import PaginatedPostsResponse, PostCreate, PostResponse

router = APIRouter()


@router.get("", response_model=PaginatedPostsResponse)
async def list_posts(
    db: Db,
    skip: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = settings.posts_per_page,
):
    total = await db.scalar(select(func.count()).select_from(Post))
    posts = await db.scalars(
        select(Post)
        .options(selectinload(Post.author))
        .order_by(Post.date_posted.desc())
        .offset(skip)
        .limit(limit)
    )
    page = [PostResponse.model_validate(post) for post in posts]
    return PaginatedPostsResponse(
        posts=page, total=total, skip=skip, limit=limit, has_more=skip + len(page) < total
    )


@router.post("", response_model=PostResponse, status_code=status.HTTP_201_CREATED)
async def create_post(post: PostCreate, current_user: CurrentUser, db: Db):
    new_post = Post(title=post.title, content=post.content, author=current_user)
    db.add(new_post)
    await db.commit()
    return new_post
