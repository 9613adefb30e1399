//! Evicts connections when the limit is reached: only those the server waits for, never those that wait for the server.
//!
//! Connections cost an attacker almost nothing. Connections that send nothing, or a byte of a head now and then, must
//! not lock out clients with requests. Below the limit nothing is evicted; idle connections then end by timeouts.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::ConnectionCounters;

/// Time that even an honest client needs from connecting to the last byte of its head, or between two requests.
const GRACE: Duration = Duration::from_secs(1);
/// Time that an honest client on a slow network needs between parts of a body.
const BODY_GRACE: Duration = Duration::from_secs(5);
/// Maximum number of connections evicted per scan, or 1/32 of all if that is more. Evicting several at once avoids a
/// scan for each accept.
const EVICTED_MAX: usize = 32;
/// How often to scan for silent connections while new ones wait.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// All open connections.
pub(super) struct OpenConnections {
    room_for: usize,
    present: Mutex<Present>,
    /// Notified when a connection closes.
    left: Notify,
    connection_counters: Arc<ConnectionCounters>,
}

#[derive(Default)]
struct Present {
    connections: HashMap<u64, Arc<OpenConnection>>,
    /// The number of the next connection.
    next: u64,
}

/// An open connection.
struct OpenConnection {
    /// The client's IPv4 address or IPv6 /64.
    network: IpAddr,
    activity: Mutex<Activity>,
    task: OnceLock<AbortHandle>,
}

/// The state of a connection.
struct Activity {
    /// When it was opened, or when its latest request began or was answered.
    since: Instant,
    /// Number of requests so far.
    asked: u64,
    /// Number of requests without a response.
    under_way: u32,
    /// Number of those that wait for more of their body.
    awaited_bodies: u32,
    is_evicted: bool,
}

/// What the server waits for, in the order of eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Awaited {
    FirstHead,
    NextHead,
    Body,
    /// Any of these, within the grace period.
    AnyOfThem,
    /// A body, within its grace period.
    YoungBody,
}

impl Activity {
    fn new(now: Instant) -> Self {
        Self { since: now, asked: 0, under_way: 0, awaited_bodies: 0, is_evicted: false }
    }

    /// Returns what the server waits for; `None` if the client waits for the server.
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

impl OpenConnection {
    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Evicts the connection, unless a request began in the meantime. Later requests are refused.
    fn evict(&self, now: Instant, connection_counters: &ConnectionCounters) {
        let mut activity = self.activity();
        if activity.awaited(now).is_some() {
            activity.is_evicted = true;
            connection_counters.one_is_evicted();
            if let Some(task) = self.task.get() {
                task.abort();
            }
        }
    }
}

impl OpenConnections {
    pub(super) fn new(room_for: u32, connection_counters: Arc<ConnectionCounters>) -> Arc<Self> {
        connection_counters.has_room_for(room_for);
        let room_for = (room_for as usize).max(1);
        Arc::new(Self { room_for, present: Mutex::default(), left: Notify::new(), connection_counters })
    }

    /// Waits until there is room for another connection, and evicts others if it can.
    pub(super) async fn room(&self) {
        while !self.make_room(Instant::now()) {
            // Checks again, whether a connection closed or not.
            let _ = timeout(LOOK_AGAIN, self.left.notified()).await;
        }
    }

    /// Registers a new connection.
    pub(super) fn enter(self: &Arc<Self>, peer: SocketAddr, now: Instant) -> Ticket {
        self.connection_counters.one_came();
        let activity = Mutex::new(Activity::new(now));
        let connection = Arc::new(OpenConnection { network: network(peer.ip()), activity, task: OnceLock::new() });
        let mut present = self.present();
        let number = present.next;
        present.next += 1;
        present.connections.insert(number, Arc::clone(&connection));
        Ticket { connections: Arc::clone(self), connection, number }
    }

    fn present(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether there is room. If not, evicts some connections, so that there soon will be.
    fn make_room(&self, now: Instant) -> bool {
        let present = self.present();
        if present.connections.len() < self.room_for {
            return true;
        }
        let mut by_network: HashMap<IpAddr, usize> = HashMap::new();
        for connection in present.connections.values() {
            *by_network.entry(connection.network).or_default() += 1;
        }
        let mut silent = Vec::new();
        for connection in present.connections.values() {
            let activity = connection.activity();
            if activity.is_evicted {
                return false; // an eviction is in progress
            }
            if let Some(awaited) = activity.awaited(now) {
                // If many come from one network, the attacker is probably among them.
                silent.push(((awaited, Reverse(by_network[&connection.network]), activity.since), connection));
            }
        }
        let count = (silent.len() / 8).clamp(1, EVICTED_MAX.max(self.room_for / 32)).min(silent.len());
        if count > 0 {
            silent.select_nth_unstable_by_key(count - 1, |(key, _)| *key);
            for (_, connection) in &silent[..count] {
                connection.evict(now, &self.connection_counters);
            }
        }
        false
    }
}

/// Returns an IPv4 address, or the /64 of an IPv6 address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// A connection's handle; dropping it unregisters the connection.
pub(super) struct Ticket {
    connections: Arc<OpenConnections>,
    connection: Arc<OpenConnection>,
    number: u64,
}

impl Ticket {
    /// Returns the handle that registers the connection's task.
    pub(super) fn task_slot(&self) -> TaskSlot {
        TaskSlot(Arc::clone(&self.connection))
    }

    /// Returns the number of requests so far.
    pub(super) fn requests(&self) -> u64 {
        self.connection.activity().asked
    }

