//! A later version of the blog, for upgrade tests: the same program with one more migration, which adds to the schema, and
//! with `LATER_VERSION=contracted` another one, which removes from it.
//!
//!     cargo build -p blog --example later_version

use std::process::ExitCode;

use axum::Router;
use blog::{Blog, BlogSettings, State};
use countersign::Accounts;
use countersign::config::HttpPolicy;
use countersign::http::problem::ProblemKind;
use countersign::templates::TemplatesBuilder;
use countersign_db::{EmbeddedStep, Migrations, Step};
use countersign_server::{Host, HostError, NoCommands, OpenApiRouter};

const EXPANDED: &str =
    "ALTER TABLE posts ADD COLUMN subtitle TEXT; CREATE INDEX posts_by_subtitle ON posts (subtitle);";
const CONTRACTED: &str = "DROP INDEX posts_by_subtitle; ALTER TABLE posts DROP COLUMN subtitle;";

const FIRST_STEPS: usize = blog::MIGRATIONS.steps.len();

/// The current migrations, followed by `added`.
const fn with<const COUNT: usize>(added: &[(&'static str, &'static str)]) -> [EmbeddedStep; COUNT] {
    let mut steps = [blog::MIGRATIONS.steps[0]; COUNT];
    let (mut index, mut version) = (0, 9000);
    while index < COUNT {
        steps[index] = if index < FIRST_STEPS {
            blog::MIGRATIONS.steps[index]
        } else {
            let (name, sql) = added[index - FIRST_STEPS];
            EmbeddedStep { step: Step { version, name }, sqlite: sql, postgres: sql }
        };
        index += 1;
        version += 1;
    }
    steps
}

static NEXT_STEPS: [EmbeddedStep; FIRST_STEPS + 1] = with(&[("9000_subtitles.expand", EXPANDED)]);
static LATER_STEPS: [EmbeddedStep; FIRST_STEPS + 2] =
    with(&[("9000_subtitles.expand", EXPANDED), ("9001_no_subtitles", CONTRACTED)]);
static NEXT: Migrations = Migrations { set: "blog", steps: &NEXT_STEPS };
static LATER: Migrations = Migrations { set: "blog", steps: &LATER_STEPS };

/// The blog with the schema of the next version, or of the one after that.
struct LaterBlog<const CONTRACTS: bool>;

impl<const CONTRACTS: bool> Host for LaterBlog<CONTRACTS> {
    const NAME: &'static str = Blog::NAME;
    const TITLE: &'static str = Blog::TITLE;
    const ABOUT: &'static str = Blog::ABOUT;
    const VERSION: &'static str = "0.2.0";
    const MIGRATIONS: &'static [&'static Migrations] = if CONTRACTS { &[&LATER] } else { &[&NEXT] };
    const PROBLEMS: &'static [&'static ProblemKind] = Blog::PROBLEMS;

    type Settings = BlogSettings;
    type State = State;
    type Commands = NoCommands;

    async fn state(accounts: Accounts, settings: &BlogSettings) -> Result<State, HostError> {
        Blog::state(accounts, settings).await
    }

    fn templates(ours: TemplatesBuilder) -> TemplatesBuilder {
        Blog::templates(ours)
    }

    fn pages(settings: &BlogSettings) -> Router<State> {
        Blog::pages(settings)
    }

    fn routes(settings: &BlogSettings, http: &HttpPolicy) -> OpenApiRouter<State> {
        Blog::routes(settings, http)
    }
}

fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "selects one of two versions, before there are any settings")]
    let contracts = std::env::var("LATER_VERSION").is_ok_and(|which| which == "contracted");
    if contracts { countersign_server::run::<LaterBlog<true>>() } else { countersign_server::run::<LaterBlog<false>>() }
}
