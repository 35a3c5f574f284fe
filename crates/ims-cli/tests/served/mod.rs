// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `ims serve` in a process of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const LIMIT: Duration = Duration::from_secs(60);

/// A running server, with a directory for its sockets. Killed when dropped.
pub struct Served {
    child: Child,
    pub dir: PathBuf,
}

/// What a process has.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    pub threads: u64,
    pub descriptors: u64,
    pub resident_kib: u64,
}

impl Served {
    /// Starts `ims serve` with `arguments`; its sockets are in its own directory.
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        Self::start_in(Self::place(name), arguments)
    }

    /// An empty directory of a test's own.
    pub fn place(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("ims-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    /// The same in a directory that is there.
    pub fn start_in(dir: PathBuf, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ims"));
        command.arg("serve").args(arguments);
        command.arg("--control").arg(dir.join("control"));
        if arguments.contains(&"--compose") {
            command.arg("--dir").arg(&dir);
        }
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        Self { child, dir }
    }

    /// Waits until there are `count` sockets of devices.
    pub fn sockets(&self, count: usize) -> Vec<PathBuf> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let mut found: Vec<PathBuf> = fs::read_dir(&self.dir)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|ending| ending == "sock"))
                .collect();
            if found.len() >= count {
                found.sort();
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "{} sockets of {count}",
                found.len()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until somebody listens at `path`.
    pub fn listens(&self, path: &Path) {
        let deadline = Instant::now() + LIMIT;
        while std::os::unix::net::UnixStream::connect(path).is_err() {
            assert!(Instant::now() < deadline, "nobody listens at {path:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn usage(&self) -> Usage {
        let proc = PathBuf::from(format!("/proc/{}", self.child.id()));
        let count = |what: &str| fs::read_dir(proc.join(what)).unwrap().count() as u64;
        let status = fs::read_to_string(proc.join("status")).unwrap();
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        Usage {
            threads: count("task"),
            descriptors: count("fd"),
            resident_kib: resident.unwrap(),
        }
    }

    /// Runs another command of `ims` on this server; what it prints as JSON.
    pub fn ask(&self, arguments: &[&str]) -> serde_json::Value {
        let output = Command::new(env!("CARGO_BIN_EXE_ims"))
            .args(arguments)
            .arg("--control")
            .arg(self.dir.join("control"))
            .arg("--json")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub fn stat(&self) -> serde_json::Value {
        self.ask(&["stat"])
    }

    /// Ends it as an operator does; whether it ended well.
    pub fn terminate(&mut self) -> bool {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        self.child.wait().unwrap().success()
    }

    /// `next` has this one's directory, which stays.
    pub fn succeeded_by(mut self, next: Self) -> Self {
        assert_eq!(self.dir, next.dir);
        self.dir = PathBuf::new();
        next
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !self.dir.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}
