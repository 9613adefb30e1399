//! Rows by the million: SQL statements copy a row that the server wrote, with other ids and names. So every column is as the
//! server writes it, and all users have the same password.

use std::fs;

use bench_kit::account::User;
use bench_kit::broken::{Outcome, While as _, broken};
use bench_kit::server::Installation;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

/// Rows of one transaction, so that the write-ahead log stays small.
const BATCH: u64 = 200_000;
/// Ids begin with a time in milliseconds; these are older than the server's.
const FIRST_MS: u64 = 1_600_000_000_000;

/// A connection to a contestant's database.
pub(crate) enum Store {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Store {
    /// Without durability, because a run that is cut off does not keep its databases.
    pub(crate) async fn open(installation: &Installation) -> Outcome<Self> {
        let url = installation.get("DATABASE_URL");
        if let Some(file) = url.strip_prefix("sqlite:") {
            let options = SqliteConnectOptions::new().filename(file).foreign_keys(false);
            let mut store = Self::Sqlite(SqliteConnection::connect_with(&options).await?);
            store.run("PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000; PRAGMA busy_timeout = 60000").await?;
            return Ok(store);
        }
        let mut store = Self::Postgres(PgConnection::connect(url).await?);
        store.run("SET synchronous_commit = off").await?;
        Ok(store)
    }

    pub(crate) async fn run(&mut self, sql: &str) -> Outcome<()> {
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        let done = match self {
            Self::Sqlite(connection) => query.execute(connection).await.map(drop),
            Self::Postgres(connection) => query.execute(connection).await.map(drop),
        };
        done.doing(sql.get(..200).unwrap_or(sql))
    }

    pub(crate) async fn texts(&mut self, sql: &str) -> Outcome<Vec<String>> {
        let safe = AssertSqlSafe(sql.to_owned());
        let found = match self {
            Self::Sqlite(connection) => sqlx::query_scalar(safe).fetch_all(connection).await,
            Self::Postgres(connection) => sqlx::query_scalar(safe).fetch_all(connection).await,
        };
        found.doing(sql.get(..200).unwrap_or(sql))
    }

    /// The size of the database on disk, in bytes.
    pub(crate) async fn bytes(&mut self, installation: &Installation) -> Outcome<u64> {
        if let Some(file) = installation.get("DATABASE_URL").strip_prefix("sqlite:") {
            self.run("PRAGMA wal_checkpoint(TRUNCATE)").await?;
            return Ok(fs::metadata(file)?.len());
        }
        let size = self.texts("SELECT pg_database_size(current_database())::text").await?;
        Ok(size.first().map_or(Ok(0), |size| size.parse())?)
    }

    /// The bytes of rows and indexes in an SQLite file, without free space in its pages.
    pub(crate) async fn used(&mut self) -> Outcome<u64> {
        let used = self.texts("SELECT CAST(SUM(pgsize - unused) AS TEXT) FROM dbstat").await?;
        Ok(used.first().map_or(Ok(0), |used| used.parse())?)
    }

    async fn columns(&mut self, table: &str) -> Outcome<Vec<String>> {
        let sql = match self {
            Self::Sqlite(_) => format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid"),
            Self::Postgres(_) => format!(
                "SELECT column_name::text FROM information_schema.columns \
                 WHERE table_schema = current_schema() AND table_name = '{table}' ORDER BY ordinal_position"
            ),
        };
        self.texts(&sql).await
    }

    /// A table `n` with the numbers of a range in its column `i`.
    fn numbers(&self, from: u64, to: u64) -> String {
        match self {
            Self::Sqlite(_) => format!(
                "(WITH RECURSIVE n(i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {to}) SELECT i FROM n) AS n"
            ),
            Self::Postgres(_) => format!("generate_series({from}::bigint, {to}::bigint - 1) AS n(i)"),
        }
    }

    /// A new UUIDv7; those of greater `number`s are later.
    fn id(&self, number: &str) -> String {
        match self {
            Self::Sqlite(_) => format!(
                "unhex(printf('%012x', {FIRST_MS} + {number}) || '7' || substr(hex(randomblob(2)), 1, 3) \
                 || '8' || substr(hex(randomblob(8)), 1, 15))"
            ),
            Self::Postgres(_) => format!(
                "(lpad(to_hex({FIRST_MS} + {number}), 12, '0') || '7' || substr(md5(random()::text), 1, 3) \
                 || '8' || substr(md5(random()::text), 1, 15))::uuid"
            ),
        }
    }

    /// 32 random bytes.
    fn salt(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "randomblob(32)",
            Self::Postgres(_) => "uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())",
        }
    }

