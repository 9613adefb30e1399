//! What several pages show in one way: instants, pictures, and the proof of work that a form asks for.

use axum::http::Uri;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::Accounts;
use crate::config::ChallengeWhen;
use crate::model::{ChallengePurpose, Profile};
use crate::templates::{Value, context};

/// An instant for a template: `iso` for machines; `day`, `month`, `year` and `time` for the texts `date` and `moment`.
pub struct Moment(pub Timestamp);

impl From<Moment> for Value {
    fn from(Moment(at): Moment) -> Self {
        let utc = TimeZone::UTC.to_datetime(at);
        let time = format!("{:02}:{:02}", utc.hour(), utc.minute());
        context! { iso => format!("{at:.0}"), day => utc.day(), month => utc.month(), year => utc.year().to_string(), time }
    }
}

/// Where a user's picture is fetched; for those who have none, one is drawn of the name.
pub fn picture_url(accounts: &Accounts, profile: &Profile) -> String {
    match &profile.image_file {
        Some(file) => accounts.config().media.picture_url(Some(file)),
        None => format!("/media/profile_pics/default/{}.svg", profile.id),
    }
}

/// Where pictures come from beside this site: scheme and host.
pub(super) fn pictures_origin(accounts: &Accounts) -> Option<String> {
    let uri: Uri = accounts.config().media.picture_url(Some("x")).parse().ok()?;
    Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?))
}

/// The proof of work that a form's script does, for the macro `work`; none where none is ever asked for.
pub(super) fn challenge(accounts: &Accounts, purpose: ChallengePurpose) -> Option<Value> {
    let challenge = accounts.offer_challenge(purpose)?;
    let (expires_in, always) =
        (challenge.expires_in.as_secs(), accounts.config().challenge.when == ChallengeWhen::Always);
    Some(context! { text => challenge.text, bits => challenge.bits, expires_in, always })
}
