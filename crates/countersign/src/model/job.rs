//! Background jobs. Each holds only the id of its subject, so that any instance can run it.

use std::str::FromStr;

use jiff::Timestamp;

use super::{OneTimeTokenId, PictureFile};

crate::entity_id! {
    /// The id of a job. The mail that it sends has the same id.
    pub JobId
}

crate::entity_id! {
    /// The id of an account event.
    pub EventId
}

/// A background job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// Send a one-time token to its address.
    SendToken(OneTimeTokenId),
    /// Send a notice of an event to the user.
    SendNotice(EventId),
    /// Delete the file of a picture that its user no longer has.
    DeletePicture(PictureFile),
    /// Delete expired rows; periodic.
    Sweep,
    /// Delete picture files that no user refers to; periodic.
    SweepPictures,
}

impl Job {
    /// Returns the name in the database and in logs.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::SendToken(_) => "send_token",
            Self::SendNotice(_) => "send_notice",
            Self::DeletePicture(_) => "delete_picture",
            Self::Sweep => "sweep",
            Self::SweepPictures => "sweep_pictures",
        }
    }

    /// Returns the id of the subject.
    pub(crate) fn subject(&self) -> String {
        match self {
            Self::SendToken(id) => id.to_string(),
            Self::SendNotice(id) => id.to_string(),
            Self::DeletePicture(file) => file.to_string(),
            Self::Sweep | Self::SweepPictures => String::new(),
        }
    }

    /// Parses a job; `None` if a newer version wrote it and this one does not know its kind.
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

/// A queued job, for an operator to inspect.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct QueuedJob {
    /// The id.
    pub id: JobId,
    /// The kind.
    pub kind: String,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// When it runs next.
    pub run_at: Timestamp,
    /// The number of attempts so far.
    pub attempts: u32,
    /// When it was marked failed.
    pub failed_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

/// The size of the job queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobBacklog {
    /// Jobs that are due and not being run.
    pub due: u64,
    /// Jobs that are not due yet: periodic ones, failed ones that wait for a retry, and those being run.
    pub later: u64,
    /// Jobs that were marked failed.
    pub given_up: u64,
    /// When the longest waiting job became due.
    pub due_since: Option<Timestamp>,
}
