//! Who is shown out when more clients come than there is room for: clients that keep the server waiting, and never
//! whom the server keeps waiting.
//!
//! A connection costs its sender next to nothing, so those that send nothing, or a byte of a head now and then, must not
//! keep out those that have something to ask. While there is room nobody is shown out; the time limits do that.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::Attendance;

/// Even an honest client needs this long between connecting and the last byte of its head, or between two requests.
const GRACE: Duration = Duration::from_secs(1);
/// And an honest client on a bad line this long for a body.
const BODY_GRACE: Duration = Duration::from_secs(5);
/// So many are shown out at once, or a small part of all, so that those who stay are not looked at for each newcomer.
const SHOWN_OUT_MAX: usize = 32;
/// How soon it is looked again whether somebody has fallen silent.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Everybody who is connected.
pub(super) struct Guests {
    room_for: usize,
    present: Mutex<Present>,
    /// Somebody has left.
    left: Notify,
    attendance: Arc<Attendance>,
}

#[derive(Default)]
struct Present {
    guests: HashMap<u64, Arc<Guest>>,
    /// The number of the next one.
    next: u64,
}

/// A connection.
struct Guest {
    /// An address, or of IPv6 the network that one customer has.
    network: IpAddr,
    conduct: Mutex<Conduct>,
    task: OnceLock<AbortHandle>,
}

/// What a connection has done so far.
struct Conduct {
    /// When it came, or when its latest request began or was answered.
    since: Instant,
    /// How many requests it has made.
    asked: u64,
    /// Of those, how many are not answered yet.
    under_way: u32,
    /// Of those, how many wait for more of their body.
    awaited_bodies: u32,
    is_shown_out: bool,
}

/// What the server waits for; the later ones are more of a pity to lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Awaited {
    FirstHead,
    NextHead,
    Body,
    /// Any of these, but not for long yet.
    AnyOfThem,
    /// A body, but not for long yet.
    YoungBody,
}

impl Conduct {
    fn new(now: Instant) -> Self {
        Self { since: now, asked: 0, under_way: 0, awaited_bodies: 0, is_shown_out: false }
    }

    /// What the server waits for at this client; `None` if the client waits for the server.
    fn awaited(&self, now: Instant) -> Option<Awaited> {
        let silent_for = now.saturating_duration_since(self.since);
        if self.under_way > self.awaited_bodies {
            None
        } else if self.under_way > 0 {
            Some(if silent_for < BODY_GRACE { Awaited::YoungBody } else { Awaited::Body })
        } else if silent_for < GRACE {
            Some(Awaited::AnyOfThem)
        } else {
            Some(if self.asked == 0 { Awaited::FirstHead } else { Awaited::NextHead })
        }
    }
}

impl Guest {
    fn conduct(&self) -> MutexGuard<'_, Conduct> {
        self.conduct.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection, unless a request has come in the meantime. From then on none begins.
    fn show_out(&self, now: Instant, attendance: &Attendance) {
        let mut conduct = self.conduct();
        if conduct.awaited(now).is_some() {
            conduct.is_shown_out = true;
            attendance.one_is_shown_out();
            if let Some(task) = self.task.get() {
                task.abort();
            }
        }
    }
}

impl Guests {
    pub(super) fn new(room_for: u32, attendance: Arc<Attendance>) -> Arc<Self> {
        attendance.has_room_for(room_for);
        let room_for = (room_for as usize).max(1);
        Arc::new(Self { room_for, present: Mutex::default(), left: Notify::new(), attendance })
    }

    /// Waits until there is room for one more; shows others out for that if it can.
    pub(super) async fn room(&self) {
        while !self.make_room(Instant::now()) {
            // Whether somebody left or not, it is looked again.
            let _ = timeout(LOOK_AGAIN, self.left.notified()).await;
        }
    }

    /// Somebody who has just connected.
    pub(super) fn enter(self: &Arc<Self>, peer: SocketAddr, now: Instant) -> Ticket {
        self.attendance.one_came();
        let conduct = Mutex::new(Conduct::new(now));
        let guest = Arc::new(Guest { network: network(peer.ip()), conduct, task: OnceLock::new() });
        let mut present = self.present();
        let number = present.next;
        present.next += 1;
        present.guests.insert(number, Arc::clone(&guest));
        Ticket { guests: Arc::clone(self), guest, number }
    }

    fn present(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is room; if not, some are shown out, and it will be soon.
    fn make_room(&self, now: Instant) -> bool {
        let present = self.present();
        if present.guests.len() < self.room_for {
            return true;
        }
        let mut crowds: HashMap<IpAddr, usize> = HashMap::new();
        for guest in present.guests.values() {
            *crowds.entry(guest.network).or_default() += 1;
        }
        let mut silent = Vec::new();
        for guest in present.guests.values() {
            let conduct = guest.conduct();
            if conduct.is_shown_out {
                return false; // on the way to the door
            }
            if let Some(awaited) = conduct.awaited(now) {
                // Where many come from one place, it is probably one of them.
                silent.push(((awaited, Reverse(crowds[&guest.network]), conduct.since), guest));
            }
        }
        let count = (silent.len() / 8).clamp(1, SHOWN_OUT_MAX.max(self.room_for / 32)).min(silent.len());
        if count > 0 {
            silent.select_nth_unstable_by_key(count - 1, |(key, _)| *key);
            for (_, guest) in &silent[..count] {
                guest.show_out(now, &self.attendance);
            }
        }
        false
    }
}

/// The address, or for IPv6 its first 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// A connection's own view; whoever drops it has left.
pub(super) struct Ticket {
    guests: Arc<Guests>,
    guest: Arc<Guest>,
    number: u64,
}

impl Ticket {
    /// By what the connection is ended.
    pub(super) fn usher(&self) -> Usher {
        Usher(Arc::clone(&self.guest))
    }

