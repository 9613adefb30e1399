//! The account page: several forms, one for each action. Actions that require a recent login ask for the password when the login is
//! older.

use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::form::{Fault, Form};
use super::outcome::{Redirect, later};
use super::shown::Moment;
use super::visitor::{LoggedIn, Visitor};
use crate::http::cookie;
use crate::http::current_user::CurrentUser;
use crate::http::problem::{INVALID_TOKEN, Problem};
use crate::model::{Device, EmailAddress, Password, SessionId, Username};
use crate::templates::{Value, context};
use crate::{
    ChangePassword, ChangePasswordError, EditProfile, EditProfileError, ReauthenticateError, RequestMailError,
    TooManyAttempts,
};

/// The forms of the page; the submitted one is shown again with its errors.
struct Forms {
    profile: Form,
    picture: Form,
    email: Form,
    password: Form,
}

impl Forms {
    fn new(caller: &CurrentUser) -> Self {
        Self {
            profile: Form::empty().prefix("profile-").with("username", caller.user.username.as_str()),
            picture: Form::empty().prefix("picture-"),
            email: Form::empty().prefix("email-"),
            password: Form::empty().prefix("password-"),
        }
    }

    fn context(&self) -> Value {
        context! {
            profile => self.profile.context(),
            picture => self.picture.context(),
            email => self.email.context(),
            password => self.password.context(),
        }
    }

    /// The form whose errors are summarized at the top of the page.
    fn summary(&self) -> Value {
        let forms = [&self.profile, &self.picture, &self.email, &self.password];
        forms.into_iter().find(|form| form.is_faulty()).unwrap_or(&self.profile).context()
    }
}

pub(super) async fn show(LoggedIn { visitor, caller }: LoggedIn) -> Result<Response, Problem> {
    page(&visitor, &caller, StatusCode::OK, &Forms::new(&caller)).await
}

/// Where password managers send a user to change the password (W3C, "A Well-Known URL for Changing Passwords").
pub(super) async fn redirect_to_password(_: LoggedIn) -> Redirect {
    Redirect::path("/account#password")
}

async fn page(visitor: &Visitor, caller: &CurrentUser, status: StatusCode, forms: &Forms) -> Result<Response, Problem> {
    let accounts = visitor.accounts();
    let state = accounts.find_email_state(caller.user.id).await?.ok_or_else(|| Problem::new(&INVALID_TOKEN))?;
    let sessions = accounts.list_sessions(caller.user.id).await?;
    let sessions: Vec<Value> = sessions
        .into_iter()
        .map(|session| {
            let device = match session.user_agent.as_deref().map(|name| (name, Device::parse(name))) {
                Some((_, Some(Device { browser, system }))) => {
                    visitor.text("page-device", &[("browser", browser), ("system", system)])
                }
                Some((name, None)) => name.to_owned(),
                None => visitor.text("page-unknown-device", &[]),
            };
            context! {
                id => session.id.to_string(),
                device,
                address => session.address,
                current => session.id == caller.session,
                seen => Value::from(Moment(session.last_seen_at)),
            }
        })
        .collect();
    let own = context! {
        forms => forms.context(),
        summary => forms.summary(),
        email => caller.user.email.as_str(),
        verified => state.is_verified,
        pending => state.pending.map(|address| address.as_str().to_owned()),
        recent => caller.is_recent(accounts),
        sessions,
        pictures => cfg!(feature = "pictures"),
    };
    Ok(visitor.page(status, "pages/account.html", own))
}

/// The page with the error of a picture.
pub(super) async fn show_refused_picture(
    visitor: &Visitor,
    caller: &CurrentUser,
    status: StatusCode,
    fault: Fault,
) -> Result<Response, Problem> {
    let mut forms = Forms::new(caller);
    forms.picture.fault::<()>("file", fault);
    page(visitor, caller, status, &forms).await
}

