//! Values that several pages show alike: instants, pictures, and the proof of work of a form.

use axum::http::Uri;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::Accounts;
use crate::config::ChallengeWhen;
use crate::model::{ChallengePurpose, Profile};
use crate::templates::{Value, context};

/// An instant for templates: `iso` for machines; `day`, `month`, `year` and `time` for the texts `date` and `moment`.
pub struct Moment(pub Timestamp);

impl From<Moment> for Value {
    fn from(Moment(at): Moment) -> Self {
        let utc = TimeZone::UTC.to_datetime(at);
        let time = format!("{:02}:{:02}", utc.hour(), utc.minute());
        context! { iso => format!("{at:.0}"), day => utc.day(), month => utc.month(), year => utc.year().to_string(), time }
    }
}

/// Returns the URL of a user's picture; without one, that of a picture drawn from the name.
pub fn picture_url(accounts: &Accounts, profile: &Profile) -> String {
    match &profile.image_file {
        Some(file) => accounts.config().media.picture_url(Some(file)),
        None => format!("/media/profile_pics/default/{}.svg", profile.id),
    }
}

/// Returns the origin of pictures outside this site: scheme and host.
pub(super) fn pictures_origin(accounts: &Accounts) -> Option<String> {
    let uri: Uri = accounts.config().media.picture_url(Some("x")).parse().ok()?;
    Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?))
}

/// Returns the challenge that a form's script solves, for the macro `work`; `None` if the server never requires one.
pub(super) fn challenge(accounts: &Accounts, purpose: ChallengePurpose) -> Option<Value> {
    let challenge = accounts.offer_challenge(purpose)?;
    let (expires_in, always) =
        (challenge.expires_in.as_secs(), accounts.config().challenge.when == ChallengeWhen::Always);
    Some(context! { text => challenge.text, bits => challenge.bits, expires_in, always })
}