    /// How many requests there have been.
    pub(super) fn requests(&self) -> u64 {
        self.guest.conduct().asked
    }

    /// By what requests are noted.
    pub(super) fn desk(&self) -> Desk {
        Desk(Arc::clone(&self.guest))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.guests.present().guests.remove(&self.number);
        self.guests.attendance.one_left();
        self.guests.left.notify_one();
    }
}

/// Knows which task a connection is.
pub(super) struct Usher(Arc<Guest>);

impl Usher {
    /// To be called once.
    pub(super) fn tell(self, task: AbortHandle) {
        let _ = self.0.task.set(task);
    }
}

/// Where the requests of one connection are noted.
#[derive(Clone)]
pub(super) struct Desk(Arc<Guest>);

impl Desk {
    /// A request begins; `None` if the connection is being ended, and then nothing must be done for it.
    pub(super) fn begin(&self) -> Option<UnderWay> {
        let mut conduct = self.0.conduct();
        if conduct.is_shown_out {
            return None;
        }
        conduct.asked += 1;
        conduct.under_way += 1;
        conduct.since = Instant::now();
        Some(UnderWay(Arc::clone(&self.0)))
    }

    /// More of a request's body is waited for.
    pub(super) fn awaits_a_body(&self) {
        self.0.conduct().awaited_bodies += 1;
    }

    /// It has come, or is not waited for any more.
    pub(super) fn has_a_body(&self) {
        let mut conduct = self.0.conduct();
        conduct.awaited_bodies = conduct.awaited_bodies.saturating_sub(1);
    }
}

/// A request that is not answered yet; whoever drops it has answered it, or given it up.
pub(super) struct UnderWay(Arc<Guest>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut conduct = self.0.conduct();
        conduct.under_way = conduct.under_way.saturating_sub(1);
        conduct.since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Hall {
        guests: Arc<Guests>,
        opened: Instant,
    }

    impl Hall {
        fn new(room_for: u32) -> Self {
            Self { guests: Guests::new(room_for, Arc::default()), opened: Instant::now() }
        }

        /// Somebody who came so many milliseconds after the opening.
        fn enter(&self, address: &str, at: u64) -> Ticket {
            let peer = SocketAddr::new(address.parse().unwrap(), 4711);
            self.guests.enter(peer, self.opened + Duration::from_millis(at))
        }

        fn has_room_at(&self, at: u64) -> bool {
            self.guests.make_room(self.opened + Duration::from_millis(at))
        }
    }

    fn is_shown_out(ticket: &Ticket) -> bool {
        ticket.guest.conduct().is_shown_out
    }

    #[test]
    fn nobody_is_shown_out_while_there_is_room() {
        let hall = Hall::new(2);
        let guest = hall.enter("192.0.2.1", 0);
        assert!(hall.has_room_at(60_000));
        assert!(!is_shown_out(&guest));
    }

    #[test]
    fn whoever_has_sent_nothing_for_longest_makes_room() {
        let hall = Hall::new(3);
        let asked = hall.enter("192.0.2.1", 0);
        drop(asked.desk().begin());
        asked.guest.conduct().since = hall.opened;
        let (older, newer) = (hall.enter("192.0.2.2", 10), hall.enter("192.0.2.3", 20));
        assert!(!hall.has_room_at(5_000));
        assert_eq!([&asked, &older, &newer].map(is_shown_out), [false, true, false]);
        // Whoever is on the way to the door is enough.
        assert!(!hall.has_room_at(5_001));
        assert_eq!([&asked, &older, &newer].map(is_shown_out), [false, true, false]);
        assert!(older.desk().begin().is_none(), "a request that comes too late is not begun");
        drop(older);
        assert!(hall.has_room_at(5_002));
    }

    #[test]
    fn of_many_from_one_network_one_goes_before_others() {
        let hall = Hall::new(4);
        let alone = hall.enter("2001:db8:2::1", 0);
        let crowd = ["2001:db8:1::1", "2001:db8:1::2", "2001:db8:1::3:0:0"].map(|address| hall.enter(address, 500));
        assert!(!hall.has_room_at(600));
        assert!(!is_shown_out(&alone));
        assert_eq!(crowd.iter().filter(|guest| is_shown_out(guest)).count(), 1);
    }

    #[test]
    fn whoever_waits_for_the_server_stays() {
        let hall = Hall::new(2);
        let guests = [hall.enter("192.0.2.1", 0), hall.enter("192.0.2.2", 0)];
        let under_way: Vec<_> = guests.iter().map(|guest| guest.desk().begin().unwrap()).collect();
        assert!(!hall.has_room_at(60_000));
        assert_eq!(guests.each_ref().map(is_shown_out), [false, false]);
        // A body that does not come is waited for no longer than others are.
        guests[0].guest.conduct().awaited_bodies = 1;
        assert!(!hall.has_room_at(120_000));
        assert_eq!(guests.each_ref().map(is_shown_out), [true, false]);
        drop(under_way);
    }

    #[test]
    fn a_newcomer_is_given_time_before_a_body_that_does_not_come() {
        let hall = Hall::new(2);
        let slow = hall.enter("192.0.2.1", 0);
        let _under_way = slow.desk().begin().unwrap();
        {
            let mut conduct = slow.guest.conduct();
            (conduct.awaited_bodies, conduct.since) = (1, hall.opened);
        }
        let newcomer = hall.enter("192.0.2.2", 9_900);
        assert!(!hall.has_room_at(10_000));
        assert_eq!([&slow, &newcomer].map(is_shown_out), [true, false]);
    }
}
