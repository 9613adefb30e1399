//! Child processes: each leads a process group of its own, which is killed when the child is dropped or a signal ends this
//! program.

use std::fmt;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use crate::broken::{Outcome, While as _, broken};
use crate::machine::{Resident, Stat};

const STOP_MAX: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(2);

/// What is cleared away when a signal ends this program.
struct Traces {
    processes: Vec<u32>,
    folders: Vec<PathBuf>,
}

static TRACES: Mutex<Traces> = Mutex::new(Traces { processes: Vec::new(), folders: Vec::new() });

fn traces() -> MutexGuard<'static, Traces> {
    TRACES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From here on SIGINT, SIGTERM and SIGHUP end all children and remove all folders together with this program.
pub(crate) fn end_with_signals() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let context = runtime.enter();
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut hung_up = signal(SignalKind::hangup())?;
    drop(context);
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let kind = runtime.block_on(async {
            tokio::select! {
                _ = interrupted.recv() => SignalKind::interrupt(),
                _ = terminated.recv() => SignalKind::terminate(),
                _ = hung_up.recv() => SignalKind::hangup(),
            }
        });
        let Traces { processes, folders } = &*traces();
        for process in processes {
            Tree(*process).kill();
        }
        for folder in folders {
            // Nobody is left to read that this failed.
            let _: io::Result<()> = fs::remove_dir_all(folder);
        }
        std::process::exit(128 + kind.as_raw_value());
    })?;
    Ok(())
}

/// A temporary folder that is removed with this program, however that ends.
pub fn folder() -> Outcome<TempDir> {
    let folder = TempDir::with_prefix("countersign-bench-")?;
    traces().folders.push(folder.path().to_owned());
    Ok(folder)
}

/// A child with the processes that it starts. All are killed when it is dropped.
pub struct Process(Child);

impl Process {
    pub fn start(command: &mut Command) -> Outcome<Self> {
        let child = command.process_group(0).spawn().doing(command.get_program().display())?;
        traces().processes.push(child.id());
        Ok(Self(child))
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn tree(&self) -> Tree {
        Tree(self.0.id())
    }

    /// The status, once it has ended.
    pub fn status(&mut self) -> Outcome<Option<ExitStatus>> {
        Ok(self.0.try_wait()?)
    }

    /// Sends SIGTERM, as a process manager does, and waits for the end.
    pub fn terminate(&mut self) -> Outcome<ExitStatus> {
        kill_process(Pid::from_child(&self.0), Signal::TERM).doing("ending a server")?;
        match self.wait()? {
            Some(status) => Ok(status),
            None => broken(format!("a server did not end within {STOP_MAX:?} after SIGTERM")),
        }
    }

    /// Closes its standard input, which some programs take as the request to end, and waits for a while.
    pub(crate) fn close_input(&mut self) {
        drop(self.0.stdin.take());
        // If it has not ended by then, it is killed.
        let _: Outcome<Option<ExitStatus>> = self.wait();
    }

    fn wait(&mut self) -> Outcome<Option<ExitStatus>> {
        let begun = Instant::now();
        while begun.elapsed() < STOP_MAX {
            if let Some(status) = self.status()? {
                return Ok(Some(status));
            }
            thread::sleep(POLL);
        }
        Ok(None)
    }

    /// The first line of its standard output, which has to be a pipe.
    pub(crate) fn first_line(&mut self) -> Outcome<String> {
        let Some(output) = self.0.stdout.take() else { return broken("a process has no output") };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let own = self.0.id();
        // Before the wait: after it the number may belong to another process.
        self.tree().kill();
        traces().processes.retain(|process| *process != own);
        let _: io::Result<ExitStatus> = self.0.wait();
    }
}

/// A program that answers each line of its standard input with a line; it is kept, so that its start is not measured.
pub struct Conversation {
    _process: Process,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Conversation {
    pub fn start(command: &mut Command) -> Outcome<Self> {
        let mut process = Process::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        match (process.0.stdin.take(), process.0.stdout.take()) {
            (Some(input), Some(output)) => Ok(Self { _process: process, input, output: BufReader::new(output) }),
            _ => broken("a process has no pipes"),
        }
    }

    pub fn ask(&mut self, question: impl fmt::Display) -> Outcome<String> {
        writeln!(self.input, "{question}")?;
        self.line()
    }

    /// The next line, also one that was not asked for.
    pub fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }
}

/// A process, those it started, and theirs.
#[derive(Clone, Copy)]
pub struct Tree(pub(crate) u32);

impl Tree {
    fn processes(self) -> Outcome<Vec<Stat>> {
        // A process that ended meanwhile has no file any more.
        let read = |entry: fs::DirEntry| Stat::parse(&fs::read_to_string(entry.path().join("stat")).ok()?);
        let all: Vec<Stat> = fs::read_dir("/proc")?.flatten().filter_map(read).collect();
        let mut members = vec![self.0];
        loop {
            let more: Vec<u32> = all
                .iter()
                .filter(|process| process.group == self.0 || members.contains(&process.parent))
                .map(|process| process.id)
                .filter(|id| !members.contains(id))
                .collect();
            if more.is_empty() {
                break;
            }
            members.extend(more);
        }
        Ok(all.into_iter().filter(|process| members.contains(&process.id)).collect())
    }

    /// The processor time of all that still run.
    pub fn cpu(self) -> Outcome<Duration> {
        Ok(self.processes()?.iter().map(|process| process.cpu).sum())
    }

    /// The sum over all, so memory that they share counts more than once.
    pub fn resident(self) -> Outcome<Resident> {
        let mut sum = Resident::default();
        for process in self.processes()? {
            // One that ended meanwhile has none.
            if let Ok(one) = Resident::read(process.id) {
                sum.now += one.now;
                sum.peak += one.peak;
            }
        }
        Ok(sum)
    }

    /// The file that the first of them runs.
    pub fn program(self) -> Outcome<PathBuf> {
        fs::read_link(format!("/proc/{}/exe", self.0)).doing("the server's program")
    }

    /// Kills the whole group.
    pub fn kill(self) {
        if let Some(group) = i32::try_from(self.0).ok().and_then(Pid::from_raw) {
            // They may have ended already.
            let _: rustix::io::Result<()> = kill_process_group(group, Signal::KILL);
        }
    }
}
