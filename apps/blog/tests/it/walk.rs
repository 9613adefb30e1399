//! Enumerates the whole site for tests: every operation of the OpenAPI document and every page route in the sources, so
//! that new ones are covered automatically.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use blog::Blog;
use countersign::testing::{Answer, Caller, PASSWORD, TestApp, User};
use countersign_server::openapi;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use crate::{UNKNOWN_ID, publish};

/// Fields that are parsed but not used.
pub(crate) const UNUSED: [&str; 4] = ["scope", "client_id", "client_secret", "token_type_hint"];

/// The part of a request that contains a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    Query,
    Body,
}

/// A field of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) place: Place,
}

/// A path and a method.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) fields: Vec<Field>,
    /// Content type of its body.
    pub(crate) content_type: Option<String>,
    pub(crate) needs_login: bool,
}

/// All operations of the OpenAPI document.
pub(crate) fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(openapi::<Blog>()).unwrap();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, described) in methods.as_object().unwrap() {
            operations.push(operation(&document, path, method, described));
        }
    }
    assert!(operations.len() >= 30, "{} operations", operations.len());
    operations
}

fn operation(document: &Value, path: &str, method: &str, described: &Value) -> Operation {
    let mut fields: Vec<Field> = described["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|parameter| Field {
            name: parameter["name"].as_str().unwrap().to_owned(),
            place: if parameter["in"] == "path" { Place::Path } else { Place::Query },
        })
        .collect();
    let content = described["requestBody"]["content"].as_object().and_then(|content| content.iter().next());
    if let Some((_, media)) = content {
        let schema = match media["schema"]["$ref"].as_str() {
            Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
            None => &media["schema"],
        };
        let names = schema["properties"].as_object().unwrap().keys();
        fields.extend(names.map(|name| Field { name: name.clone(), place: Place::Body }));
    }
    Operation {
        method: method.to_uppercase(),
        path: path.to_owned(),
        fields,
        content_type: content.map(|(content_type, _)| content_type.clone()),
        needs_login: described["security"].as_array().is_some_and(|schemes| !schemes.is_empty()),
    }
}

/// The user who calls the operations.
pub(crate) struct Person {
    pub(crate) user: User,
    post: String,
    /// Counter for unique names and addresses.
    count: usize,
}

impl Person {
    /// A new user with a post.
    pub(crate) async fn new(app: &TestApp, name: &str) -> Self {
        let user = app.user(name).await;
        let post = publish(&user, "A title").await;
        Self { post: post["id"].as_str().unwrap().to_owned(), user, count: 0 }
    }

    /// A valid value for a field.
    fn ordinary(&self, operation: &Operation, name: &str) -> String {
        match name {
            "user_id" => self.user.id.to_string(),
            "post_id" => self.post.clone(),
            "session_id" => UNKNOWN_ID.to_owned(),
            "username" if operation.path.ends_with("/token") || operation.path.ends_with("/login") => {
                self.user.email.clone()
            }
            "username" => format!("{} {}", self.user.email.replace('@', " "), self.count),
            "email" => format!("{}.{}", self.count, self.user.email),
            "password" | "current_password" => PASSWORD.to_owned(),
            "new_password" => "another horse entirely".to_owned(),
            "grant_type" => "password".to_owned(),
            "code" => "123456".to_owned(),
            "skip" => "0".to_owned(),
            "limit" => "10".to_owned(),
            _ => "some text".to_owned(),
        }
    }

    /// Calls an operation with this value in one field and valid values in all others.
    pub(crate) async fn try_out(&mut self, operation: &Operation, field: &Field, value: &Value) -> Answer {
        self.count += 1;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let path = self.address(operation, field, &text);
        let body = operation.fields.iter().filter(|other| other.place == Place::Body);
        // An address is verified with either a token or a code.
        let by_code = operation.fields.iter().any(|other| other.name == "code") && field.name != "token";
        let body = body.filter(|other| *other == field || !(by_code && other.name == "token"));
        let values: Map<String, Value> = body
            .map(|other| {
                let value = if other == field { value.clone() } else { json!(self.ordinary(operation, &other.name)) };
                (other.name.clone(), value)
            })
            .collect();
        let content_type = operation.content_type.as_deref();
        let caller: &Caller = &self.user;
        match content_type {
            None => caller.send(&operation.method, &path, "text/plain", "").await,
            Some("application/json") => {
                caller.send(&operation.method, &path, "application/json", Value::Object(values).to_string()).await
            }
            Some("application/x-www-form-urlencoded") => {
                let pairs: Vec<String> = values.iter().map(|(name, value)| pair(name, value)).collect();
                caller.send(&operation.method, &path, content_type.unwrap(), pairs.join("&")).await
            }
            Some("multipart/form-data") => {
                caller.upload(&path, &text.replace(['\r', '\n'], "%"), text.as_bytes()).await
            }
            Some(other) => panic!("{other} is a new type of body: say here how it is sent"),
        }
    }

    /// The path and query of a call.
    fn address(&self, operation: &Operation, field: &Field, text: &str) -> String {
        let mut path = operation.path.clone();
        for other in operation.fields.iter().filter(|other| other.place == Place::Path) {
            let value = if other == field { text.to_owned() } else { self.ordinary(operation, &other.name) };
            path = path.replace(&format!("{{{}}}", other.name), &encoded(&value));
        }
        if field.place == Place::Query { format!("{path}?{}={}", field.name, encoded(text)) } else { path }
    }

    /// An operation's path with this person's ids, and the fields of a valid body.
    pub(crate) fn in_order(&self, operation: &Operation) -> (String, BTreeMap<String, String>) {
        let nowhere = Field { name: String::new(), place: Place::Body };
        let body = operation.fields.iter().filter(|field| field.place == Place::Body);
        let values = body.map(|field| (field.name.clone(), self.ordinary(operation, &field.name))).collect();
        (self.address(operation, &nowhere, ""), values)
    }
}

fn pair(name: &str, value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("{name}={}", encoded(&text))
}

/// Percent-encodes a text for a path, a query or a form.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A page route.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PageRoute {
    pub(crate) path: String,
    pub(crate) takes_get: bool,
    pub(crate) takes_post: bool,
}

/// All page routes in the sources.
pub(crate) fn page_routes() -> Vec<PageRoute> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut routes = BTreeSet::new();
    for file in ["crates/countersign/src/pages.rs", "apps/blog/src/pages.rs"] {
        let source = fs::read_to_string(root.join(file)).unwrap();
        for rest in source.split(".route(\"").skip(1) {
            let (path, handlers) = rest.split_once('"').unwrap();
            if path.starts_with("/assets") {
                continue; // files
            }
            let handlers = handlers.split('\n').next().unwrap();
            let takes = |method: &str| handlers.contains(&format!("{method}("));
            routes.insert(PageRoute { path: path.to_owned(), takes_get: takes("get"), takes_post: takes("post") });
        }
    }
    assert!(routes.iter().filter(|route| route.takes_post).count() >= 15, "{routes:?}");
    assert!(routes.iter().filter(|route| route.takes_get).count() >= 15, "{routes:?}");
    routes.into_iter().collect()
}

/// A route's path with ids that exist.
pub(crate) fn page_path(route: &str, person: &Person) -> String {
    let path = route.replace("{user_id}", &person.user.id.to_string()).replace("{post_id}", &person.post);
    path.replace("{session_id}", UNKNOWN_ID).replace("{version}", "x").replace("{name}", "site.css")
}
