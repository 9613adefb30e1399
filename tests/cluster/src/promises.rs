//! Checks that everything acknowledged exists: every account with its password, every post, every picture.

use serde_json::Value;

use crate::broken::{Broken, Outcome};
use crate::client::{Client, Content, Target};
use crate::ledger::{Account, Ledger, Picture};

/// Returns a description of each loss.
pub(crate) async fn broken(target: &Target, ledger: &Ledger) -> Outcome<Vec<String>> {
    let mut client = Client::new(target);
    let mut lost = Vec::new();
    for (name, account) in &ledger.accounts {
        if !logs_in(&mut client, name, account).await? {
            lost.push(format!("the account {name}, or its password"));
        } else if !has_picture(&mut client, account).await? {
            lost.push(format!("the picture of {name}, {:?}", account.picture));
        }
    }
    for (id, title) in &ledger.posts {
        let (status, post) = ask(&mut client, &format!("GET /api/posts/{id}"), &Content::none()).await?;
        if status != 200 || post["title"] != title.as_str() {
            lost.push(format!("the post {title:?} ({status})"));
        }
    }
    Ok(lost)
}

/// Whether the account accepts one of its possible passwords.
async fn logs_in(client: &mut Client, name: &str, account: &Account) -> Outcome<bool> {
    for password in &account.passwords {
        let form = Content::form(format!("username={name}%40example.com&password={password}"));
        let (status, _) = ask(client, "POST /api/users/token", &form).await?;
        if status == 200 {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn has_picture(client: &mut Client, account: &Account) -> Outcome<bool> {
    let (_, profile) = ask(client, &format!("GET /api/users/{}", account.id), &Content::none()).await?;
    let file = profile["image_file"].as_str();
    let is_kept = match &account.picture {
        Picture::Default => file.is_none(),
        Picture::File(acknowledged) => file == Some(acknowledged),
        Picture::Unknown => true,
    };
    if !is_kept {
        return Ok(false);
    }
    // Whichever picture it is, it can be fetched.
    let path = profile["image_path"].as_str().unwrap_or_default();
    let answer = client.ask(&format!("GET {path}"), "", &Content::none()).await?;
    Ok(answer.status == 200 && answer.body.starts_with(&[0xff, 0xd8, 0xff]))
}

/// Sends a request and returns status and JSON. The server is undisturbed by now, so it must respond.
async fn ask(client: &mut Client, what: &str, content: &Content) -> Outcome<(u16, Value)> {
    let answer = client.ask(what, "", content).await?;
    if answer.status >= 500 {
        return Err(Broken(format!("{what}: {} {}", answer.status, String::from_utf8_lossy(&answer.body))));
    }
    Ok((answer.status, answer.json()))
}
