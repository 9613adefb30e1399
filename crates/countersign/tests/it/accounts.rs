//! Registration, login, sessions, profiles and deletion.

use std::sync::Arc;

use countersign::clock::Clock;
use countersign::config::{Config, HashParameters, LoginBy};
use countersign::model::{ClientInfo, EmailAddress, Password, SessionId, User, Username};
use countersign::testing::{ManualClock, PASSWORD};
use countersign::{
    Accounts, EditProfile, EditProfileError, LogIn, LogInError, MIGRATIONS, Register, RegisterError, Registered,
    operator,
};
use countersign_db::on_db;
use countersign_db::testing::TempDb;
use jiff::SignedDuration;
use secrecy::ExposeSecret as _;

/// Lower costs than those of the service (memory in KiB, iterations, lanes), so that a login has to upgrade the hash.
const WEAK_COSTS: (u32, u32, u32) = (16, 1, 1);

struct App {
    db: TempDb,
    accounts: Accounts,
    clock: Arc<ManualClock>,
}

impl App {
    async fn start() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(choose: impl FnOnce(&mut Config)) -> Self {
        let db = TempDb::new(&[&MIGRATIONS]).await;
        let mut config = Config::new(operator::generate_secret_key(), "http://localhost:8000".parse().unwrap());
        config.password.hash_parameters = HashParameters::new(32, 2, 2).unwrap();
        choose(&mut config);
        let clock = Arc::new(ManualClock::at("2026-11-24T08:00:00Z".parse().unwrap()));
        let accounts = Accounts::with_clock(db.db().clone(), config, Arc::clone(&clock) as Arc<dyn Clock>);
        Self { db, accounts, clock }
    }

    async fn register(&self, username: &str, email: &str) -> Result<User, RegisterError> {
        let (username, email) = (Username::parse(username).unwrap(), EmailAddress::parse(email).unwrap());
        let register = Register::new(username, email, Password::choose(PASSWORD).unwrap(), ClientInfo::default());
        match self.accounts.register(register).await? {
            Registered::User(user) => Ok(user),
            _ => unreachable!("the registration is open"),
        }
    }

    async fn log_in(&self, identifier: &str, password: &str) -> Result<String, LogInError> {
        let log_in = LogIn::new(identifier, Password::presented(password), ClientInfo::default());
        self.accounts
            .log_in(log_in)
            .await
            .map(|logged_in| logged_in.into_tokens().access_token.expose_secret().to_owned())
    }

    async fn user_of(&self, token: &str) -> Option<User> {
        self.accounts.verify_access_token(token).await.unwrap().map(|found| found.user)
    }

    async fn stored_hash(&self, user: &User) -> String {
        let mut read = self.db.db().read().await.unwrap();
        on_db!(read.conn(), c => {
            sqlx::query_scalar("SELECT password_hash FROM auth_users WHERE id = $1")
                .bind(user.id.uuid()).fetch_one(c).await
        })
        .unwrap()
    }

