// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The program under test, in a place of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The program.
pub const IMS: &str = env!("CARGO_BIN_EXE_ims");
/// Longer than anything takes: for what must happen.
const LONG: Duration = Duration::from_secs(60);

/// A runtime directory of a test's own, removed when dropped.
pub struct Home(PathBuf);

impl Home {
    pub fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ims-serve-{name}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Tells a command that this is its user's runtime directory.
    pub fn environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("XDG_RUNTIME_DIR", &self.0)
    }

    /// The program with these arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(IMS);
        self.environment(&mut command).args(arguments);
        command
    }

    /// Runs the program to its end.
    pub fn ims(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What the program says as it does well.
    pub fn said(&self, arguments: &[&str]) -> String {
        let output = self.ims(arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts a server; it serves when this returns.
    pub fn serve(&self, arguments: &[&str]) -> Server {
        let mut command = self.command(&["serve", "--json"]);
        Server::spawn(command.args(arguments))
    }

    /// The names of what is served.
    pub fn names(&self) -> Vec<String> {
        let answer = json(&self.ims(&["adi", "list", "--json"]));
        assert_eq!(answer["answer"], "devices");
        let devices = answer["devices"].as_array().unwrap().iter();
        devices
            .map(|device| device["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The one JSON object that was said.
pub fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// How a program that must end ends.
pub fn ended(child: &mut Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(begun.elapsed() < LONG, "it does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A running server; killed when dropped.
pub struct Server {
    child: Option<Child>,
    /// What it said as it began to serve.
    pub said: Value,
}

impl Server {
    /// Starts a server that says what it serves as JSON, and waits until it does.
    pub fn spawn(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut said).unwrap();
        let mut server = Self {
            child: Some(child),
            said: Value::Null,
        };
        match serde_json::from_str(&said) {
            Ok(said) => server.said = said,
            Err(_) => panic!("{said:?}: {:?}", server.wait()),
        }
        server
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> Output {
        let mut child = self.child.take().unwrap();
        ended(&mut child);
        child.wait_with_output().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
