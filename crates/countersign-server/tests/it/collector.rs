//! A fake trace collector: it receives OTLP over HTTP, decodes it with the published message definitions, and can
//! misbehave.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use crate::sandbox::eventually;

/// How the collector responds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Answers,
    /// It accepts connections and never responds.
    Silent,
    /// It responds with 500.
    Fails,
}

/// A collector that runs until the test ends.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    received: Receiver<Received>,
    spans: Mutex<Vec<Span>>,
}

/// One export request.
struct Received {
    head: String,
    service: String,
    spans: Vec<Span>,
}

impl Collector {
    pub(crate) fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, received) = channel();
        thread::spawn(move || {
            let held = Arc::new(Mutex::new(Vec::new()));
            for stream in listener.incoming().flatten() {
                let (sender, held) = (sender.clone(), Arc::clone(&held));
                thread::spawn(move || match mood {
                    Mood::Silent => held.lock().unwrap().push(stream),
                    Mood::Answers => take(&stream, &sender, "200 OK"),
                    Mood::Fails => take(&stream, &sender, "500 Internal Server Error"),
                });
            }
        });
        Self { address, received, spans: Mutex::default() }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits for a span that satisfies `wanted`.
    pub(crate) fn span(&self, what: &str, wanted: impl Fn(&Span) -> bool) -> Span {
        eventually(what, || {
            self.take_in();
            self.spans.lock().unwrap().iter().find(|span| wanted(span)).cloned()
        })
    }

    /// All spans received so far.
    pub(crate) fn all(&self) -> Vec<Span> {
        self.take_in();
        self.spans.lock().unwrap().clone()
    }

    fn take_in(&self) {
        for received in self.received.try_iter() {
            assert!(received.head.starts_with("POST /v1/traces HTTP/1.1"), "{}", received.head);
            assert!(received.head.contains("content-type: application/x-protobuf"), "{}", received.head);
            assert!(received.head.contains("x-scope: tests"), "{}", received.head);
            assert_eq!(received.service, "countersign");
            self.spans.lock().unwrap().extend(received.spans);
        }
    }
}

/// Reads export requests until the client disconnects.
fn take(stream: &TcpStream, sender: &Sender<Received>, status: &str) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let head = head.lines().map(|line| {
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            if value.is_empty() { line.to_owned() } else { format!("{}: {value}", name.to_ascii_lowercase()) }
        });
        let head = head.collect::<Vec<_>>().join("\n");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        let request = ExportTraceServiceRequest::decode(&*body).unwrap();
        for resource_spans in request.resource_spans {
            let service = attribute(&resource_spans.resource.unwrap().attributes, "service.name").unwrap();
            let spans = resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans).collect();
            // The test may have ended already.
            let _ = sender.send(Received { head: head.clone(), service, spans });
        }
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        if (&*stream).write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Returns an attribute as text.
pub(crate) fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    Some(match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}

/// Formats an id in hexadecimal, as in headers and logs.
pub(crate) fn hex(id: &[u8]) -> String {
    id.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
