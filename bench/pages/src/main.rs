//! Decides what is asked of the blog, and how often. `README.md` beside this says what the figures mean.

#[path = "../../logins/src/broken.rs"]
mod broken;
#[path = "../../sessions/src/http.rs"]
#[expect(dead_code, reason = "shared with bench/sessions, which needs more of it")]
mod http;
#[path = "../../logins/src/machine.rs"]
#[expect(dead_code, reason = "shared with bench/logins, which needs more of it")]
mod machine;
mod posts;
#[path = "../../sessions/src/report.rs"]
#[expect(dead_code, reason = "shared with bench/sessions, which needs more of it")]
mod report;
#[path = "../../sessions/src/server.rs"]
#[expect(dead_code, reason = "shared with bench/sessions, which needs more of it")]
mod server;
#[path = "../../logins/src/statistics.rs"]
#[expect(dead_code, reason = "shared with bench/logins, which needs more of it")]
mod statistics;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use broken::{Broken, Outcome};
use http::{Connection, User};
use machine::Description;
use report::{Figure, Goal};
use server::{Installation, Log, Server};
use statistics::quantile;
use tempfile::TempDir;

const AUTHORS: usize = 20;
const POSTS: usize = 100_000;
const FEW_POSTS: usize = 1_000;
/// Before anything counts.
const WARM_UP: usize = 50;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Broken(text)) => {
            eprintln!("broken: {text}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(program) = arguments.next().map(PathBuf::from) else {
        return Err(Broken("which blog? Use bench/pages/run, which builds it".to_owned()));
    };
    let requests = match arguments.next().as_deref() {
        None => 5_000,
        Some("--short") => 300,
        Some(other) => return Err(Broken(format!("{other} is not --short"))),
    };
    println!("{}", Description::read()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let _signals = server::end_together(&runtime)?;
    report::print(&runtime.block_on(measure(&program, requests))?);
    Ok(())
}

/// A blog with posts.
struct Blog {
    server: Server,
    connection: Connection,
    _folder: TempDir,
    deep: String,
    post: String,
}

impl Blog {
    async fn with(program: &Path, posts: usize) -> Outcome<Self> {
        let folder = TempDir::with_prefix("countersign-pages-")?;
        let file = folder.path().join("blog.db");
        let installation = Installation::new(program, &format!("sqlite:{}", file.display()))?;
        let server = installation.start(Log::Nowhere, &[]).await?;
        let mut connection = Connection::open(server.address).await?;
        for author in 0..AUTHORS {
            connection.ask(&User(author).registration()).await?.expect(201)?;
        }
        posts::write(&file, posts).await?;
        let list = format!("/api/posts?skip={}&limit=1", posts / 2);
        let answer = connection.ask(&http::get(&list, "")).await?.expect(200)?.json()?;
        let id = answer["posts"][0]["id"].as_str().unwrap_or_default().to_owned();
        // Where "Load More" of the page in the middle leads.
        let deep = answer["next_cursor"].as_str().map_or_else(|| "/".to_owned(), |cursor| format!("/?cursor={cursor}"));
        Ok(Self { server, connection, _folder: folder, deep, post: format!("/posts/{id}") })
    }

    /// Until the last byte, in milliseconds.
    async fn took(&mut self, request: &[u8]) -> Outcome<f64> {
        let asked = Instant::now();
        self.connection.ask(request).await?.expect(200)?;
        Ok(asked.elapsed().as_secs_f64() * 1000.0)
    }
}

fn page(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: text/html\r\naccept-language: en\r\naccept-encoding: gzip\r\n\r\n")
        .into_bytes()
}

async fn measure(program: &Path, requests: usize) -> Outcome<Vec<Figure>> {
    let mut many = Blog::with(program, POSTS).await?;
    let mut few = Blog::with(program, FEW_POSTS).await?;
    let front = page("/");
    let (mut of_many, mut of_few) = (Vec::new(), Vec::new());
    for number in 0..WARM_UP + requests {
        let (one, other) = (many.took(&front).await?, few.took(&front).await?);
        if number >= WARM_UP {
            of_many.push(one);
            of_few.push(other);
        }
    }
    let (p50, p99, p50_of_few) = (quantile(&of_many, 0.5), quantile(&of_many, 0.99), quantile(&of_few, 0.5));
    let note = format!("{requests} requests, {POSTS} posts");
    let mut figures = vec![
        Figure::new("front_page_ms_p50", p50, Goal::AtMost(2.0), note.clone()),
        Figure::new("front_page_ms_p99", p99, Goal::None, note),
        Figure::new(
            "front_page_to_few_posts",
            p50 / p50_of_few,
            Goal::None,
            format!("{p50:.3} ms over {p50_of_few:.3} ms"),
        ),
    ];
    let pages = [("deep_page", many.deep.clone()), ("post_page", many.post.clone()), ("feed", "/feed.xml".to_owned())];
    for (name, path) in pages {
        let request = page(&path);
        let mut took = Vec::new();
        for number in 0..WARM_UP + requests / 5 {
            let one = many.took(&request).await?;
            if number >= WARM_UP {
                took.push(one);
            }
        }
        figures.push(Figure::new(format!("{name}_ms_p50"), quantile(&took, 0.5), Goal::None, path));
    }
    many.server.stop().await?;
    few.server.stop().await?;
    Ok(figures)
}
