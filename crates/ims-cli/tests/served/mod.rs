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
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;

use crate::program::{IMS, Server};

/// A running server, with a directory for its sockets. Killed when dropped.
pub struct Served {
    server: Server,
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

    /// The same in a directory that is there. It serves when this returns.
    pub fn start_in(dir: PathBuf, arguments: &[&str]) -> Self {
        let mut command = Command::new(IMS);
        command.args(["serve", "--json"]).args(arguments);
        command.arg("--control").arg(dir.join("control"));
        if arguments.contains(&"--compose") {
            command.arg("--dir").arg(&dir);
        }
        Self {
            server: Server::spawn(&mut command),
            dir,
        }
    }

    /// The sockets of its devices, in the order of their names.
    pub fn sockets(&self) -> Vec<PathBuf> {
        let devices = self.server.said["devices"].as_array().unwrap().iter();
        devices
            .map(|device| device["socket"].as_str().unwrap().into())
            .collect()
    }

    pub fn usage(&self) -> Usage {
        let proc = PathBuf::from(format!("/proc/{}", self.server.pid()));
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
        let output = Command::new(IMS)
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

    /// `next` has this one's directory, which stays.
    pub fn succeeded_by(mut self, next: Self) -> Self {
        assert_eq!(self.dir, next.dir);
        self.dir = PathBuf::new();
        next
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        self.server.signal(Signal::KILL);
        self.server.wait();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if !self.dir.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}
