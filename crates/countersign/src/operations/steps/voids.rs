//! Revocation: every act voids secrets by one [`table`] of acts and of all secrets that can still open something. A new
//! act or secret does not compile until the table covers it.

mod table;

use countersign_db::DbError;

pub(in crate::operations) use self::table::Act;
use self::table::{Fate, Secret};
use super::change::Change;
use crate::model::{SessionId, TokenPurpose, UserId};
use crate::store;

impl Change<'_> {
    /// Voids what `act` voids, and returns how many sessions ended. `present` is the session that acts, or that the act
    /// is about. The caller issues replacements. Links requested by a session are void once it has ended.
    pub(in crate::operations) async fn void(
        &mut self,
        act: Act,
        user: UserId,
        present: Option<SessionId>,
    ) -> Result<u64, DbError> {
        let ends_present = act.fate_of(Secret::PresentAccessTokens) == Fate::Void;
        let mut ended = 0;
        for secret in Secret::ALL.into_iter().filter(|secret| act.fate_of(*secret) != Fate::Kept) {
            match secret {
                Secret::OtherSessions => {
                    let kept = present.filter(|_| !ends_present);
                    ended += store::sessions::delete_others(self.conn(), user, kept).await?;
                }
                Secret::PresentAccessTokens => {
                    if let Some(session) = present {
                        ended += u64::from(store::sessions::delete(self.conn(), session, user).await?);
                    }
                }
                Secret::ResetLinks
                | Secret::VerificationLinks
                | Secret::ChangeLinks
                | Secret::UndoLinks
                | Secret::UnprovenUndoLinks
                | Secret::WaitingRegistrations => {
                    for purpose in TokenPurpose::ALL.into_iter().filter(|purpose| opens(*purpose) == secret) {
                        if act.fate_of(secret) != Fate::VoidIfLater {
                            store::one_time_tokens::delete_of_user(self.conn(), user, purpose).await?;
                        }
                    }
                }
                // Present secrets end with the session or with its salt, and device cookies with the password hash.
                Secret::PresentSecrets | Secret::DeviceCookies => {}
            }
        }
        Ok(ended)
    }
}

/// Returns the table's secret for a one-time token.
fn opens(purpose: TokenPurpose) -> Secret {
    match purpose {
        TokenPurpose::VerifyEmail => Secret::VerificationLinks,
        TokenPurpose::CompleteRegistration => Secret::WaitingRegistrations,
        TokenPurpose::ResetPassword => Secret::ResetLinks,
        TokenPurpose::ConfirmEmailChange => Secret::ChangeLinks,
        TokenPurpose::UndoEmailChange => Secret::UndoLinks,
        TokenPurpose::UndoUnprovenChange => Secret::UnprovenUndoLinks,
    }
}

/// Returns the table as names of act, secret and fate, for the test that checks it over HTTP.
#[cfg(feature = "testing")]
pub fn voids() -> Vec<[String; 3]> {
    let names = |act: Act, secret| [format!("{act:?}"), format!("{secret:?}"), format!("{:?}", act.fate_of(secret))];
    Act::ALL.into_iter().flat_map(|act| Secret::ALL.map(|secret| names(act, secret))).collect()
}
