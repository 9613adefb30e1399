//! Logins through a proxy: from any address, with the cookie of a known device or without.

use std::net::Ipv4Addr;

use bench_kit::account::{User, login_form};
use bench_kit::broken::{Broken, Outcome, broken};
use bench_kit::client::{Answer, request};

/// The password of every account.
pub(crate) fn password() -> String {
    User(0).password()
}

/// A login from this address, as a proxy passes it on.
pub(crate) fn login(account: usize, password: &str, address: Ipv4Addr, device: Option<&str>) -> Vec<u8> {
    let address = address.to_string();
    let mut headers = vec![("content-type", "application/x-www-form-urlencoded"), ("x-forwarded-for", &address)];
    headers.extend(device.map(|cookie| ("cookie", cookie)));
    request("POST /api/users/token", &headers, login_form(&User(account).email(), password).as_bytes())
}

/// The status of an answer. One that says "later" has to say when.
pub(crate) fn status(answer: &Answer<'_>) -> Outcome<u16> {
    if matches!(answer.status, 429 | 503) && answer.headers("retry-after").is_empty() {
        return broken(format!("a {} without Retry-After", answer.status));
    }
    Ok(answer.status)
}

/// The cookie of the device that an answer to a login sets.
pub(crate) fn device(answer: &Answer<'_>) -> Outcome<String> {
    let cookies = answer.headers("set-cookie");
    let mut pairs = cookies.iter().filter_map(|cookie| cookie.split(';').next());
    let found = pairs.find(|pair| pair.starts_with("device=")).map(str::to_owned);
    found.ok_or_else(|| Broken("a login sets no cookie for its device".to_owned()))
}
