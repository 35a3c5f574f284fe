// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Programs that must not outlive us, and the lines they print.

use crate::command;
use crate::failure::Failure;
use std::ffi::OsStr;
use std::process::{self, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// A program under way. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Child {
    process: process::Child,
    lines: Receiver<String>,
    /// Everything it printed so far, as it was read.
    text: String,
}

/// What came of waiting for a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The next line, without its end.
    Line(String),
    /// It closed its output: it is over, or nearly.
    Nothing,
    /// The time is up.
    Late,
}

impl Child {
    /// Starts `command` with both its outputs merged.
    ///
    /// # Errors
    /// [`Failure::Start`].
    pub(crate) fn start(command: &mut Command) -> Result<Self, Failure> {
        let (process, lines) = command::spawn(command)?;
        Ok(Self {
            process,
            lines,
            text: String::new(),
        })
    }

    /// Waits for the next line until `deadline`.
    pub(crate) fn next(&mut self, deadline: Instant) -> Said {
        let wait = deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(wait) {
            Ok(line) => {
                let line = line.trim_end().to_owned();
                self.text.push_str(&line);
                self.text.push('\n');
                Said::Line(line)
            }
            Err(RecvTimeoutError::Disconnected) => Said::Nothing,
            Err(RecvTimeoutError::Timeout) => Said::Late,
        }
    }

    /// Everything it printed until now.
    pub(crate) fn text(&mut self) -> &str {
        while let Said::Line(_) = self.next(Instant::now()) {}
        &self.text
    }

    /// Whether it is still running.
    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Waits until it is over, at most until `deadline`.
    pub(crate) fn ended(&mut self, deadline: Instant) -> Option<ExitStatus> {
        loop {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// SIGKILL, and waits until the system has cleaned up after it.
    pub(crate) fn kill(&mut self) {
        // Already over is as good as killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `command`, so started that the kernel kills it when we are gone without
/// having done so. Where that cannot be had, the command as it is.
pub(crate) fn tied(command: Command) -> Command {
    static CAN: OnceLock<bool> = OnceLock::new();
    let wrap = |program: &OsStr| {
        let mut outer = Command::new("setpriv");
        outer.args(["--pdeathsig", "KILL"]).arg(program);
        outer
    };
    let can = *CAN.get_or_init(|| {
        let mut probe = wrap(OsStr::new("true"));
        probe.stdout(Stdio::null()).stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    });
    if !can {
        return command;
    }
    let mut outer = wrap(command.get_program());
    outer.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    if let Some(place) = command.get_current_dir() {
        outer.current_dir(place);
    }
    outer
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn lines_come_one_by_one_and_then_nothing() {
        let mut child = Child::start(&mut shell("echo a; echo b >&2; exit 3")).unwrap();
        assert_eq!(child.next(soon()), Said::Line("a".to_owned()));
        assert_eq!(child.next(soon()), Said::Line("b".to_owned()));
        assert_eq!(child.next(soon()), Said::Nothing);
        assert_eq!(child.ended(soon()).unwrap().code(), Some(3));
        assert_eq!(child.text(), "a\nb\n");
    }

    #[test]
    fn a_program_that_is_dropped_is_killed() {
        let mut command = tied(shell("echo $$; exec sleep 60"));
        let mut child = Child::start(&mut command).unwrap();
        let Said::Line(id) = child.next(soon()) else {
            panic!("no process id");
        };
        let process = PathBuf::from(format!("/proc/{id}"));
        assert!(process.exists() && child.runs());
        assert_eq!(child.next(Instant::now()), Said::Late);
        drop(child);
        assert!(!process.exists());
    }

    #[test]
    fn a_tied_program_keeps_its_arguments_and_variables() {
        let mut command = shell("echo $ONE");
        command.env("ONE", "two");
        let mut child = Child::start(&mut tied(command)).unwrap();
        assert_eq!(child.next(soon()), Said::Line("two".to_owned()));
    }
}
