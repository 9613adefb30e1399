use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::{Value, json};

use crate::client::{Connection, FORM, login_form};
use crate::collector::{Collector, Mood, attribute, hex};
use crate::sandbox::{Sandbox, Server};
use crate::{KEY, PASSWORD, current_database};

/// A sampled trace that a caller has started.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn traced(url: &str, collector: &Collector) -> Sandbox {
    Sandbox::with_database(url)
        .set("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url())
        .set("OTEL_EXPORTER_OTLP_HEADERS", "x-scope=tests")
}

fn of_request(id: &str) -> impl Fn(&Span) -> bool + '_ {
    move |span| attribute(&span.attributes, "request.id").as_deref() == Some(id)
}

/// Returns the log line of a request's response.
fn answered(log: &str, request: &str) -> Value {
    let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.find(|line| line["span"]["request_id"] == request && line["message"] == "answered").expect("the line")
}

#[tokio::test]
async fn a_request_is_a_trace_with_its_hash_and_its_transaction() {
    let database = current_database().await;
    let collector = Collector::start(Mood::Answers);
    let sandbox = traced(database.url(), &collector);
    let mut server = sandbox.start("serve");
    server.register("ada").ok(201);
    let logged_in = server.request("POST", "/api/users/token", &[FORM, ("User-Agent", "zebra")], &login_form("ada"));
    logged_in.ok(200);
    let missing = server.get("/zebra/secret-in-a-path?token=zebra");

    let span = collector.span("the login is told", of_request(logged_in.request_id()));
    assert_eq!((span.name.as_str(), span.kind), ("POST /api/users/token", SpanKind::Server as i32));
    let told = |key| attribute(&span.attributes, key).unwrap_or_default();
    assert_eq!(told("http.route"), "/api/users/token");
    assert_eq!((told("http.request.method"), told("http.response.status_code")), ("POST".into(), "200".into()));
    assert!(span.end_time_unix_nano > span.start_time_unix_nano && span.parent_span_id.is_empty());
    for name in ["hash password", "transaction"] {
        let is_part = |part: &Span| part.name == name && part.trace_id == span.trace_id;
        let part = collector.span(name, is_part);
        assert_eq!(hex(&part.parent_span_id), hex(&span.span_id), "{name}");
        assert!(
            part.start_time_unix_nano >= span.start_time_unix_nano
                && part.end_time_unix_nano <= span.end_time_unix_nano
        );
    }
    let missing = collector.span("the missing page is told", of_request(missing.request_id()));
    assert_eq!(missing.name, "GET none");
    let job = collector.span("a job is told", |span| span.name == "job");
    assert!(attribute(&job.attributes, "kind").is_some() && job.parent_span_id.is_empty());

    server.signal("TERM");
    let log = server.process.wait().with(0).stderr;
    let line = answered(&log, logged_in.request_id());
    assert_eq!((&line["span"]["trace_id"], &line["span"]["name"]), (&json!(hex(&span.trace_id)), &json!("request")));
    // No request data appears in the spans.
    let everything = format!("{:?}", collector.all());
    for secret in ["zebra", "ada", PASSWORD, KEY, "example.com"] {
        assert!(!everything.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn what_waits_is_sent_when_the_program_ends() {
    let database = current_database().await;
    let collector = Collector::start(Mood::Answers);
    let sandbox = traced(database.url(), &collector);
    let mut server = sandbox.start("serve");
    let last = server.get("/health");
    server.signal("TERM");
    server.process.wait().with(0);
    let spans = collector.all();
    assert!(spans.iter().any(|span| of_request(last.request_id())(span)), "{} spans", spans.len());
}

/// Sends a request that is part of [`TRACE`] and returns its span.
fn span_of_a_continued_request(server: &Server, collector: &Collector) -> Span {
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let answer = server.request("GET", "/health", &[("traceparent", &traceparent)], "");
    collector.span("the request is told", of_request(answer.request_id()))
}

#[tokio::test]
async fn a_trace_is_gone_on_with_for_those_who_are_named_alone() {
    let database = current_database().await;
    let collector = Collector::start(Mood::Answers);
    let sandbox = || traced(database.url(), &collector);
    for stranger in [
        sandbox(),
        sandbox().set("TRUSTED_PROXIES", "127.0.0.1"),
        sandbox().set("TRACEPARENT_FROM", "trusted_proxies"),
        sandbox().set("TRACEPARENT_FROM", "trusted_proxies").set("TRUSTED_PROXIES", "192.0.2.1"),
    ] {
        let span = span_of_a_continued_request(&stranger.start("serve"), &collector);
        assert!(hex(&span.trace_id) != TRACE && span.parent_span_id.is_empty());
    }
    let named = sandbox().set("TRACEPARENT_FROM", "trusted_proxies").set("TRUSTED_PROXIES", "127.0.0.1");
    let server = named.start("serve");
    let span = span_of_a_continued_request(&server, &collector);
    assert_eq!((hex(&span.trace_id).as_str(), hex(&span.parent_span_id).as_str()), (TRACE, PARENT));
    for nonsense in ["", "00-zz", "00-00000000000000000000000000000000-0000000000000000-01"] {
        let answer = server.request("GET", "/health", &[("traceparent", nonsense)], "");
        let span = collector.span("the request is told", of_request(answer.request_id()));
        assert!(span.parent_span_id.is_empty(), "{nonsense}");
    }
}

#[tokio::test]
async fn a_stranger_cannot_have_requests_traced_beyond_the_set_part() {
    let database = current_database().await;
    let collector = Collector::start(Mood::Answers);
    let sandbox = traced(database.url(), &collector).set("OTEL_TRACES_SAMPLER_ARG", "0");
    let mut server = sandbox.start("serve");
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let answers: Vec<String> = (0..20)
        .map(|_| server.request("GET", "/health", &[("traceparent", &traceparent)], "").request_id().to_owned())
        .collect();
    server.signal("TERM");
    let log = server.process.wait().with(0).stderr;
    assert_eq!(collector.all().len(), 0);
    assert!(answers.iter().all(|id| answered(&log, id)["status"] == 200) && !log.contains(TRACE));
}

#[tokio::test]
async fn a_collector_that_is_gone_slow_or_broken_harms_no_request() {
    let database = current_database().await;
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (silent, broken) = (Collector::start(Mood::Silent), Collector::start(Mood::Fails));
    for address in [gone, silent.address, broken.address] {
        let sandbox = Sandbox::with_database(database.url())
            .set("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"))
            .set("LOG", "warn,countersign_server::cli=info");
        let mut server = sandbox.start("serve");
        let mut connection = Connection::open(server.address);
        let begun = Instant::now();
        // More than the export queue holds.
        for _ in 0..5_000 {
            connection.request("GET", "/api/users/me", &[], "");
            assert_eq!(connection.answer().status, 401);
        }
        let took = begun.elapsed();
        assert!(took < Duration::from_mins(1), "{took:?}");
        let begun = Instant::now();
        server.signal("TERM");
        let ended = server.process.wait().with(0);
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        // Logged when exports start to fail, or at shutdown; not for each batch.
        let told =
            ended.stderr.lines().filter(|line| line.contains("traces c") && line.contains("not be sent")).count();
        assert!((1..=2).contains(&told), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn nothing_is_traced_unless_it_is_asked_for() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("LOG", "trace");
    let mut server = sandbox.start("serve");
    let answer = server.register("ada");
    answer.ok(201);
    server.signal("TERM");
    let log = server.process.wait().with(0).stderr;
    let line = answered(&log, answer.request_id());
    assert_eq!((&line["span"]["name"], &line["span"]["trace_id"]), (&json!("request"), &Value::Null));
    assert!(!log.contains("countersign_trace") && !log.contains("opentelemetry"));
}

#[test]
fn headers_for_the_collector_are_secret() {
    let sandbox = Sandbox::new().set("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer hunter2").set("PORT", "none");
    let shown = sandbox.run(&["settings"]).with(1).all();
    assert!(!shown.contains("hunter2"), "{shown}");
    let sandbox = Sandbox::new().set("OTEL_EXPORTER_OTLP_HEADERS", "hunter2").set("OTEL_TRACES_SAMPLER_ARG", "2");
    let report = sandbox.run(&["settings"]).with(1).stderr;
    assert!(report.contains("OTEL_EXPORTER_OTLP_HEADERS") && report.contains("OTEL_TRACES_SAMPLER_ARG"), "{report}");
    assert!(!report.contains("hunter2"), "{report}");
}