    fn name(&self, number: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("printf('bulk-%08d', {number})"),
            Self::Postgres(_) => format!("'bulk-' || lpad(({number})::text, 8, '0')"),
        }
    }

    /// Inserts the rows of the temporary table `pattern` once for each row of `source`, with the values of `changed`. Columns
    /// that are `left_out` get their default.
    async fn copy(
        &mut self,
        (table, pattern, source): (&str, &str, &str),
        changed: &[(&str, String)],
        left_out: &[&str],
    ) -> Outcome<()> {
        let columns = self.columns(table).await?;
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for column in columns.iter().filter(|column| !left_out.contains(&column.as_str())) {
            let changed = changed.iter().find(|(name, _)| name == column).map(|(_, value)| value.clone());
            names.push(format!("\"{column}\""));
            values.push(changed.unwrap_or_else(|| format!("{pattern}.\"{column}\"")));
        }
        let sql = format!(
            "INSERT INTO {table} ({}) SELECT {} FROM {source} CROSS JOIN {pattern}",
            names.join(", "),
            values.join(", ")
        );
        self.run(&sql).await
    }

    /// Adds users with a session each, and a post for one in `posts_every`. `first` has registered, logged in and posted once.
    pub(crate) async fn grow(&mut self, first: User, users: u64, posts_every: u64) -> Outcome<()> {
        let key = self.texts("SELECT username_key FROM auth_users WHERE username = username_key").await?;
        if key.len() != 1 {
            return broken("names are not looked up as this program expects");
        }
        let email = first.email();
        self.run(&format!("CREATE TEMP TABLE one_user AS SELECT * FROM auth_users WHERE email = '{email}'")).await?;
        self.run("CREATE TEMP TABLE one_session AS SELECT * FROM auth_sessions LIMIT 1").await?;
        self.run("CREATE TEMP TABLE one_post AS SELECT * FROM posts LIMIT 1").await?;
        for from in (0..users).step_by(BATCH as usize) {
            let to = users.min(from + BATCH);
            let numbers = self.numbers(from, to);
            let name = self.name("n.i");
            let changed = [
                ("id", self.id("n.i")),
                ("username", name.clone()),
                ("username_key", name.clone()),
                ("email", format!("{name} || '@example.org'")),
            ];
            self.copy(("auth_users", "one_user", &numbers), &changed, &[]).await?;

            let number = "CAST(substr(u.username_key, 6) AS BIGINT)";
            let range = format!("username_key >= 'bulk-{from:08}' AND username_key < 'bulk-{to:08}'");
            let source = format!("(SELECT id, username_key FROM auth_users WHERE {range}) AS u");
            let changed = [("id", self.id(number)), ("user_id", "u.id".to_owned()), ("salt", self.salt().to_owned())];
            self.copy(("auth_sessions", "one_session", &source), &changed, &[]).await?;

            let some = format!("CAST(substr(username_key, 6) AS BIGINT) % {posts_every} = 0");
            let source = format!("(SELECT id, username_key FROM auth_users WHERE {range} AND {some}) AS u");
            let changed = [
                ("id", self.id(number)),
                ("user_id", "u.id".to_owned()),
                ("date_posted", format!("({FIRST_MS} + {number}) * 1000")),
            ];
            self.copy(("posts", "one_post", &source), &changed, &[]).await?;
        }
        self.finish().await
    }

    /// Copies all posts `times` times, each time older. Only our schema has no default for the id.
    pub(crate) async fn multiply_posts(&mut self, times: u64, is_ours: bool) -> Outcome<()> {
        self.run("CREATE TEMP TABLE made AS SELECT * FROM posts").await?;
        let numbers = self.numbers(1, times + 1);
        let (date, left_out): (_, &[&str]) = match self {
            _ if is_ours => ("made.date_posted - n.i * 1000000000", &[]),
            // Every format of the text begins with the year.
            Self::Sqlite(_) => ("printf('%04d', 1999 - n.i) || substr(made.date_posted, 5)", &["id"]),
            Self::Postgres(_) => ("made.date_posted - n.i * INTERVAL '1 day'", &["id"]),
        };
        let changed = [("date_posted", date.to_owned()), ("id", self.id("n.i"))];
        self.copy(("posts", "made", &numbers), &changed, left_out).await?;
        self.finish().await
    }

    /// Does what the database would do later in the background.
    async fn finish(&mut self) -> Outcome<()> {
        match self {
            Self::Sqlite(_) => self.run("PRAGMA wal_checkpoint(TRUNCATE)").await,
            Self::Postgres(_) => {
                self.run("VACUUM (ANALYZE)").await?;
                self.run("CHECKPOINT").await
            }
        }
    }

    /// The ids of added users.
    pub(crate) async fn ids(&mut self, numbers: &[u64]) -> Outcome<Vec<String>> {
        let names: Vec<String> = numbers.iter().map(|number| format!("'{}'", bulk_name(*number))).collect();
        let id = if matches!(self, Self::Sqlite(_)) { "lower(hex(id))" } else { "id::text" };
        let ids =
            self.texts(&format!("SELECT {id} FROM auth_users WHERE username_key IN ({})", names.join(", "))).await?;
        Ok(ids.iter().map(|id| hyphenated(id)).collect())
    }

    pub(crate) async fn close(self) -> Outcome<()> {
        match self {
            Self::Sqlite(connection) => Ok(connection.close().await?),
            Self::Postgres(connection) => Ok(connection.close().await?),
        }
    }
}

fn bulk_name(number: u64) -> String {
    format!("bulk-{number:08}")
}

/// The address of an added user.
pub(crate) fn bulk_email(number: u64) -> String {
    format!("{}@example.org", bulk_name(number))
}

fn hyphenated(id: &str) -> String {
    let digits: String = id.chars().filter(|digit| *digit != '-').collect();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if [8, 12, 16, 20].contains(&place) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_both_databases_are_written_alike() {
        let expected = "01749b3d-7c00-7abc-8123-456789abcdef";
        assert_eq!(hyphenated("01749b3d7c007abc8123456789abcdef"), expected);
        assert_eq!(hyphenated(expected), expected);
    }
}