pub(super) async fn save_profile(LoggedIn { visitor, caller }: LoggedIn, form: Form) -> Result<Response, Problem> {
    let mut forms = Forms { profile: form.prefix("profile-"), ..Forms::new(&caller) };
    let Some(username) = forms.profile.required("username", Username::parse) else {
        return page(&visitor, &caller, StatusCode::UNPROCESSABLE_ENTITY, &forms).await;
    };
    let edit =
        EditProfile { username: Some(username), email: None, session: caller.session, client: visitor.client.clone() };
    match visitor.accounts().edit_profile(caller.user.id, edit).await {
        Ok(_) => Ok(Redirect::path("/account").done(&visitor, "profile-saved").into_response()),
        Err(EditProfileError::UsernameTaken | EditProfileError::EmailTaken) => {
            forms.profile.fault::<()>("username", Fault("fault-username-taken"));
            page(&visitor, &caller, StatusCode::BAD_REQUEST, &forms).await
        }
        Err(EditProfileError::UserGone) => Err(Problem::new(&INVALID_TOKEN)),
        Err(EditProfileError::TooMany(limited)) => Err(limited.into()),
        Err(EditProfileError::Internal(error)) => Err(error.into()),
    }
}

/// The result of checking the password; errors are noted in the form.
enum Confirmed {
    Yes(Recent),
    No,
    TooOften(TooManyAttempts),
}

/// A caller with a recent login.
struct Recent {
    session: SessionId,
    /// The new session cookie, if the session was replaced.
    cookie: Option<HeaderValue>,
}

/// Checks the password from the form, unless the login is recent.
async fn confirm(visitor: &Visitor, caller: &CurrentUser, form: &mut Form) -> Result<Confirmed, Problem> {
    let accounts = visitor.accounts();
    if caller.is_recent(accounts) {
        return Ok(Confirmed::Yes(Recent { session: caller.session, cookie: None }));
    }
    let Some(password) = form.secret("password", |text| Ok::<_, Fault>(Password::presented(text))) else {
        return Ok(Confirmed::No);
    };
    let (name, fault) = match accounts.reauthenticate(caller.user.id, caller.session, password, &visitor.client).await {
        Ok(tokens) => {
            let cookie = cookie::set(visitor.cookies(), accounts.config(), &tokens.session_cookie, tokens.stay);
            return Ok(Confirmed::Yes(Recent { session: tokens.session, cookie }));
        }
        Err(ReauthenticateError::TooMany(limited)) => {
            form.fault::<()>("", limited.into());
            return Ok(Confirmed::TooOften(limited));
        }
        Err(ReauthenticateError::WrongPassword) => ("password", "fault-password-wrong"),
        Err(ReauthenticateError::Overloaded(_)) => ("", "fault-busy"),
        Err(ReauthenticateError::SessionOver) => return Err(Problem::new(&INVALID_TOKEN)),
        Err(ReauthenticateError::Internal(error)) => return Err(error.into()),
    };
    form.fault::<()>(name, Fault(fault));
    Ok(Confirmed::No)
}

/// Renders the page for a form that exceeded a rate limit.
async fn limited_page(
    visitor: &Visitor,
    caller: &CurrentUser,
    forms: &Forms,
    limited: &TooManyAttempts,
) -> Result<Response, Problem> {
    Ok(later(page(visitor, caller, StatusCode::TOO_MANY_REQUESTS, forms).await?, limited))
}

pub(super) async fn change_email(LoggedIn { visitor, caller }: LoggedIn, form: Form) -> Result<Response, Problem> {
    let mut forms = Forms { email: form.prefix("email-"), ..Forms::new(&caller) };
    let address = forms.email.required("email", EmailAddress::parse);
    let Some(address) = address else {
        return page(&visitor, &caller, StatusCode::UNPROCESSABLE_ENTITY, &forms).await;
    };
    let recent = match confirm(&visitor, &caller, &mut forms.email).await? {
        Confirmed::Yes(recent) => recent,
        Confirmed::No => return page(&visitor, &caller, StatusCode::UNPROCESSABLE_ENTITY, &forms).await,
        Confirmed::TooOften(limited) => return limited_page(&visitor, &caller, &forms, &limited).await,
    };
    let asked = visitor.accounts().request_email_change(caller.user.id, recent.session, &address, &visitor.client);
    match asked.await {
        Ok(()) => {
            Ok(Redirect::path("/account").done(&visitor, "email-proof-sent").cookies(recent.cookie).into_response())
        }
        Err(RequestMailError::TooMany(limited)) => {
            forms.email.fault::<()>("", limited.into());
            let mut response = limited_page(&visitor, &caller, &forms, &limited).await?;
            response.headers_mut().extend(recent.cookie.map(|cookie| (SET_COOKIE, cookie)));
            Ok(response)
        }
        Err(RequestMailError::Internal(error)) => Err(error.into()),
    }
}

