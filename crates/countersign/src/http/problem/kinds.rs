//! The kinds of problems of the library itself; `docs/problems.md` is generated from this list.

use super::kind::kinds;

kinds! {
    /// A field of the request is missing or invalid.
    INVALID_FIELDS = "invalid_fields", 422, "Invalid fields",
        "A field of the body, the query or the path is missing or invalid; `detail` lists each error.";
    /// The body is incomplete.
    UNREADABLE_BODY = "unreadable_body", 400, "Unreadable body",
        "The request's body is incomplete or malformed.";
    /// The request has no credentials.
    NOT_AUTHENTICATED = "not_authenticated", 401, "Not authenticated",
        "The endpoint requires an `Authorization: Bearer` header or a session cookie, and the request has neither.";
    /// The access token is invalid.
    INVALID_TOKEN = "invalid_token", 401, "Invalid or expired token",
        "The access token is invalid or expired, or its session or user no longer exists. Log in again.";
    /// The login failed.
    WRONG_CREDENTIALS = "wrong_credentials", 401, "Incorrect email or password",
        "Login: the user does not exist or the password is wrong; the response does not tell which.";
    /// The refresh token is invalid.
    INVALID_REFRESH_TOKEN = "invalid_refresh_token", 400, "Invalid or expired refresh token",
        "Refresh: the token is invalid, or its session has ended. Log in again.";
    /// The refresh token was used before.
    REFRESH_TOKEN_REUSED = "refresh_token_reused", 400, "Refresh token reused",
        "Refresh: the token was already exchanged, and the grace period is over, so the token may be stolen. The session was ended. Log in again.";
    /// The password is correct, but the address is not verified.
    EMAIL_NOT_VERIFIED = "email_not_verified", 403, "Email not verified",
        "Login: the password is correct, but the address must be confirmed first, with the mail sent to it; `POST /api/users/resend-verification` sends another.";
    /// The reset token is invalid.
    INVALID_RESET_TOKEN = "invalid_reset_token", 400, "Invalid or expired reset token",
        "Password reset: the token is unknown, used, expired or superseded by a newer one, or the account no longer exists.";
    /// The token or code from a mail is invalid.
    INVALID_VERIFICATION = "invalid_verification", 400, "Invalid or expired verification",
        "E-mail confirmation: the token or code is unknown, used, expired or superseded by a newer one, or five wrong codes were entered.";
    /// Registration is closed.
    REGISTRATION_CLOSED = "registration_closed", 403, "Registration is closed",
        "Self-registration is disabled on this server.";
    /// The invitation is invalid.
    INVALID_INVITATION = "invalid_invitation", 403, "Invalid or expired invitation",
        "Registration requires an invitation code; it is missing, expired, used up, or for another address.";
    /// A proof of work is required.
    CHALLENGE_REQUIRED = "challenge_required", 403, "A proof of work is required",
        "Registration or password reset request: the required proof of work is missing, wrong, expired or used. Solve the one in the member `challenge`, and send the request again with the solution as `challenge_solution`.";
    /// The current password is wrong.
    WRONG_PASSWORD = "wrong_password", 400, "Current password is incorrect",
        "Password change, re-authentication or completing a registration: the password is wrong.";
    /// Another site caused the request.
    CROSS_SITE = "cross_site", 403, "Request from another site",
        "A page of another site caused a request with a session cookie, or a login that would set one (`Sec-Fetch-Site`, `Origin`).";
    /// The login is too old for this action.
    REAUTHENTICATION_REQUIRED = "reauthentication_required", 403, "Recent login required",
        "The action requires a recent login: call `POST /api/users/me/reauthenticate`, then retry with the tokens or the cookie from its response.";
    /// The session does not exist.
    SESSION_NOT_FOUND = "session_not_found", 404, "Session not found",
        "The caller has no active session with this id.";
    /// The account belongs to another user.
    NOT_YOUR_ACCOUNT = "not_your_account", 403, "Not authorized to change this user",
        "The account in the path is not the caller's; it may not exist.";
    /// The path does not exist.
    NOT_FOUND = "not_found", 404, "Not Found",
        "The path does not exist.";
    /// The user does not exist.
    USER_NOT_FOUND = "user_not_found", 404, "User not found",
        "No user has this id; the account may have been deleted.";
    /// The path does not have this method.
    METHOD_NOT_ALLOWED = "method_not_allowed", 405, "Method Not Allowed",
        "The path does not support this method; the header `Allow` lists those it supports.";
    /// The body is too large.
    PAYLOAD_TOO_LARGE = "payload_too_large", 413, "Payload too large",
        "The request's body is larger than the endpoint allows.";
    /// The body has another media type.
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", 415, "Unsupported media type",
        "The request's body has the wrong media type (endpoints expect `application/json` unless documented otherwise), or a `Content-Encoding`, which no endpoint accepts; `detail` names what was expected and what was sent.";
    /// The username is taken.
    USERNAME_TAKEN = "username_taken", 400, "Username already exists",
        "Another user has this username; letter case is ignored.";
    /// The e-mail address is taken.
    EMAIL_TAKEN = "email_taken", 400, "Email already registered",
        "Another user has registered with this e-mail address.";
    /// The picture is too large.
    FILE_TOO_LARGE = "file_too_large", 400, "File too large",
        "The uploaded picture is larger than `MAX_UPLOAD_SIZE_BYTES`.";
    /// The file is not a picture.
    INVALID_IMAGE = "invalid_image", 400, "Invalid image file. Please upload a valid image (JPEG, PNG, GIF, WebP).",
        "The uploaded file is not an image of these formats, is corrupt, or has too many pixels. The format is detected from the content, not the file name.";
    /// There is no picture to delete.
    NO_PICTURE = "no_profile_picture", 400, "No profile picture to delete",
        "The user has the default picture, which cannot be deleted.";
    /// The upload is too slow.
    UPLOAD_TOO_SLOW = "upload_too_slow", 408, "Upload too slow",
        "The picture did not arrive in time.";
    /// The picture cannot be stored.
    STORAGE_UNAVAILABLE = "storage_unavailable", 503, "Failed to upload image. Please try again.",
        "The picture storage is unavailable; the picture is unchanged. `Retry-After` says when to retry.";
    /// Too many concurrent uploads.
    TOO_MANY_UPLOADS = "too_many_uploads", 503, "Too many concurrent uploads",
        "The server is receiving or decoding as many pictures as it can; `Retry-After` says when to retry.";
    /// An internal error.
    INTERNAL = "internal", 500, "Internal server error",
        "An internal error; the server's log has it under the response's `X-Request-Id`.";
    /// The database does not respond.
    DATABASE_UNAVAILABLE = "database_unavailable", 503, "Database unavailable",
        "The database is temporarily unavailable; `Retry-After` says when to retry.";
    /// Too many attempts.
    TOO_MANY_REQUESTS = "too_many_requests", 429, "Too many attempts",
        "A rate limit for this network, account or address was exceeded; the response does not depend on whether the account exists. `Retry-After` says when to retry; `RateLimit` and `RateLimit-Policy` name the limit.";
    /// The password hashing queue is full.
    OVERLOADED = "overloaded", 503, "Too many concurrent logins",
        "The queue of passwords to hash is full; `Retry-After` says when to retry.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn codes_are_unique_and_statuses_are_those_of_errors() {
        let codes: BTreeSet<_> = KINDS.iter().map(|kind| kind.code).collect();
        assert_eq!(codes.len(), KINDS.len());
        assert!(KINDS.iter().all(|kind| StatusCode::from_u16(kind.status).is_ok_and(|s| s.is_client_error() || s.is_server_error())));
    }
}
