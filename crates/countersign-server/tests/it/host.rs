//! What a host adds to `GET /ready`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::FromRef;
use countersign::Accounts;
use countersign::config::HttpPolicy;
use countersign::testing::TestApp;
use countersign_server::{
    Host, HostError, HttpSettings, NoCommands, NoSettings, OpenApiRouter, ReadinessCheck, assemble, openapi,
};
use jiff::SignedDuration;
use serde_json::json;

/// A host that needs a printer.
struct Office;

#[derive(Clone)]
struct State {
    accounts: Accounts,
    printer: Arc<Printer>,
}

#[derive(Default)]
struct Printer {
    fault: Mutex<Option<&'static str>>,
    asked: AtomicU32,
}

impl Printer {
    async fn is_ready(self: Arc<Self>) -> Result<(), String> {
        tokio::task::yield_now().await;
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.fault.lock().unwrap().map_or(Ok(()), |fault| Err(fault.to_owned()))
    }
}

impl FromRef<State> for Accounts {
    fn from_ref(state: &State) -> Self {
        state.accounts.clone()
    }
}

impl Host for Office {
    const NAME: &'static str = "office";
    const ABOUT: &'static str = "Accounts and a printer";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = NoSettings;
    type State = State;
    type Commands = NoCommands;

    async fn state(accounts: Accounts, _: &NoSettings) -> Result<State, HostError> {
        Ok(State { accounts, printer: Arc::default() })
    }

    fn readiness_checks(state: &State, _: &NoSettings) -> Vec<ReadinessCheck> {
        let stapler = ReadinessCheck::new("stapler", (), |()| async { Ok(()) });
        vec![ReadinessCheck::new("printer", Arc::clone(&state.printer), Printer::is_ready), stapler]
    }

    fn routes(_: &NoSettings, http: &HttpPolicy) -> OpenApiRouter<State> {
        countersign::http::routes(http)
    }
}

#[tokio::test]
async fn an_instance_is_ready_when_the_checks_of_the_host_say_so_too() {
    let printer: Arc<Printer> = Arc::default();
    let http = HttpSettings::default();
    let app = TestApp::host(&[], |accounts| {
        let state = State { accounts, printer: Arc::clone(&printer) };
        (assemble::<Office>(state, &NoSettings {}, &http), openapi::<Office>())
    })
    .await;
    let somebody = app.anonymous();
    let [printer_ok, stapler_ok] = ["printer", "stapler"].map(|name| json!({ "name": name, "status": "ok" }));
    for _ in 0..2 {
        let ready = somebody.get("/ready").await.ok(200);
        assert_eq!((&ready["checks"][3]["name"], &ready["checks"][4]), (&json!("database_write"), &printer_ok));
        assert_eq!(ready["checks"][5], stapler_ok);
    }
    assert_eq!(printer.asked.load(Ordering::Relaxed), 1, "the result is kept for a second");

    *printer.fault.lock().unwrap() = Some("The printer has no paper");
    app.clock.advance(SignedDuration::from_secs(1));
    let problem = somebody.get("/ready").await.problem(503, "not_ready");
    assert_eq!(problem["detail"], "The printer has no paper");
    let failed = json!({ "name": "printer", "status": "failed", "reason": "The printer has no paper" });
    assert_eq!((&problem["checks"][4], &problem["checks"][5]), (&failed, &stapler_ok));
    somebody.get("/health").await.ok(200);
    assert_eq!(printer.asked.load(Ordering::Relaxed), 2, "`/health` does not ask the host");
}
