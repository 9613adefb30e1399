//! Captured mails: the newest ones, kept in memory for inspection.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::{OutgoingMail, SendMail, Sending};

/// Captured mails, which are not sent; cheap to clone.
#[derive(Clone, Default)]
pub struct Mailbox(Arc<Mutex<VecDeque<Arc<OutgoingMail>>>>);

const MAILS_MAX: usize = 200;

impl Mailbox {
    /// Returns the captured mails, newest first.
    pub fn list(&self) -> Vec<Arc<OutgoingMail>> {
        self.lock().iter().rev().cloned().collect()
    }

    /// Returns the newest mail to this address.
    pub fn find_newest_to(&self, address: &str) -> Option<Arc<OutgoingMail>> {
        self.lock().iter().rev().find(|mail| mail.to.as_str() == address).cloned()
    }

    /// Returns the newest mail with this id, a UUID.
    pub fn find(&self, id: &str) -> Option<Arc<OutgoingMail>> {
        let id: Uuid = id.parse().ok()?;
        self.lock().iter().rev().find(|mail| mail.id == id).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<OutgoingMail>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SendMail for Mailbox {
    fn send(&self, mail: OutgoingMail) -> Sending<'_> {
        let mut mails = self.lock();
        if mails.len() >= MAILS_MAX {
            mails.pop_front();
        }
        mails.push_back(Arc::new(mail));
        Box::pin(std::future::ready(Ok(())))
    }
}
