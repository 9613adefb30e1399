//! The rates of pages of posts, the first and a deep one, and of uploaded pictures.

use std::sync::Arc;

use bench_kit::broken::{Broken, Outcome, While as _, broken};
use bench_kit::client::{Connection, get, multipart};
use bench_kit::report::short;
use bench_kit::settle;
use serde_json::json;

use crate::Bench;
use crate::contestant::Session;
use crate::field::{Entrant, Home, entrants, or_left_out, order, postgres};
use crate::fill::Store;
use crate::findings::Findings;
use crate::load::{self, Plan};
use crate::parts::me::{Asked, BARE, DEADLINE, ask_round, limit};
use crate::photograph;

const USERS: usize = 8;
/// Written through the API, and then multiplied in the database.
const WRITTEN: u64 = 200;
const PAGE: u64 = 10;
const UPLOADING: usize = 4;
const GOALS: [(&str, f64); 1] = [(BARE, 0.3)];
const TEXT: &str = "It was a bright cold day in April, and nobody had yet asked the clock on the landing what it thought of \
                    that; so it went on saying nothing, twice a second, to every guest who came up the stairs with wet shoes.";

pub(crate) fn measure(bench: &Bench, findings: &mut Findings) -> Outcome<()> {
    let postgres = postgres()?;
    bench.runtime.block_on(async {
        for home in [Home::Sqlite, Home::Postgres(&postgres)] {
            pages(bench, findings, &home).await?;
        }
        pictures(bench, findings).await
    })
}

async fn pages(bench: &Bench, findings: &mut Findings, home: &Home<'_>) -> Outcome<()> {
    let mut field = Vec::new();
    for entrant in entrants(bench, findings, home, USERS).await? {
        let contestant = entrant.contestant;
        if contestant.has_the_contract() {
            let filled = fill(entrant, bench.scale.posts).await.doing(&contestant.name);
            field.extend(or_left_out(findings, contestant, filled)?);
        }
    }
    let skip = bench.scale.posts / 10;
    let title = home.title();
    let (mut first, mut deep) = (Vec::new(), Vec::new());
    for entrant in &field {
        for (asked, path) in [(&mut first, page("skip=0")), (&mut deep, page(&format!("skip={skip}")))] {
            let requests = Arc::new(vec![get(&path)]);
            asked.push(Asked { name: entrant.name().to_owned(), server: &entrant.server, requests });
        }
    }
    let cursor = cursor(&field[0], skip).await?;
    let requests = Arc::new(vec![get(&page(&format!("after={cursor}")))]);
    // The same page, by cursor instead of `skip`.
    deep.push(Asked { name: "blog by cursor".to_owned(), server: &field[0].server, requests });
    let limits = [limit(bench, &first[0]).await?, limit(bench, &deep[0]).await?];
    for (asked, bare) in [&mut first, &mut deep].into_iter().zip(&limits) {
        let requests = Arc::clone(&asked[0].requests);
        asked.insert(1, Asked { name: BARE.to_owned(), server: bare, requests });
    }
    let (name, posts) = (home.name(), short(bench.scale.posts as f64));
    let read = [
        (format!("posts-{name}-first"), format!("First page of {posts} posts on {title}"), first),
        (
            format!("posts-{name}-deep"),
            format!("Page {} of {posts} posts on {title}", short((skip / PAGE) as f64)),
            deep,
        ),
    ];
    for round in 0..bench.scale.rounds {
        for (id, what, asked) in &read {
            ask_round(bench, findings, (id, what), asked, round).await?;
        }
    }
    findings.ratios(&read[0].0, &GOALS);
    findings.ratios(&read[1].0, &[]);
    Ok(())
}

fn page(from: &str) -> String {
    format!("/api/posts?{from}&limit={PAGE}")
}

/// Fills a server with posts.
async fn fill(entrant: Entrant<'_>, posts: u64) -> Outcome<Entrant<'_>> {
    let sessions = entrant.sessions(USERS, USERS).await?;
    let mut connection = Connection::open(entrant.server.address).await?;
    for number in 0..WRITTEN {
        let body = json!({ "title": format!("Post number {number:03}"), "content": TEXT });
        let session = &sessions[number as usize % USERS];
        connection.ask(&session.post_json("/api/posts", &body)).await?.expect(201)?;
    }
    drop(connection);
    let mut store = Store::open(&entrant.installation).await?;
    store.multiply_posts(posts / WRITTEN - 1, entrant.is_ours()).await?;
    store.close().await?;
    let contestant = entrant.contestant;
    let entrant = Entrant::begin(contestant, entrant.end()?)?;
    let mut connection = Connection::open(entrant.server.address).await?;
    let body = connection.ask(&get(&page("skip=0"))).await?.expect(200)?.json()?;
    match (body["total"].as_u64(), body["posts"].as_array().map(Vec::len)) {
        (Some(total), Some(10)) if total == posts => Ok(entrant),
        found => broken(format!("a page of {posts} posts says {found:?}")),
    }
}

/// The cursor of the page at `skip`.
async fn cursor(ours: &Entrant<'_>, skip: u64) -> Outcome<String> {
    let mut connection = Connection::open(ours.server.address).await?;
    let before = page(&format!("skip={}", skip - PAGE));
    let body = connection.ask(&get(&before)).await?.expect(200)?.json()?;
    let cursor = body["next_cursor"].as_str().map(str::to_owned);
    cursor.ok_or_else(|| Broken("a page has no next_cursor".to_owned()))
}

async fn pictures(bench: &Bench, findings: &mut Findings) -> Outcome<()> {
    let picture = photograph::jpeg()?;
    let mut field = Vec::new();
    for entrant in entrants(bench, findings, &Home::Sqlite, USERS).await? {
        let contestant = entrant.contestant;
        if contestant.has_the_contract() {
            let ready = uploads(&entrant, &picture).await.doing(&contestant.name);
            if let Some(requests) = or_left_out(findings, contestant, ready)? {
                field.push((entrant, Arc::new(requests)));
            }
        }
    }
    let what = format!("Pictures uploaded (JPEG, 1600 × 1200, {} KiB), {UPLOADING} at a time", picture.len() / 1024);
    for round in 0..bench.scale.rounds {
        for place in order(field.len(), round) {
            let (entrant, requests) = &field[place];
            settle().await;
            let plan =
                Plan { clients: UPLOADING, window: bench.scale.login_window, deadline: DEADLINE * 2, status: 200 };
            let load = load::run(&entrant.server, plan, requests).await?.whole().doing(entrant.name())?;
            findings.add("pictures", &what, "pictures/s", entrant.name(), load.rate());
            let spent = findings.spent(load.spent);
            println!("  pictures {}: {}/s; {spent}", entrant.name(), short(load.rate()));
        }
    }
    findings.ratios("pictures", &[]);
    Ok(())
}

/// One request for each user; the first is tried.
async fn uploads(entrant: &Entrant<'_>, picture: &[u8]) -> Outcome<Vec<Vec<u8>>> {
    let mut connection = Connection::open(entrant.server.address).await?;
    let mut requests = Vec::new();
    for session in entrant.sessions(USERS, USERS).await? {
        let me = connection.ask(&session.get("/api/users/me")).await?.expect(200)?.json()?;
        requests.push(upload(&session, me["id"].to_string().trim_matches('"'), picture));
    }
    connection.ask(&requests[0]).await?.expect(200)?;
    Ok(requests)
}

fn upload(session: &Session, id: &str, picture: &[u8]) -> Vec<u8> {
    let (media_type, body) = multipart(picture);
    session.send(&format!("PATCH /api/users/{id}/picture"), media_type, &body)
}
