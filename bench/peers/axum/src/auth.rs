//! Access tokens, and the extractor that finds the current user by them.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use chrono::{TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

use crate::AppState;
use crate::error::AppError;
use crate::users::User;

const TOKEN_LIFE: TimeDelta = TimeDelta::minutes(30);

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
}

pub(crate) struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl Tokens {
    pub(crate) fn new(secret: &str) -> jsonwebtoken::errors::Result<Self> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "sub"]);
        validation.leeway = 0;
        Ok(Self {
            encoding: EncodingKey::from_secret(secret.as_bytes())?,
            decoding: DecodingKey::from_secret(secret.as_bytes())?,
            validation,
        })
    }

    pub(crate) fn issue(&self, user_id: i64) -> anyhow::Result<String> {
        let claims = Claims { sub: user_id.to_string(), exp: (Utc::now() + TOKEN_LIFE).timestamp() };
        Ok(encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)?)
    }

    fn user_id(&self, token: &str) -> Option<i64> {
        let token = decode::<Claims>(token, &self.decoding, &self.validation).ok()?;
        token.claims.sub.parse().ok()
    }
}

/// The user of the request's token, as the database has them now.
pub(crate) struct CurrentUser(pub(crate) User);

impl FromRequestParts<AppState> for CurrentUser {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, AppError> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token)
            .ok_or(AppError::Unauthorized("Not authenticated"))?;
        let id = app.tokens.user_id(token).ok_or(AppError::Unauthorized("Invalid or expired token"))?;
        let user = User::find(&app.db, id).await?.ok_or(AppError::Unauthorized("User not found"))?;
        Ok(Self(user))
    }
}
