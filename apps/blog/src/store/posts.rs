//! The table of posts. All lists are sorted newest first, then by ID.

use countersign::model::{Profile, UserId};
use countersign_db::{Conn, DbError, DbTime, on_db};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::model::{Changes, Content, Cursor, Post, PostId, Scope, Title};

/// `id, title, content, date_posted, date_edited, user_id, username, image_file`
type PostRow = (Uuid, String, String, DbTime, Option<DbTime>, Uuid, String, Option<String>);

/// A [`PostRow`], `total`
type ListedRow = (Uuid, String, String, DbTime, Option<DbTime>, Uuid, String, Option<String>, i64);

impl TryFrom<PostRow> for Post {
    type Error = DbError;

    fn try_from(row: PostRow) -> Result<Self, DbError> {
        let (id, title, content, date_posted, date_edited, user_id, username, image_file) = row;
        let author = Profile::new(user_id.into(), username, image_file);
        let (date_posted, date_edited) = (timestamp(date_posted)?, date_edited.map(timestamp).transpose()?);
        Ok(Self { id: id.into(), author, title, content, date_posted, date_edited })
    }
}

fn timestamp(time: DbTime) -> Result<jiff::Timestamp, DbError> {
    time.timestamp().ok_or(DbError::CorruptRow { table: "posts", column: "date_posted" })
}

/// Inserts a post.
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

/// Returns the post with this ID.
pub(crate) async fn find(conn: Conn<'_>, id: PostId) -> Result<Option<Post>, DbError> {
    let row: Option<PostRow> = on_db!(conn, c => {
        sqlx::query_as(
            "SELECT posts.id, posts.title, posts.content, posts.date_posted, posts.date_edited, posts.user_id, \
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

/// Returns the author of the post with this ID.
pub(crate) async fn find_author(conn: Conn<'_>, id: PostId) -> Result<Option<UserId>, DbError> {
    let author: Option<Uuid> = on_db!(conn, c => {
        sqlx::query_scalar("SELECT user_id FROM posts WHERE id = $1").bind(id.uuid()).fetch_optional(c).await
    })?;
    Ok(author.map(UserId::from))
}

/// Returns the position of the post that follows `others` posts in a list, with an index-only scan.
pub(crate) async fn place(conn: Conn<'_>, scope: Scope, others: i64) -> Result<Option<Cursor>, DbError> {
    let row: Option<(DbTime, Uuid)> = on_db!(conn, c => {
        match scope {
            Scope::Everyone => sqlx::query_as(
                "SELECT date_posted, id FROM posts ORDER BY date_posted DESC, id DESC LIMIT 1 OFFSET $1",
            ),
            Scope::Author(author) => sqlx::query_as(
                "SELECT date_posted, id FROM posts WHERE user_id = $1 \
                 ORDER BY date_posted DESC, id DESC LIMIT 1 OFFSET $2",
            )
            .bind(author.uuid()),
        }
        .bind(others)
        .fetch_optional(c)
        .await
    })?;
    row.map(|(time, id)| Ok(Cursor { date_posted: timestamp(time)?, id: id.into() })).transpose()
}

/// Returns the first posts of a list after a cursor, and the total number of posts in the list, unless no post was
/// found.
///
/// The limit is written into the SQL. With a parameter, PostgreSQL plans the statement anew each time, which takes
/// several times as long as executing it.
pub(crate) async fn list(
    conn: Conn<'_>,
    scope: Scope,
    after: Cursor,
    rows_max: i64,
) -> Result<(Vec<Post>, Option<i64>), DbError> {
    let rows: Vec<ListedRow> = on_db!(conn, c => {
        match scope {
            Scope::Everyone => sqlx::query_as(AssertSqlSafe(format!(
                "SELECT posts.id, posts.title, posts.content, posts.date_posted, posts.date_edited, posts.user_id, \
                     author.username, author.image_file, \
                     (SELECT CAST(COALESCE(SUM(posts), 0) AS BIGINT) FROM post_totals) AS total \
                 FROM posts \
                 JOIN auth_user_profiles AS author ON author.id = posts.user_id \
                 WHERE (posts.date_posted, posts.id) < ($1, $2) \
                 ORDER BY posts.date_posted DESC, posts.id DESC LIMIT {rows_max}",
            ))),
            Scope::Author(author) => sqlx::query_as(AssertSqlSafe(format!(
                "SELECT posts.id, posts.title, posts.content, posts.date_posted, posts.date_edited, posts.user_id, \
                     author.username, author.image_file, \
                     (SELECT CAST(COALESCE(SUM(posts), 0) AS BIGINT) FROM post_counts WHERE user_id = $1) AS total \
                 FROM posts \
                 JOIN auth_user_profiles AS author ON author.id = posts.user_id \
                 WHERE posts.user_id = $1 AND (posts.date_posted, posts.id) < ($2, $3) \
                 ORDER BY posts.date_posted DESC, posts.id DESC LIMIT {rows_max}",
            )))
            .bind(author.uuid()),
        }
        .bind(DbTime::from(after.date_posted))
        .bind(after.id.uuid())
        .fetch_all(c)
        .await
    })?;
    let total = rows.first().map(|row| row.8);
    let posts = rows.into_iter().map(|(id, title, content, posted, edited, user_id, username, image_file, _)| {
        Post::try_from((id, title, content, posted, edited, user_id, username, image_file))
    });
    Ok((posts.collect::<Result<_, _>>()?, total))
}

/// Changes a post by this author and returns the result. Sets the edit time only if something differs.
pub(crate) async fn update_by_author(
    conn: Conn<'_>,
    id: PostId,
    author: Profile,
    changes: &Changes,
    at: jiff::Timestamp,
) -> Result<Option<Post>, DbError> {
    let row: Option<(String, String, DbTime, Option<DbTime>)> = on_db!(conn, c => {
        sqlx::query_as(
            "UPDATE posts SET title = COALESCE($3, title), content = COALESCE($4, content), \
                 date_edited = CASE WHEN title <> COALESCE($3, title) OR content <> COALESCE($4, content) \
                     THEN $5 ELSE date_edited END \
             WHERE id = $1 AND user_id = $2 \
             RETURNING title, content, date_posted, date_edited",
        )
        .bind(id.uuid())
        .bind(author.id.uuid())
        .bind(changes.title.as_ref().map(Title::as_str))
        .bind(changes.content.as_ref().map(Content::as_str))
        .bind(DbTime::from(at))
        .fetch_optional(c)
        .await
    })?;
    let Some((title, content, date_posted, date_edited)) = row else {
        return Ok(None);
    };
    let (date_posted, date_edited) = (timestamp(date_posted)?, date_edited.map(timestamp).transpose()?);
    Ok(Some(Post { id, author, title, content, date_posted, date_edited }))
}

/// Deletes a post by this author; returns `None` if nothing was deleted.
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
