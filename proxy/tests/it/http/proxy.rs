//! The program under test, started as a person starts it, and found by what it prints.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, Command},
    sync::Notify,
};

use super::client::Client;
use crate::toy::{self, within};

/// A running `mcp-proxy`. Dropping it kills the program; its children end with their input.
pub(super) struct Proxy {
    child: Child,
    pub(super) pid: u32,
    /// Where it listens, on loopback.
    pub(super) address: SocketAddr,
    said: Arc<Said>,
}

/// What it wrote to standard error so far.
#[derive(Default)]
struct Said {
    lines: Mutex<Vec<String>>,
    /// Nothing more will come.
    over: AtomicBool,
    news: Notify,
}

impl Proxy {
    /// In front of a toy: flags of the proxy, then words of the toy.
    pub(super) async fn start(flags: &[&str], toy: &[&str]) -> Self {
        Self::start_with(&[], flags, toy).await
    }

    /// The same with variables in the proxy's environment.
    pub(super) async fn start_with(env: &[(&str, &str)], flags: &[&str], toy: &[&str]) -> Self {
        let program = toy_path();
        let line = [&["--port", "0"], flags, &["--", &program], toy].concat();
        Self::typed(env, &line).await
    }

    /// With a whole command line of the caller's own. It must listen somewhere.
    pub(super) async fn typed(env: &[(&str, &str)], line: &[&str]) -> Self {
        Self::spawned(command(env, line)).await
    }

    /// As process 1 of a process namespace of its own, with its own `/proc`. `pid` is that of the program that made
    /// the namespace and waits in front of it; [`Proxy::init`] is the proxy's.
    pub(super) async fn as_process_one(flags: &[&str], toy: &[&str]) -> Self {
        let mut command = Command::new("unshare");
        // What drops us ends the namespace, too.
        command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]);
        command.arg(env!("CARGO_BIN_EXE_mcp-proxy"));
        let program = toy_path();
        command.args([&["--port", "0"], flags, &["--", &program], toy].concat());
        Self::spawned(plain(command, &[])).await
    }

    /// The only child of a program that runs the proxy for us.
    pub(super) fn init(&self) -> u32 {
        let children = format!("/proc/{0}/task/{0}/children", self.pid);
        fs::read_to_string(children)
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    }

    async fn spawned(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let pid = child.id().unwrap();
        let said = Arc::new(Said::default());
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let heard = Arc::clone(&said);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                heard.lines.lock().push(line);
                heard.news.notify_waiters();
            }
            heard.over.store(true, Ordering::Release);
            heard.news.notify_waiters();
        });
        let mut proxy = Self {
            child,
            pid,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            said,
        };
        let line = proxy.says("mcp-proxy listens on http").await;
        let (_, url) = line.split_once("://").unwrap();
        let (address, _path) = url.split_once('/').unwrap();
        proxy.address = address.parse().unwrap();
        proxy
    }

    /// Waits for a line with this text in it.
    pub(super) async fn says(&self, text: &str) -> String {
        within(text, async {
            loop {
                let news = self.said.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                // Looked at before the lines, so that a last line is not missed.
                let over = self.said.over.load(Ordering::Acquire);
                let found = {
                    let lines = self.said.lines.lock();
                    lines.iter().find(|line| line.contains(text)).cloned()
                };
                match found {
                    Some(line) => return line,
                    None if over => panic!("it ended without saying it:\n{}", self.said()),
                    None => news.await,
                }
            }
        })
        .await
    }

    /// Everything it said so far.
    pub(super) fn said(&self) -> String {
        self.said.lines.lock().join("\n")
    }

    /// A client that has sent nothing yet.
    pub(super) fn client(&self) -> Client {
        Client::new(self.address)
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(pid(self.pid), signal).unwrap();
    }

    /// Waits until it has ended and gives its exit code; `None` for death by a signal.
    pub(super) async fn exit(&mut self) -> Option<i32> {
        let status = within("the end of the proxy", self.child.wait()).await;
        status.unwrap().code()
    }

    /// The same within less than the common deadline.
    pub(super) async fn exit_within(&mut self, limit: Duration) -> Option<i32> {
        match tokio::time::timeout(limit, self.exit()).await {
            Ok(code) => code,
            Err(_) => panic!("the proxy did not end within {limit:?}:\n{}", self.said()),
        }
    }
}

/// Runs a command line that ends by itself: its exit code, standard output and standard error.
pub(super) async fn run(env: &[(&str, &str)], line: &[&str]) -> (Option<i32>, String, String) {
    let mut child = command(env, line).stdout(Stdio::piped()).spawn().unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (status, ..) = within("the end of the program", async {
        tokio::join!(
            child.wait(),
            stdout.read_to_string(&mut out),
            stderr.read_to_string(&mut err)
        )
    })
    .await;
    (status.unwrap().code(), out, err)
}

/// The toy's path, as it is typed.
pub(super) fn toy_path() -> String {
    toy::program().to_str().unwrap().to_owned()
}

/// The folder of the toy, for a `PATH` that has it.
pub(super) fn toy_folder() -> PathBuf {
    toy::program().parent().unwrap().to_owned()
}

pub(super) fn pid(number: u32) -> Pid {
    Pid::from_raw(number.try_into().unwrap()).unwrap()
}

/// The program with an environment that is the same on every machine. It stays in the test's process
/// group: a runner that gives a test up ends that group, and with it what the test could not drop.
fn command(env: &[(&str, &str)], line: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-proxy"));
    command.args(line);
    plain(command, env)
}

fn plain(mut command: Command, env: &[(&str, &str)]) -> Command {
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}
