//! Decides how posts are kept and in which order they are listed: newest first, among equal times by id.

use countersign::model::{Profile, UserId};
use countersign_db::{Conn, DbError, DbTime, on_db};
use uuid::Uuid;

use crate::model::{Changes, Content, Cursor, Post, PostId, Title};

/// `id, title, content, date_posted, user_id, username, image_file`
type PostRow = (Uuid, String, String, DbTime, Uuid, String, Option<String>);

impl TryFrom<PostRow> for Post {
    type Error = DbError;

    fn try_from((id, title, content, date_posted, user_id, username, image_file): PostRow) -> Result<Self, DbError> {
        let author = Profile { id: user_id.into(), username, image_file };
        Ok(Self { id: id.into(), author, title, content, date_posted: timestamp(date_posted)? })
    }
}

fn timestamp(time: DbTime) -> Result<jiff::Timestamp, DbError> {
    time.timestamp().ok_or(DbError::CorruptRow { table: "posts", column: "date_posted" })
}

/// Which part of a list is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// Only what stands behind this place …
    pub(crate) after: Cursor,
    /// … and there not the first so many …
    pub(crate) skip: i64,
    /// … and of the rest these.
    pub(crate) rows_max: i64,
}

/// Adds a post.
pub(crate) async fn insert(conn: Conn<'_>, post: &Post) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("INSERT INTO posts (id, user_id, title, content, date_posted) VALUES ($1, $2, $3, $4, $5)")
            .bind(post.id.uuid())
            .bind(post.author.id.uuid())
            .bind(&post.title)
            .bind(&post.content)
            .bind(DbTime::from(post.date_posted))
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// The post with this id.
pub(crate) async fn find(conn: Conn<'_>, id: PostId) -> Result<Option<Post>, DbError> {
    let row: Option<PostRow> = on_db!(conn, c => {
        sqlx::query_as(
            "SELECT posts.id, posts.title, posts.content, posts.date_posted, posts.user_id, \
                 author.username, author.image_file \
             FROM posts \
             JOIN auth_user_profiles AS author ON author.id = posts.user_id \
             WHERE posts.id = $1",
        )
        .bind(id.uuid())
        .fetch_optional(c)
        .await
    })?;
    row.map(Post::try_from).transpose()
}

/// Who wrote the post with this id.
pub(crate) async fn find_author(conn: Conn<'_>, id: PostId) -> Result<Option<UserId>, DbError> {
    let author: Option<Uuid> = on_db!(conn, c => {
        sqlx::query_scalar("SELECT user_id FROM posts WHERE id = $1").bind(id.uuid()).fetch_optional(c).await
    })?;
    Ok(author.map(UserId::from))
}

/// Everybody's posts. The places are found in an index alone; only the page itself is read from the table.
pub(crate) async fn list(conn: Conn<'_>, window: Window) -> Result<Vec<Post>, DbError> {
    let rows: Vec<PostRow> = on_db!(conn, c => {
        sqlx::query_as(
            "SELECT posts.id, posts.title, posts.content, posts.date_posted, posts.user_id, \
                 author.username, author.image_file \
             FROM (SELECT id FROM posts WHERE (date_posted, id) < ($1, $2) \
                   ORDER BY date_posted DESC, id DESC LIMIT $3 OFFSET $4) AS page \
             JOIN posts ON posts.id = page.id \
             JOIN auth_user_profiles AS author ON author.id = posts.user_id \
             ORDER BY posts.date_posted DESC, posts.id DESC",
        )
        .bind(DbTime::from(window.after.date_posted))
        .bind(window.after.id.uuid())
        .bind(window.rows_max)
        .bind(window.skip)
        .fetch_all(c)
        .await
    })?;
    rows.into_iter().map(Post::try_from).collect()
}

/// One author's posts, found likewise.
pub(crate) async fn list_of_author(conn: Conn<'_>, author: UserId, window: Window) -> Result<Vec<Post>, DbError> {
    let rows: Vec<PostRow> = on_db!(conn, c => {
        sqlx::query_as(
            "SELECT posts.id, posts.title, posts.content, posts.date_posted, posts.user_id, \
                 author.username, author.image_file \
             FROM (SELECT id FROM posts WHERE user_id = $1 AND (date_posted, id) < ($2, $3) \
                   ORDER BY date_posted DESC, id DESC LIMIT $4 OFFSET $5) AS page \
             JOIN posts ON posts.id = page.id \
             JOIN auth_user_profiles AS author ON author.id = posts.user_id \
             ORDER BY posts.date_posted DESC, posts.id DESC",
        )
        .bind(author.uuid())
        .bind(DbTime::from(window.after.date_posted))
        .bind(window.after.id.uuid())
        .bind(window.rows_max)
        .bind(window.skip)
        .fetch_all(c)
        .await
    })?;
    rows.into_iter().map(Post::try_from).collect()
}

/// Changes a post if this author wrote it, and returns it as it is then.
pub(crate) async fn update_by_author(
    conn: Conn<'_>,
    id: PostId,
    author: Profile,
    changes: &Changes,
) -> Result<Option<Post>, DbError> {
    let row: Option<(String, String, DbTime)> = on_db!(conn, c => {
        sqlx::query_as(
            "UPDATE posts SET title = COALESCE($3, title), content = COALESCE($4, content) \
             WHERE id = $1 AND user_id = $2 \
             RETURNING title, content, date_posted",
        )
        .bind(id.uuid())
        .bind(author.id.uuid())
        .bind(changes.title.as_ref().map(Title::as_str))
        .bind(changes.content.as_ref().map(Content::as_str))
        .fetch_optional(c)
        .await
    })?;
    let Some((title, content, date_posted)) = row else {
        return Ok(None);
    };
    Ok(Some(Post { id, author, title, content, date_posted: timestamp(date_posted)? }))
}

/// Deletes a post if this author wrote it; `None` when nothing was deleted.
pub(crate) async fn delete_by_author(conn: Conn<'_>, id: PostId, author: UserId) -> Result<Option<PostId>, DbError> {
    let deleted: Option<Uuid> = on_db!(conn, c => {
        sqlx::query_scalar("DELETE FROM posts WHERE id = $1 AND user_id = $2 RETURNING id")
            .bind(id.uuid())
            .bind(author.uuid())
            .fetch_optional(c)
            .await
    })?;
    Ok(deleted.map(PostId::from))
}
