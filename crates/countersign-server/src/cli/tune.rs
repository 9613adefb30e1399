//! The `tune` command: measures the costs of password hashing on this machine and recommends settings.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use countersign::config::{HashParameters, HashingPolicy};
use countersign::operator::{HashingSpeed, measure_hashing};

use super::{Failure, Finding, say, settings_for};
use crate::Host;
use crate::settings::Purpose;

/// Recommended costs, cheapest first, in KiB, iterations and lanes. The first choice of RFC 9106 (section 4: 2 GiB, one
/// pass) is missing: it is meant for machines that do nothing else.
const CANDIDATES: [(u32, u32, u32, &str); 7] = [
    (19_456, 2, 1, "OWASP, least memory"),
    (47_104, 1, 1, "OWASP, most memory"),
    (65_536, 3, 4, "RFC 9106, second choice"),
    (98_304, 3, 4, ""),
    (131_072, 3, 4, ""),
    (196_608, 3, 4, ""),
    (262_144, 3, 4, ""),
];

/// Maximum duration of a single hash, so that a login does not feel slow.
const ALONE_MAX: Duration = Duration::from_millis(250);
/// Minimum throughput, so that a burst of logins does not queue for long.
const PER_SECOND_MIN: f64 = 40.0;

pub(super) async fn tune<H: Host>(seconds: f64) -> Result<Finding, Failure> {
    let shell = settings_for::<H>(Purpose::Inspect)?.shell;
    let configured = shell.hash_parameters()?;
    let policy = shell.hashing_policy();
    let mut candidates = Vec::new();
    for (memory_kib, iterations, lanes, name) in CANDIDATES {
        candidates.push((HashParameters::new(memory_kib, iterations, lanes)?, name.to_owned()));
    }
    match candidates.iter_mut().find(|(parameters, _)| *parameters == configured) {
        Some((_, name)) => *name = format!("configured; {name}"),
        None => candidates.insert(0, (configured, "configured".to_owned())),
    }

    say(format_args!(
        "Hashing on {} threads, for {seconds} s at each of {} settings.\n",
        policy.threads,
        candidates.len()
    ));
    say(format_args!(
        "{:>17}  {:>10}  {:>6}  {:>9}  {:>13}  {:>8}",
        "ARGON2_MEMORY_KIB", "ITERATIONS", "LANES", "MS/HASH", "LOGINS/SECOND", "MEMORY"
    ));
    let mut best: Option<(HashParameters, HashingSpeed)> = None;
    for (parameters, name) in &candidates {
        let speed = measure(&policy, *parameters, seconds).await;
        say(format_args!(
            "{:>17}  {:>10}  {:>6}  {:>9.1}  {:>13.1}  {:>4.0} MiB  {name}",
            parameters.memory_kib(),
            parameters.iterations(),
            parameters.lanes(),
            speed.alone.as_secs_f64() * 1_000.0,
            speed.per_second,
            speed.memory_bytes as f64 / 1_048_576.0,
        ));
        let suits =
            speed.alone <= ALONE_MAX && speed.per_second >= PER_SECOND_MIN && !parameters.is_below_recommendations();
        if suits && best.is_none_or(|(best, _)| work(best) < work(*parameters)) {
            best = Some((*parameters, speed));
        }
    }
    conclude(configured, best.map(|(parameters, _)| parameters));
    Ok(if configured.is_below_recommendations() { Finding::NotInOrder } else { Finding::InOrder })
}

/// Measures one candidate, and shows progress on a terminal.
async fn measure(policy: &HashingPolicy, parameters: HashParameters, seconds: f64) -> HashingSpeed {
    let mut stderr = io::stderr();
    let watched = stderr.is_terminal();
    if watched {
        let _ = write!(stderr, "measuring {} KiB …\r", parameters.memory_kib());
    }
    let speed = measure_hashing(policy, parameters, Duration::from_secs_f64(seconds)).await;
    if watched {
        let _ = write!(stderr, "\x1b[K");
    }
    speed
}

/// Returns the approximate cost of a guess for an attacker: memory written.
fn work(parameters: HashParameters) -> u64 {
    u64::from(parameters.memory_kib()) * u64::from(parameters.iterations())
}

fn conclude(configured: HashParameters, best: Option<HashParameters>) {
    say(format_args!("\nLOGINS/SECOND and MEMORY are at full load; MS/HASH is for a single login."));
    match best {
        Some(best) if best == configured => {
            say(format_args!("Recommended: the configured settings."));
        }
        Some(best) => {
            say(format_args!(
                "Recommended: ARGON2_MEMORY_KIB={} ARGON2_ITERATIONS={} ARGON2_LANES={}, the most expensive of these \
                 that takes at most {} ms and allows {PER_SECOND_MIN} logins per second.",
                best.memory_kib(),
                best.iterations(),
                best.lanes(),
                ALONE_MAX.as_millis(),
            ));
            say(format_args!("Stored hashes with lower costs are upgraded when their users log in."));
        }
        None => say(format_args!("Recommended: RFC 9106's second choice anyway; this machine is slow or busy.")),
    }
    if configured.is_below_recommendations() {
        say(format_args!("Warning: the configured costs are below the minimum that OWASP recommends."));
    }
}
