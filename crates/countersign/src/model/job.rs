//! Decides which work is done later, by whoever comes first: each names by an id what it is about, and holds nothing else.

use std::str::FromStr;

use jiff::Timestamp;

use super::{OneTimeTokenId, PictureFile};

crate::entity_id! {
    /// Which job. The mail that it sends has the same id.
    pub JobId
}

crate::entity_id! {
    /// Which event of an account's safety.
    pub EventId
}

/// Work that is done later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// Send a one-time token to its address.
    SendToken(OneTimeTokenId),
    /// Tell a user what happened to the account.
    SendNotice(EventId),
    /// Delete the file of a picture that its user has no more.
    DeletePicture(PictureFile),
    /// Take away what has run out; comes again by itself.
    Sweep,
    /// Delete files of pictures that nobody has; comes again by itself.
    SweepPictures,
}

impl Job {
    /// Its name in the database and in logs.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::SendToken(_) => "send_token",
            Self::SendNotice(_) => "send_notice",
            Self::DeletePicture(_) => "delete_picture",
            Self::Sweep => "sweep",
            Self::SweepPictures => "sweep_pictures",
        }
    }

    /// The id of what it is about.
    pub(crate) fn subject(&self) -> String {
        match self {
            Self::SendToken(id) => id.to_string(),
            Self::SendNotice(id) => id.to_string(),
            Self::DeletePicture(file) => file.to_string(),
            Self::Sweep | Self::SweepPictures => String::new(),
        }
    }

    /// `None` when it was written by a version that knows more kinds.
    pub(crate) fn parse(kind: &str, subject: &str) -> Option<Self> {
        match kind {
            "send_token" => OneTimeTokenId::from_str(subject).ok().map(Self::SendToken),
            "send_notice" => EventId::from_str(subject).ok().map(Self::SendNotice),
            "delete_picture" => PictureFile::from_str(subject).ok().map(Self::DeletePicture),
            "sweep" => Some(Self::Sweep),
            "sweep_pictures" => Some(Self::SweepPictures),
            _ => None,
        }
    }
}

/// A job as it waits, for an operator to look at.
#[derive(Clone, Debug)]
pub struct QueuedJob {
    /// Which.
    pub id: JobId,
    /// What it does.
    pub kind: String,
    /// When it was promised.
    pub created_at: Timestamp,
    /// When it is tried next.
    pub run_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Since when it is not tried any more.
    pub failed_at: Option<Timestamp>,
    /// Why it did not work the last time.
    pub last_error: Option<String>,
}

/// How much there is to be done later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobBacklog {
    /// Jobs whose time has come and that nobody is at.
    pub due: u64,
    /// Jobs whose time is still to come: those that come again by themselves, those that did not work and are tried again,
    /// and those that somebody is at.
    pub later: u64,
    /// Jobs that are not tried any more.
    pub given_up: u64,
    /// Since when the one that has waited longest is due.
    pub due_since: Option<Timestamp>,
}
