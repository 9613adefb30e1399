//! Who used the processors during a measurement: the server, this load generator, and others, who may have disturbed it.

use std::fmt;
use std::time::{Duration, Instant};

use crate::broken::Outcome;
use crate::machine::{all_busy, cores, own_cpu};
use crate::process::Tree;

/// Above this share of all cores other processes have disturbed the measurement.
const QUIET_SHARE_MAX: f64 = 0.10;

/// Processor time up to an instant.
pub struct Usage {
    server: Tree,
    beside: Option<Tree>,
    at: Instant,
    spent: [Duration; 4],
}

/// Processor time of a measurement.
#[derive(Clone, Copy)]
pub struct Spent {
    /// Of the server.
    pub server: Duration,
    /// The server's share of all cores.
    pub share: f64,
    /// The load generator's share of all cores.
    pub generator: f64,
    /// The share of all cores that neither of them nor the server's database used.
    pub others: f64,
}

impl Usage {
    /// `beside` works for the server, such as its database.
    pub fn now(server: Tree, beside: Option<Tree>) -> Outcome<Self> {
        let beside_cpu = beside.map_or(Ok(Duration::ZERO), Tree::cpu)?;
        Ok(Self { server, beside, at: Instant::now(), spent: [all_busy()?, own_cpu()?, server.cpu()?, beside_cpu] })
    }

    pub fn since(&self) -> Outcome<Spent> {
        let now = Self::now(self.server, self.beside)?;
        let available = (now.at - self.at).as_secs_f64() * cores() as f64;
        let spent = |place: usize| now.spent[place].saturating_sub(self.spent[place]);
        let (all, own, server, beside) = (spent(0), spent(1), spent(2), spent(3));
        let share = |spent: Duration| spent.as_secs_f64() / available;
        let others = all.saturating_sub(own + server + beside);
        Ok(Spent { server, share: share(server), generator: share(own), others: share(others) })
    }
}

impl Spent {
    /// A mark for measurements that others disturbed.
    pub fn guard(&self) -> &'static str {
        if self.others > QUIET_SHARE_MAX { " (guard: disturbed)" } else { "" }
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [server, generator, others] = [self.share, self.generator, self.others].map(|share| share * 100.0);
        write!(
            f,
            "processor: server {server:.0} %, this generator {generator:.1} %, others {others:.0} %{}",
            self.guard()
        )
    }
}
