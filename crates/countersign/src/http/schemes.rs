//! The OpenAPI security schemes, under the names that endpoint descriptions refer to. Separate, because a host's own endpoints
//! refer to them too.

use utoipa::Modify;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Flow, HttpAuthScheme, HttpBuilder, OAuth2, Password, Scopes, SecurityScheme,
};
use utoipa::openapi::{Components, OpenApi};

/// Adds the schemes to a description.
pub(super) struct SecuritySchemes;

impl Modify for SecuritySchemes {
    fn modify(&self, openapi: &mut OpenApi) {
        let login = Flow::Password(Password::new("/api/users/token", Scopes::new()));
        let cookie = ApiKeyValue::with_description(
            "__Host-session",
            "The cookie that `POST /api/users/login` sets; over plain HTTP on localhost its name is `session`. It counts only \
             without an `Authorization` header.",
        );
        let secret = |scheme, description| {
            SecurityScheme::Http(HttpBuilder::new().scheme(scheme).description(Some(description)).build())
        };
        let schemes = [
            ("OAuth2PasswordBearer", SecurityScheme::OAuth2(OAuth2::new([login]))),
            ("SessionCookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie))),
            (
                "IntrospectionBearer",
                secret(HttpAuthScheme::Bearer, "The setting `INTROSPECTION_SECRET`, sent by other services."),
            ),
            (
                "IntrospectionBasic",
                secret(
                    HttpAuthScheme::Basic,
                    "The same secret as the password, with any client id (RFC 6749, section 2.3.1).",
                ),
            ),
        ];
        openapi.components.get_or_insert_with(Components::new).add_security_schemes_from_iter(schemes);
    }
}
