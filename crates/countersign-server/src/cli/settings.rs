//! The `settings` command, which masks secrets.

use super::table::table;
use super::{Finding, print_error, say};
use crate::Host;
use crate::settings::{Loaded, Purpose, load};

pub(super) fn show<H: Host>() -> Finding {
    let Loaded { settings, warnings, lines } = load::<H>(Purpose::Inspect);
    let heading = ["NAME", "VALUE", "FROM"].map(str::to_owned);
    let rows: Vec<[String; 3]> =
        std::iter::once(heading).chain(lines.into_iter().map(|line| [line.name, line.value, line.origin])).collect();
    say(format_args!("{}", table(&rows)));
    for warning in warnings {
        print_error(&format!("warning: {warning}"));
    }
    match settings {
        Ok(_) => Finding::InOrder,
        Err(report) => {
            print_error(&format!("error: {report}"));
            Finding::NotInOrder
        }
    }
}
