//! The kinds of problems that the kernel answers with; `docs/problems.md` is made from this list.

use super::kind::kinds;

kinds! {
    /// The request's fields are not what they have to be.
    INVALID_FIELDS = "invalid_fields", 422, "Invalid fields",
        "A field of the body, the query or the path is missing or not what it has to be; `detail` names each.";
    /// The body broke off.
    UNREADABLE_BODY = "unreadable_body", 400, "Unreadable body",
        "The request's body broke off or was not sent as announced.";
    /// Nobody is logged in.
    NOT_AUTHENTICATED = "not_authenticated", 401, "Not authenticated",
        "The request has no `Authorization: Bearer` header, and the endpoint needs one.";
    /// Nobody is logged in by this token.
    INVALID_TOKEN = "invalid_token", 401, "Invalid or expired token",
        "The access token is not one of ours, has expired, or its session or user is gone. Log in again.";
    /// The login failed.
    WRONG_CREDENTIALS = "wrong_credentials", 401, "Incorrect email or password",
        "Login: there is no such user, or the password is another; the answer does not tell which.";
    /// The refresh token is no good.
    INVALID_REFRESH_TOKEN = "invalid_refresh_token", 400, "Invalid or expired refresh token",
        "Refreshing: the token is not one of ours, or its session is over. Log in again.";
    /// The refresh token was used before.
    REFRESH_TOKEN_REUSED = "refresh_token_reused", 400, "Refresh token used twice",
        "Refreshing: the token had been exchanged longer ago than is forgiven, so somebody else may have it. The session was ended. Log in again.";
    /// The password is right, the address unproven.
    EMAIL_NOT_VERIFIED = "email_not_verified", 403, "Email not verified",
        "Login: the password is right, but the address has to be confirmed first, by the mail that was sent there; `POST /api/users/resend-verification` sends another.";
    /// The reset token is no good.
    INVALID_RESET_TOKEN = "invalid_reset_token", 400, "Invalid or expired reset token",
        "Choosing a new password: the token is unknown, used, superseded by a newer one or expired, or the account is gone.";
    /// What came by mail is no good.
    INVALID_VERIFICATION = "invalid_verification", 400, "Invalid or expired verification",
        "Confirming an address: the token or code is unknown, used, superseded by a newer one or expired, or five wrong codes were tried.";
    /// Nobody may register.
    REGISTRATION_CLOSED = "registration_closed", 403, "Registration is closed",
        "Nobody can register here by themselves.";
    /// The invitation is no good.
    INVALID_INVITATION = "invalid_invitation", 403, "Invalid or expired invitation",
        "Registering takes the code of an invitation here, and it is missing, has run out, is used up, or is for another address.";
    /// Work has to be done first.
    CHALLENGE_REQUIRED = "challenge_required", 403, "A proof of work is required",
        "Registering, or asking for a new password: a proof of work is asked for, and it is missing, wrong, too late or used. The member `challenge` has one to be solved; send the request again with the solution as `challenge_solution`.";
    /// The password given to confirm is wrong.
    WRONG_PASSWORD = "wrong_password", 400, "Current password is incorrect",
        "Confirming who one is: the password is another.";
    /// Another site made the browser send this.
    CROSS_SITE = "cross_site", 403, "Request from another site",
        "A request with a session cookie, or a login that would set one, came from a page of another site (`Sec-Fetch-Site`, `Origin`).";
    /// The login is too old for this.
    REAUTHENTICATION_REQUIRED = "reauthentication_required", 403, "Recent login required",
        "The act needs a password given lately: `POST /api/users/me/reauthenticate`, then try again with what that answers.";
    /// No such session.
    SESSION_NOT_FOUND = "session_not_found", 404, "Session not found",
        "The caller has no session with this id; it may have ended.";
    /// Somebody else's account.
    NOT_YOUR_ACCOUNT = "not_your_account", 403, "Not authorized to change this user",
        "The account in the path is not the caller's own, whether or not it exists.";
    /// Nothing at this path.
    NOT_FOUND = "not_found", 404, "Not Found",
        "There is nothing at this path.";
    /// No user has this id.
    USER_NOT_FOUND = "user_not_found", 404, "User not found",
        "No user has this id; the account may have been deleted.";
    /// The path has other methods.
    METHOD_NOT_ALLOWED = "method_not_allowed", 405, "Method Not Allowed",
        "The path exists and has other methods; the header `Allow` lists them.";
    /// The body is too large.
    PAYLOAD_TOO_LARGE = "payload_too_large", 413, "Payload too large",
        "The request's body is larger than this endpoint takes.";
    /// The body is of another kind.
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", 415, "Unsupported media type",
        "The request's body is not of the type that the endpoint takes, which is `application/json` unless documented otherwise, or has a `Content-Encoding`, which no endpoint takes; `detail` names both the expected and the sent one.";
    /// The name is taken.
    USERNAME_TAKEN = "username_taken", 400, "Username already exists",
        "Somebody has this username, perhaps in another spelling of upper and lower case.";
    /// The address is taken.
    EMAIL_TAKEN = "email_taken", 400, "Email already registered",
        "Somebody has registered with this e-mail address.";
    /// The picture is too large.
    FILE_TOO_LARGE = "file_too_large", 400, "File too large",
        "The uploaded picture is larger than `MAX_UPLOAD_SIZE_BYTES`.";
    /// The file is not a picture.
    INVALID_IMAGE = "invalid_image", 400, "Invalid image file. Please upload a valid image (JPEG, PNG, GIF, WebP).",
        "The uploaded file is not an image of these kinds, is broken, or has more pixels than are decoded. Its content decides, not its name.";
    /// There is no picture to delete.
    NO_PICTURE = "no_profile_picture", 400, "No profile picture to delete",
        "The user has the default picture, which cannot be deleted.";
    /// The upload is too slow.
    UPLOAD_TOO_SLOW = "upload_too_slow", 408, "Upload too slow",
        "The picture did not come in time.";
    /// The picture cannot be stored.
    STORAGE_UNAVAILABLE = "storage_unavailable", 503, "Failed to upload image. Please try again.",
        "The storage of pictures does not answer at the moment; the picture stayed as it was. `Retry-After` says when to try again.";
    /// Too many pictures.
    TOO_MANY_UPLOADS = "too_many_uploads", 503, "Too many uploads at the moment",
        "More pictures are coming in or waiting to be decoded than can be in time; `Retry-After` says when to try again.";
    /// Something broke inside.
    INTERNAL = "internal", 500, "Internal server error",
        "Something broke inside; the log has it under the answer's `X-Request-Id`.";
    /// The database does not answer.
    DATABASE_UNAVAILABLE = "database_unavailable", 503, "Database unavailable",
        "The database does not answer at the moment; `Retry-After` says when to try again.";
    /// Too many attempts.
    TOO_MANY_REQUESTS = "too_many_requests", 429, "Too many attempts",
        "This was tried too often from this network, or for this account or address; whether there is such an account has no part in it. `Retry-After` says when to try again, `RateLimit` and `RateLimit-Policy` which limit it was.";
    /// Too many passwords to hash.
    OVERLOADED = "overloaded", 503, "Too many logins at the moment",
        "More passwords are waiting to be hashed than can be in time; `Retry-After` says when to try again.";
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
