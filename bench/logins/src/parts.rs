//! The parts, a file for each.

pub(crate) mod crowd;
pub(crate) mod disconnect;
pub(crate) mod full_load;
pub(crate) mod me;
pub(crate) mod slowloris;
pub(crate) mod timing;

use bench_kit::account::{Tokens, User, login};
use bench_kit::broken::Outcome;
use bench_kit::client::Connection;
use bench_kit::server::Server;

/// A login whose password is wrong in its last letter.
fn wrong_password(user: User) -> Vec<u8> {
    let password = user.password();
    login(&user.email(), &format!("{}x", &password[..password.len() - 1]))
}

/// The access token of a user.
async fn token(server: &Server) -> Outcome<String> {
    let mut connection = Connection::open(server.address).await?;
    let answer = connection.ask(&User(0).login()).await?.expect(200)?;
    Ok(Tokens::read(&answer)?.access)
}