    async fn store_hash(&self, user: &User, hash: &str) {
        let mut tx = self.db.db().write().await.unwrap();
        on_db!(tx.conn(), c => {
            sqlx::query("UPDATE auth_users SET password_hash = $2 WHERE id = $1")
                .bind(user.id.uuid()).bind(hash).execute(c).await.map(drop)
        })
        .unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_registered_user_logs_in_by_address_in_any_case() {
    let app = App::start().await;
    let ada = app.register("Ada", "Ada@Example.com").await.unwrap();
    assert_eq!((ada.username.as_str(), ada.email.as_str()), ("Ada", "ada@example.com"));

    let token = app.log_in("ADA@example.COM", PASSWORD).await.unwrap();

    assert_eq!(app.user_of(&token).await, Some(ada.clone()));
    assert!(app.stored_hash(&ada).await.starts_with("$argon2id$v=19$m=32,t=2,p=2$"));
    let profile = app.accounts.find_profile(ada.id).await.unwrap().unwrap();
    assert_eq!(profile.username, "Ada");
}

#[tokio::test]
async fn a_taken_name_is_told_before_a_taken_address() {
    let app = App::start().await;
    app.register("Straße", "ada@example.com").await.unwrap();
    assert!(matches!(app.register("STRASSE", "ada@example.com").await, Err(RegisterError::UsernameTaken)));
    assert!(matches!(app.register("eve", "ADA@example.com").await, Err(RegisterError::EmailTaken)));
}

#[tokio::test]
async fn of_many_who_register_one_name_at_once_one_wins() {
    let app = App::start().await;
    let addresses: Vec<_> = (0..8).map(|number| format!("ada{number}@example.com")).collect();
    let (a, b, c, d) = tokio::join!(
        app.register("ada", &addresses[0]),
        app.register("ADA", &addresses[1]),
        app.register("Ada", &addresses[2]),
        app.register("aDA", &addresses[3]),
    );
    let outcomes = [a, b, c, d];
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().all(|one| one.is_ok() || matches!(one, Err(RegisterError::UsernameTaken))));
}

#[tokio::test]
async fn a_common_password_is_refused_unless_the_list_is_off() {
    let app = App::start().await;
    let register = |name: &str| {
        let (username, email) = (Username::parse(name), EmailAddress::parse(&format!("{name}@example.com")));
        Register::new(username.unwrap(), email.unwrap(), Password::choose("Password1").unwrap(), ClientInfo::default())
    };
    assert!(matches!(app.accounts.register(register("ada")).await, Err(RegisterError::CommonPassword)));
    let lax = App::with(|config| config.password.blocklist = countersign::config::Blocklist::Off).await;
    assert!(lax.accounts.register(register("ada")).await.is_ok());
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_are_one_case() {
    let app = App::start().await;
    app.register("ada", "ada@example.com").await.unwrap();
    for (identifier, password) in
        [("ada@example.com", "wrong password"), ("eve@example.com", PASSWORD), ("ada", PASSWORD), ("\0", PASSWORD)]
    {
        let refused = app.log_in(identifier, password).await;
        assert!(matches!(refused, Err(LogInError::WrongCredentials)), "{identifier:?}");
    }
}

#[tokio::test]
async fn usernames_log_in_only_where_the_setting_says_so() {
    let app = App::with(|config| config.login_by = LoginBy::EmailOrUsername).await;
    app.register("Ada", "ada@example.com").await.unwrap();
    assert!(app.log_in("aDA", PASSWORD).await.is_ok());
    assert!(app.log_in("ada@example.com", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn a_weaker_hash_is_replaced_at_the_next_login() {
    let app = App::with(|config| {
        let (memory, iterations, lanes) = WEAK_COSTS;
        config.password.hash_parameters = HashParameters::new(memory, iterations, lanes).unwrap();
    })
    .await;
    let ada = app.register("ada", "ada@example.com").await.unwrap();
    let weak = app.stored_hash(&ada).await;
    let strict = App::start().await;
    let ada = strict.register("ada", "ada@example.com").await.unwrap();
    strict.store_hash(&ada, &weak).await;

    strict.log_in("ada@example.com", PASSWORD).await.unwrap();

    assert!(strict.stored_hash(&ada).await.starts_with("$argon2id$v=19$m=32,t=2,p=2$"));
    assert!(strict.log_in("ada@example.com", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn an_unreadable_hash_matches_nothing() {
    let app = App::start().await;
    let ada = app.register("ada", "ada@example.com").await.unwrap();
    for hash in ["", "!", "plain:correct horse battery staple", "$argon2id$v=19$m=32,t=2,p=2$$"] {
        app.store_hash(&ada, hash).await;
        assert!(matches!(app.log_in("ada@example.com", PASSWORD).await, Err(LogInError::WrongCredentials)), "{hash}");
    }
}

#[tokio::test]
async fn a_token_is_out_when_its_time_is_over_or_its_user_is_gone() {
    let app = App::start().await;
    let ada = app.register("ada", "ada@example.com").await.unwrap();
    let token = app.log_in("ada@example.com", PASSWORD).await.unwrap();
    app.clock.advance(SignedDuration::from_mins(30));
    assert_eq!(app.user_of(&token).await, None);
    app.clock.advance(SignedDuration::from_mins(-1));
    assert_eq!(app.user_of(&token).await.map(|user| user.id), Some(ada.id));

    app.accounts.delete_account(ada.id, &ClientInfo::default()).await.unwrap();

    assert_eq!(app.user_of(&token).await, None);
    assert!(app.register("ada", "ada@example.com").await.is_ok());
}

#[tokio::test]
async fn a_profile_changes_in_what_is_given_and_never_into_another_ones() {
    let app = App::start().await;
    let ada = app.register("ada", "ada@example.com").await.unwrap();
    app.register("eve", "eve@example.com").await.unwrap();
    let edit = |username: Option<&str>, email: Option<&str>| {
        let mut edit = EditProfile::new(SessionId::new(app.clock.now()), ClientInfo::default());
        edit.username = username.map(|name| Username::parse(name).unwrap());
        edit.email = email.map(|email| EmailAddress::parse(email).unwrap());
        edit
    };
    let renamed = app.accounts.edit_profile(ada.id, edit(Some("ADA"), None)).await.unwrap();
    assert_eq!((renamed.username.as_str(), renamed.email.as_str()), ("ADA", "ada@example.com"));

    let taken = app.accounts.edit_profile(ada.id, edit(Some("Eve"), Some("eve@example.com"))).await;
    assert!(matches!(taken, Err(EditProfileError::UsernameTaken)));
    let taken = app.accounts.edit_profile(ada.id, edit(Some("Ada"), Some("EVE@example.com"))).await;
    assert!(matches!(taken, Err(EditProfileError::EmailTaken)));
    let profile = app.accounts.find_profile(ada.id).await.unwrap().unwrap();
    assert_eq!(profile.username, "ADA");
}
