//! Checks every response in a test against the OpenAPI document. Separate from the callers, because it caches the compiled schemas.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::http::header::{ACCESS_CONTROL_ALLOW_METHODS, CONTENT_TYPE};
use jsonschema::Validator;
use serde_json::{Value, json};
use utoipa::openapi::OpenApi;

use super::Answer;

pub(super) struct Contract {
    document: Value,
    /// Compiled on first use; by path template, method, status and content type.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Contract {
    pub(super) fn new(document: &OpenApi) -> Self {
        let document = serde_json::to_value(document).expect("an OpenAPI document is JSON");
        Self { document, validators: Mutex::default() }
    }

    /// # Panics
    /// If the document does not describe the response.
    #[track_caller]
    pub(super) fn check(&self, method: &str, path: &str, answer: &Answer) {
        let Some(operations) = self.operations(path) else {
            return; // the document describes the API, not pages and files
        };
        let Some(operation) = self.document["paths"][operations].get(method.to_ascii_lowercase()) else {
            let expected = match method {
                "HEAD" => answer.status,
                "OPTIONS" if answer.headers.contains_key(ACCESS_CONTROL_ALLOW_METHODS) => 204,
                _ => 405,
            };
            assert_eq!(answer.status, expected, "{method} {path} is not described, but answered");
            return;
        };
        let described = &operation["responses"][answer.status.to_string()];
        assert!(described.is_object(), "{method} {path} answered {}, which is not described", answer.status);
        for (name, _) in described["headers"].as_object().into_iter().flatten() {
            let is_there = answer.headers.contains_key(name.as_str());
            assert!(is_there, "{method} {path} {}: the header {name} is described, but missing", answer.status);
        }
        let content_type = answer.headers.get(CONTENT_TYPE).map(|value| value.to_str().expect("a text"));
        let Some(content) = described["content"].as_object() else {
            assert!(answer.body.is_empty(), "{method} {path} {}: a body that is not described", answer.status);
            return;
        };
        let content_type = content_type.unwrap_or_default();
        let schema = content.get(content_type).map(|media| &media["schema"]);
        let schema = schema.unwrap_or_else(|| panic!("{method} {path}: the type {content_type:?} is not described"));
        let body: Value = serde_json::from_slice(&answer.body).expect("the body is JSON");
        let key = format!("{operations} {method} {} {content_type}", answer.status);
        let validator = self.validator(key, schema);
        let faults: Vec<String> =
            validator.iter_errors(&body).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
        assert!(faults.is_empty(), "{method} {path} {}: {body}\n{}", answer.status, faults.join("\n"));
    }

    /// Returns the path template that describes `path`; a literal segment takes precedence over a parameter.
    fn operations(&self, path: &str) -> Option<&str> {
        let matches = |template: &&String| {
            let (template, path) = (template.split('/'), path.split('/'));
            template.clone().count() == path.clone().count()
                && template.zip(path).all(|(wanted, found)| wanted.starts_with('{') || wanted == found)
        };
        let templates = self.document["paths"].as_object()?.keys().filter(matches);
        templates.min_by_key(|template| template.matches('{').count()).map(String::as_str)
    }

    fn validator(&self, key: String, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().expect("no test panics while it holds the validators");
        let validator = validators.entry(key).or_insert_with(|| {
            let mut schema = schema.clone();
            schema["components"] = self.document["components"].clone();
            schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
            Arc::new(jsonschema::validator_for(&schema).expect("the document's schemas are JSON Schema"))
        });
        Arc::clone(validator)
    }
}
