"""The handlers of `/api/users`."""

from typing import Annotated

from fastapi import APIRouter, Depends, File, HTTPException, UploadFile, status
from fastapi.security import OAuth2PasswordRequestForm
from PIL import Image, UnidentifiedImageError
from sqlalchemy import func, select
from starlette.concurrency import run_in_threadpool

from app.auth import CurrentUser, create_access_token, hash_password, unauthorized, verify_password
from app.config import settings
from app.database import Db
from app.models import User
from app.pictures import delete_picture, save_picture
from app.schemas import Token, UserCreate, UserPrivate, UserPublic

router = APIRouter()


@router.post("", response_model=UserPrivate, status_code=status.HTTP_201_CREATED)
async def create_user(user: UserCreate, db: Db):
    taken = await db.scalar(select(User.id).where(func.lower(User.username) == user.username.lower()))
    if taken is not None:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "Username already exists")
    taken = await db.scalar(select(User.id).where(User.email == user.email.lower()))
    if taken is not None:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "Email already registered")

    new_user = User(
        username=user.username, email=user.email.lower(), password_hash=hash_password(user.password)
    )
    db.add(new_user)
    await db.commit()
    return new_user


@router.post("/token", response_model=Token)
async def log_in(form: Annotated[OAuth2PasswordRequestForm, Depends()], db: Db):
    user = await db.scalar(select(User).where(User.email == form.username.lower()))
    if user is None or not verify_password(form.password, user.password_hash):
        raise unauthorized("Incorrect email or password")
    return Token(access_token=create_access_token(user.id), token_type="bearer")


@router.get("/me", response_model=UserPrivate)
async def get_me(current_user: CurrentUser):
    return current_user


@router.get("/{user_id}", response_model=UserPublic)
async def get_user(user_id: int, db: Db):
    user = await db.get(User, user_id)
    if user is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "User not found")
    return user


@router.patch("/{user_id}/picture", response_model=UserPrivate)
async def upload_picture(user_id: int, file: Annotated[UploadFile, File()], current_user: CurrentUser, db: Db):
    if user_id != current_user.id:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Not authorized to update this user's picture")
    content = await file.read()
    if len(content) > settings.max_upload_size_bytes:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "File too large. Maximum size is 5MB")
    try:
        name = await run_in_threadpool(save_picture, content)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise HTTPException(
            status.HTTP_400_BAD_REQUEST,
            "Invalid image file. Please upload a valid image (JPEG, PNG, GIF, WebP).",
        ) from error

    previous = current_user.image_file
    current_user.image_file = name
    await db.commit()
    await run_in_threadpool(delete_picture, previous)
    return current_user
