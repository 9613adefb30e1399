//! Posts by the ten thousand, written into the database by one statement.

use std::path::Path;

use bench_kit::broken::Outcome;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

/// Markdown of about 600 characters.
const CONTENT: &str = "Some words about *nothing* in particular, with a [link](https://example.org/) and `code`.\n\n\
    - One thing that is worth a line of its own\n- Another thing, which is not\n\n\
    > A reader who comes this far has more patience than most, and a good deal more than the writer.\n\n\
    The rest is there to have the length of a post as people write them: a paragraph or two, neither short nor long, so that \
    what has to be parsed, cleaned, put into the page and compressed is what it would be on a site that is in use. It goes on \
    for a while, and then it ends, as everything does that was written for its length alone, **here**.\n";

/// Writes posts that are a minute apart, by all authors in turn.
pub(crate) async fn write(file: &Path, count: usize) -> Outcome<()> {
    let mut database = SqliteConnectOptions::new().filename(file).foreign_keys(true).connect().await?;
    sqlx::query(
        "WITH RECURSIVE
            numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < $1),
            authors (number, id) AS (SELECT ROW_NUMBER() OVER (ORDER BY id) - 1, id FROM auth_users)
        INSERT INTO posts (id, user_id, title, content, date_posted)
        SELECT randomblob(16), authors.id, 'Post number ' || n, $2, 1700000000000000 + n * 60000000
        FROM numbers JOIN authors ON authors.number = n % (SELECT COUNT(*) FROM authors)",
    )
    .bind(i64::try_from(count)?)
    .bind(CONTENT)
    .execute(&mut database)
    .await?;
    Ok(())
}