    /// Returns the handle that counts requests.
    pub(super) fn request_counter(&self) -> RequestCounter {
        RequestCounter(Arc::clone(&self.connection))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.connections.present().connections.remove(&self.number);
        self.connections.connection_counters.one_left();
        self.connections.left.notify_one();
    }
}

/// Registers the task of a connection.
pub(super) struct TaskSlot(Arc<OpenConnection>);

impl TaskSlot {
    /// Registers the task; must be called once.
    pub(super) fn set(self, task: AbortHandle) {
        let _ = self.0.task.set(task);
    }
}

/// Counts the requests of one connection.
#[derive(Clone)]
pub(super) struct RequestCounter(Arc<OpenConnection>);

impl RequestCounter {
    /// Begins a request; `None` if the connection is being evicted, and then the request must not be handled.
    pub(super) fn begin(&self) -> Option<UnderWay> {
        let mut activity = self.0.activity();
        if activity.is_evicted {
            return None;
        }
        activity.asked += 1;
        activity.under_way += 1;
        activity.since = Instant::now();
        Some(UnderWay(Arc::clone(&self.0)))
    }

    /// Records that the server waits for a request's body.
    pub(super) fn awaits_a_body(&self) {
        self.0.activity().awaited_bodies += 1;
    }

    /// Records that the server no longer waits for it.
    pub(super) fn has_a_body(&self) {
        let mut activity = self.0.activity();
        activity.awaited_bodies = activity.awaited_bodies.saturating_sub(1);
    }
}

/// A request without a response. Dropping it ends the request.
pub(super) struct UnderWay(Arc<OpenConnection>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut activity = self.0.activity();
        activity.under_way = activity.under_way.saturating_sub(1);
        activity.since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Setup {
        connections: Arc<OpenConnections>,
        opened: Instant,
    }

    impl Setup {
        fn new(room_for: u32) -> Self {
            Self { connections: OpenConnections::new(room_for, Arc::default()), opened: Instant::now() }
        }

        /// Registers a connection that was opened `at` milliseconds after the start.
        fn enter(&self, address: &str, at: u64) -> Ticket {
            let peer = SocketAddr::new(address.parse().unwrap(), 4711);
            self.connections.enter(peer, self.opened + Duration::from_millis(at))
        }

        fn has_room_at(&self, at: u64) -> bool {
            self.connections.make_room(self.opened + Duration::from_millis(at))
        }
    }

    fn is_evicted(ticket: &Ticket) -> bool {
        ticket.connection.activity().is_evicted
    }

    #[test]
    fn nobody_is_evicted_while_there_is_room() {
        let setup = Setup::new(2);
        let connection = setup.enter("192.0.2.1", 0);
        assert!(setup.has_room_at(60_000));
        assert!(!is_evicted(&connection));
    }

    #[test]
    fn whoever_has_sent_nothing_for_longest_makes_room() {
        let setup = Setup::new(3);
        let asked = setup.enter("192.0.2.1", 0);
        drop(asked.request_counter().begin());
        asked.connection.activity().since = setup.opened;
        let (older, newer) = (setup.enter("192.0.2.2", 10), setup.enter("192.0.2.3", 20));
        assert!(!setup.has_room_at(5_000));
        assert_eq!([&asked, &older, &newer].map(is_evicted), [false, true, false]);
        // The connection that is being evicted is enough.
        assert!(!setup.has_room_at(5_001));
        assert_eq!([&asked, &older, &newer].map(is_evicted), [false, true, false]);
        assert!(older.request_counter().begin().is_none(), "a request that comes too late is not begun");
        drop(older);
        assert!(setup.has_room_at(5_002));
    }

    #[test]
    fn of_many_from_one_network_one_goes_before_others() {
        let setup = Setup::new(4);
        let alone = setup.enter("2001:db8:2::1", 0);
        let many = ["2001:db8:1::1", "2001:db8:1::2", "2001:db8:1::3:0:0"].map(|address| setup.enter(address, 500));
        assert!(!setup.has_room_at(600));
        assert!(!is_evicted(&alone));
        assert_eq!(many.iter().filter(|connection| is_evicted(connection)).count(), 1);
    }

    #[test]
    fn whoever_waits_for_the_server_stays() {
        let setup = Setup::new(2);
        let connections = [setup.enter("192.0.2.1", 0), setup.enter("192.0.2.2", 0)];
        let under_way: Vec<_> =
            connections.iter().map(|connection| connection.request_counter().begin().unwrap()).collect();
        assert!(!setup.has_room_at(60_000));
        assert_eq!(connections.each_ref().map(is_evicted), [false, false]);
        // A connection that does not send its body is evicted like others.
        connections[0].connection.activity().awaited_bodies = 1;
        assert!(!setup.has_room_at(120_000));
        assert_eq!(connections.each_ref().map(is_evicted), [true, false]);
        drop(under_way);
    }

    #[test]
    fn a_newcomer_is_given_time_before_a_body_that_does_not_come() {
        let setup = Setup::new(2);
        let slow = setup.enter("192.0.2.1", 0);
        let _under_way = slow.request_counter().begin().unwrap();
        {
            let mut activity = slow.connection.activity();
            (activity.awaited_bodies, activity.since) = (1, setup.opened);
        }
        let newcomer = setup.enter("192.0.2.2", 9_900);
        assert!(!setup.has_room_at(10_000));
        assert_eq!([&slow, &newcomer].map(is_evicted), [true, false]);
    }
}