pub(super) async fn resend_verification(LoggedIn { visitor, caller }: LoggedIn) -> Result<Response, Problem> {
    if let Ok(address) = EmailAddress::parse(&caller.user.email) {
        match visitor.accounts().resend_verification(&address, &visitor.client).await {
            Ok(()) => {}
            Err(RequestMailError::TooMany(limited)) => {
                let mut forms = Forms::new(&caller);
                forms.email.fault::<()>("", limited.into());
                return limited_page(&visitor, &caller, &forms, &limited).await;
            }
            Err(RequestMailError::Internal(error)) => return Err(error.into()),
        }
    }
    Ok(Redirect::path("/account").done(&visitor, "verification-sent").into_response())
}

pub(super) async fn change_password(LoggedIn { visitor, caller }: LoggedIn, form: Form) -> Result<Response, Problem> {
    let mut forms = Forms { password: form.prefix("password-"), ..Forms::new(&caller) };
    let current = forms.password.secret("current_password", |text| Ok::<_, Fault>(Password::presented(text)));
    let new = forms.password.secret("new_password", Password::choose);
    let (Some(current), Some(new)) = (current, new) else {
        return page(&visitor, &caller, StatusCode::UNPROCESSABLE_ENTITY, &forms).await;
    };
    let client = visitor.client.clone();
    let change = ChangePassword { user: caller.user.id, session: caller.session, current, new, client };
    let (status, name, fault) = match visitor.accounts().change_password(change).await {
        Ok(tokens) => {
            let to = Redirect::path("/account").done(&visitor, "password-changed");
            return Ok(to.logged_in(&visitor, &tokens).into_response());
        }
        Err(ChangePasswordError::SessionOver) => return Err(Problem::new(&INVALID_TOKEN)),
        Err(ChangePasswordError::TooMany(limited)) => {
            forms.password.fault::<()>("", limited.into());
            return limited_page(&visitor, &caller, &forms, &limited).await;
        }
        Err(ChangePasswordError::WrongPassword) => {
            (StatusCode::BAD_REQUEST, "current_password", "fault-password-wrong")
        }
        Err(ChangePasswordError::CommonPassword) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "new_password", "fault-password-common")
        }
        Err(ChangePasswordError::Overloaded(_)) => (StatusCode::SERVICE_UNAVAILABLE, "", "fault-busy"),
        Err(ChangePasswordError::Internal(error)) => return Err(error.into()),
    };
    forms.password.fault::<()>(name, Fault(fault));
    page(&visitor, &caller, status, &forms).await
}

pub(super) async fn show_deletion(LoggedIn { visitor, caller }: LoggedIn) -> Result<Response, Problem> {
    Ok(deletion_page(&visitor, &caller, StatusCode::OK, &Form::empty()))
}

fn deletion_page(visitor: &Visitor, caller: &CurrentUser, status: StatusCode, form: &Form) -> Response {
    let own = context! {
        form => form.context(),
        email => caller.user.email.as_str(),
        recent => caller.is_recent(visitor.accounts()),
    };
    visitor.page(status, "pages/delete_account.html", own)
}

pub(super) async fn delete(LoggedIn { visitor, caller }: LoggedIn, mut form: Form) -> Result<Response, Problem> {
    match confirm(&visitor, &caller, &mut form).await? {
        Confirmed::Yes(_) => {}
        Confirmed::No => return Ok(deletion_page(&visitor, &caller, StatusCode::UNPROCESSABLE_ENTITY, &form)),
        Confirmed::TooOften(limited) => {
            return Ok(later(deletion_page(&visitor, &caller, StatusCode::TOO_MANY_REQUESTS, &form), &limited));
        }
    }
    visitor.accounts().delete_account(caller.user.id, &visitor.client).await?;
    Ok(Redirect::path("/").done(&visitor, "account-deleted").cookies(cookie::clear(visitor.cookies())).into_response())
}
