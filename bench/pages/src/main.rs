//! The pages that are requested, and how often. `README.md` beside this explains the figures.

mod posts;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use bench_kit::account::User;
use bench_kit::broken::Outcome;
use bench_kit::client::{Connection, get, request};
use bench_kit::machine::Description;
use bench_kit::parts;
use bench_kit::report::{self, Figure, Goal};
use bench_kit::server::{CHEAP_LOGINS, Installation, Log, Server};
use bench_kit::statistics::quantile;

const AUTHORS: usize = 20;
const POSTS: usize = 100_000;
const FEW_POSTS: usize = 1_000;
/// Requests before anything counts.
const WARM_UP: usize = 50;

fn main() -> ExitCode {
    bench_kit::run(run)
}

fn run() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let program = parts::path(&mut arguments)?;
    let requests = if parts::is_short(arguments)? { 300 } else { 5_000 };
    println!("{}", Description::read()?);
    report::print(&bench_kit::runtime()?.block_on(measure(&program, requests))?);
    Ok(())
}

/// A blog with posts.
struct Blog {
    server: Server,
    connection: Connection,
    deep: String,
    post: String,
    /// After the server, which uses it.
    _installation: Installation,
}

impl Blog {
    async fn with(program: &Path, posts: usize) -> Outcome<Self> {
        let installation = Installation::new(program, &CHEAP_LOGINS)?;
        let server = installation.start(Log::Nowhere, &[])?;
        let mut connection = Connection::open(server.address).await?;
        for author in 0..AUTHORS {
            connection.ask(&User(author).registration()).await?.expect(201)?;
        }
        posts::write(&installation.folder().join("accounts.db"), posts).await?;
        let list = format!("/api/posts?skip={}&limit=1", posts / 2);
        let answer = connection.ask(&get(&list)).await?.expect(200)?.json()?;
        let id = answer["posts"][0]["id"].as_str().unwrap_or_default();
        // Where "Load More" of the page in the middle leads.
        let deep = answer["next_cursor"].as_str().map_or_else(|| "/".to_owned(), |cursor| format!("/?cursor={cursor}"));
        let post = format!("/posts/{id}");
        Ok(Self { server, connection, deep, post, _installation: installation })
    }

    /// Until the last byte, in milliseconds.
    async fn time(&mut self, request: &[u8]) -> Outcome<f64> {
        let asked = Instant::now();
        self.connection.ask(request).await?.expect(200)?;
        Ok(asked.elapsed().as_secs_f64() * 1000.0)
    }
}

fn page(path: &str) -> Vec<u8> {
    let headers = [("accept", "text/html"), ("accept-language", "en"), ("accept-encoding", "gzip")];
    request(&format!("GET {path}"), &headers, &[])
}

async fn measure(program: &Path, requests: usize) -> Outcome<Vec<Figure>> {
    let mut many = Blog::with(program, POSTS).await?;
    let mut few = Blog::with(program, FEW_POSTS).await?;
    let front = page("/");
    let (mut of_many, mut of_few) = (Vec::new(), Vec::new());
    for number in 0..WARM_UP + requests {
        let (one, other) = (many.time(&front).await?, few.time(&front).await?);
        if number >= WARM_UP {
            of_many.push(one);
            of_few.push(other);
        }
    }
    let (p50, p99, p50_of_few) = (quantile(&of_many, 0.5), quantile(&of_many, 0.99), quantile(&of_few, 0.5));
    let note = format!("{requests} requests, {POSTS} posts");
    let to_few = format!("{p50:.3} ms over {p50_of_few:.3} ms");
    let mut figures = vec![
        Figure::new("front_page_ms_p50", p50, Goal::AtMost(2.0), note.clone()),
        Figure::new("front_page_ms_p99", p99, None, note),
        Figure::new("front_page_to_few_posts", p50 / p50_of_few, None, to_few),
    ];
    let pages = [("deep_page", many.deep.clone()), ("post_page", many.post.clone()), ("feed", "/feed.xml".to_owned())];
    for (name, path) in pages {
        let request = page(&path);
        let mut times = Vec::new();
        for _ in 0..WARM_UP + requests / 5 {
            times.push(many.time(&request).await?);
        }
        figures.push(Figure::new(format!("{name}_ms_p50"), quantile(&times[WARM_UP..], 0.5), None, path));
    }
    many.server.stop()?;
    few.server.stop()?;
    Ok(figures)
}
