//! Metadata for other services: this server's endpoints and public keys.

use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::{Problem, ServiceProblems};
use crate::Accounts;

/// The routes of `/.well-known/…`, to be merged at the root (RFC 8615).
pub fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(public_keys)).routes(routes!(metadata))
}

/// Half of the time between publishing a new key and using it, so that a cached response is never too old.
const KEEP: &str = "public, max-age=300";

/// A set of public keys (RFC 7517, section 5).
#[derive(Serialize, ToSchema)]
struct KeySetResponse {
    #[schema(value_type = Vec<PublicKey>)]
    keys: Vec<serde_json::Value>,
}

/// A public key (RFC 7517, section 4; RFC 7518, section 6; RFC 8037, section 2).
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the members that the JWT library writes")]
struct PublicKey {
    /// The family of the algorithm: `RSA`, `EC` or `OKP`.
    #[schema(example = "OKP")]
    kty: String,
    /// `sig`
    #[schema(example = "sig")]
    r#use: String,
    /// The signature algorithm: `RS256`, `ES256` or `EdDSA`.
    #[schema(example = "EdDSA")]
    alg: String,
    /// The key's id, which is also in the header of each token.
    kid: String,
    /// With `EC` and `OKP`: the curve.
    #[schema(nullable = false, example = "Ed25519")]
    crv: Option<String>,
    /// With `OKP`: the public key; with `EC`: its x coordinate.
    #[schema(nullable = false)]
    x: Option<String>,
    /// With `EC`: the y coordinate.
    #[schema(nullable = false)]
    y: Option<String>,
    /// With `RSA`: the modulus.
    #[schema(nullable = false)]
    n: Option<String>,
    /// With `RSA`: the exponent.
    #[schema(nullable = false, example = "AQAB")]
    e: Option<String>,
}

/// Get the public keys that verify access tokens
///
/// Empty while tokens are signed with HS256, whose only key is secret.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "discovery",
    responses((status = OK, body = KeySetResponse, description = "The keys"), ServiceProblems),
)]
async fn public_keys(State(accounts): State<Accounts>) -> Result<impl IntoResponse, Problem> {
    let keys = accounts.public_keys().await?;
    Ok(([(CACHE_CONTROL, KEEP)], Json(KeySetResponse { keys })))
}

/// The metadata of this authorization server (RFC 8414, section 2).
#[derive(Serialize, ToSchema)]
struct MetadataResponse {
    issuer: String,
    token_endpoint: String,
    revocation_endpoint: String,
    introspection_endpoint: String,
    jwks_uri: String,
    grant_types_supported: [&'static str; 2],
    /// Empty: there is no authorization endpoint.
    #[schema(value_type = Vec<String>)]
    response_types_supported: [&'static str; 0],
    scopes_supported: [&'static str; 1],
    token_endpoint_auth_methods_supported: [&'static str; 1],
    revocation_endpoint_auth_methods_supported: [&'static str; 1],
    /// The secret as the HTTP Basic password under any client id, or as a bearer token.
    introspection_endpoint_auth_methods_supported: [&'static str; 2],
    service_documentation: String,
}

/// Get the authorization server metadata
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    tag = "discovery",
    responses((status = OK, body = MetadataResponse, description = "The metadata")),
)]
async fn metadata(State(accounts): State<Accounts>) -> impl IntoResponse {
    let base = accounts.config().public_url.as_str();
    let metadata = MetadataResponse {
        issuer: accounts.config().tokens.issuer.clone(),
        token_endpoint: format!("{base}/api/users/token"),
        revocation_endpoint: format!("{base}/api/users/token/revoke"),
        introspection_endpoint: format!("{base}/api/users/token/introspect"),
        jwks_uri: format!("{base}/.well-known/jwks.json"),
        grant_types_supported: ["password", "refresh_token"],
        response_types_supported: [],
        scopes_supported: ["account"],
        token_endpoint_auth_methods_supported: ["none"],
        revocation_endpoint_auth_methods_supported: ["none"],
        introspection_endpoint_auth_methods_supported: ["client_secret_basic", "Bearer"],
        service_documentation: format!("{base}/docs"),
    };
    ([(CACHE_CONTROL, KEEP)], Json(metadata))
}
