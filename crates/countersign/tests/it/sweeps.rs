//! The sweep: which expired rows it deletes, and which rows stay.

use countersign::model::UserId;
use countersign::testing::TestApp;
use countersign_db::on_db;
use uuid::Uuid;

/// More than two batches of the sweep.
const MANY: u128 = 1_100;
const HOUR: i64 = 3_600 * 1_000_000;
const DAY: i64 = 24 * HOUR;

fn uuid(user: UserId) -> Uuid {
    user.to_string().parse().unwrap()
}

async fn count(app: &TestApp, select: &'static str) -> i64 {
    let mut read = app.db().read().await.unwrap();
    on_db!(read.conn(), c => sqlx::query_scalar(select).fetch_one(c).await).unwrap()
}

#[tokio::test]
async fn a_sweep_takes_away_all_sessions_whose_time_is_over_and_no_other() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let now = app.clock.now().as_microsecond();
    let mut tx = app.db().write().await.unwrap();
    for number in 0..2 * MANY {
        // Expired absolutely, expired by idleness, alive.
        let (expires_at, idle_expires_at) = match number % 4 {
            0 => (now, now + 1),
            1 => (now + 1, now),
            _ => (now + 1, now + 1),
        };
        on_db!(tx.conn(), c => {
            sqlx::query(
                "INSERT INTO auth_sessions (id, user_id, created_at, last_seen_at, authenticated_at, expires_at, \
                 idle_expires_at, salt, refresh_counter) VALUES ($1, $2, $3, $3, $3, $4, $5, $6, 0)",
            )
            .bind(Uuid::from_u128(number + 1))
            .bind(uuid(ada.id))
            .bind(now - DAY)
            .bind(expires_at)
            .bind(idle_expires_at)
            .bind(vec![7_u8; 32])
            .execute(c)
            .await
            .map(drop)
        })
        .unwrap();
    }
    tx.commit().await.unwrap();

    app.accounts().run_jobs(async {}).await;

    // Plus the session that ada began.
    assert_eq!(count(&app, "SELECT COUNT(*) FROM auth_sessions").await, i64::try_from(MANY).unwrap() + 1);
    let unequal = "SELECT COUNT(*) FROM auth_sessions WHERE expires_at <> idle_expires_at";
    assert_eq!(count(&app, unequal).await, 1);
    ada.get("/api/users/me").await.ok(200);
}

#[tokio::test]
async fn a_sweep_takes_away_all_attempts_that_are_forgiven_and_no_other() {
    let app = TestApp::start().await;
    let now = app.clock.now().as_microsecond();
    let mut tx = app.db().write().await.unwrap();
    for number in 0..2 * MANY {
        // Just forgiven, not yet forgiven, still waiting, and written by a clock that was ahead.
        let (failures, last_at, next_at) = match number % 4 {
            0 => (3, now - 3 * HOUR, 0),
            1 => (3, now - 3 * HOUR + 1, 0),
            2 => (0, now - DAY, now + 1),
            _ => (10, now + DAY, now + DAY),
        };
        on_db!(tx.conn(), c => {
            sqlx::query("INSERT INTO auth_attempts (key, failures, last_at, next_at) VALUES ($1, $2, $3, $4)")
                .bind((number + 1).to_be_bytes().to_vec())
                .bind(i64::from(failures))
                .bind(last_at)
                .bind(next_at)
                .execute(c)
                .await
                .map(drop)
        })
        .unwrap();
    }
    tx.commit().await.unwrap();

    app.accounts().run_jobs(async {}).await;

    assert_eq!(count(&app, "SELECT COUNT(*) FROM auth_attempts").await, i64::try_from(MANY).unwrap());
    let left = "SELECT COUNT(*) FROM auth_attempts WHERE failures = 10 OR (failures = 3 AND last_at % 10 <> 1)";
    assert_eq!(count(&app, left).await, 0);
}

#[tokio::test]
async fn a_sweep_takes_away_invitations_and_devices_whose_time_is_over_and_no_other() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    let now = app.clock.now().as_microsecond();
    let mut tx = app.db().write().await.unwrap();
    for number in 0..2 * MANY {
        let (uses_left, expires_at) = match number % 4 {
            0 => (0, now + 1),
            1 => (1, now),
            _ => (1, now + 1),
        };
        let (user, last_seen_at) = match number % 4 {
            0 => (ada.id, now - 400 * DAY - 1),
            1 => (ada.id, now - 400 * DAY),
            2 => (eve.id, now - 400 * DAY - 1),
            _ => (eve.id, now),
        };
        on_db!(tx.conn(), c => {
            sqlx::query(
                "INSERT INTO auth_invitations (id, code_hash, uses_left, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(Uuid::from_u128(number + 1))
            .bind(number.to_string())
            .bind(i64::from(uses_left))
            .bind(now)
            .bind(expires_at)
            .execute(c)
            .await
            .map(drop)
        })
        .unwrap();
        on_db!(tx.conn(), c => {
            sqlx::query("INSERT INTO auth_known_devices (user_id, device, last_seen_at) VALUES ($1, $2, $3)")
                .bind(uuid(user))
                .bind(number.to_string())
                .bind(last_seen_at)
                .execute(c)
                .await
                .map(drop)
        })
        .unwrap();
    }
    tx.commit().await.unwrap();

    app.accounts().run_jobs(async {}).await;

    assert_eq!(count(&app, "SELECT COUNT(*) FROM auth_invitations").await, i64::try_from(MANY).unwrap());
    assert_eq!(count(&app, "SELECT COUNT(*) FROM auth_invitations WHERE uses_left = 0").await, 0);
    // Plus the devices that the two users logged in with.
    assert_eq!(count(&app, "SELECT COUNT(*) FROM auth_known_devices").await, i64::try_from(MANY).unwrap() + 2);
}
