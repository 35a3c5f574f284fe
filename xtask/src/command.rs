// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Running programs: what they print, and whether they did what they should.

use crate::failure::Failure;
use crate::tree;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// What a program printed, standard output and error as one, and how it ended.
#[derive(Debug)]
pub(crate) struct Captured {
    /// Everything it printed, in order.
    pub(crate) text: String,
    /// How it ended; none if it was stopped because its time was up.
    pub(crate) status: Option<ExitStatus>,
}

impl Captured {
    /// Whether the program ended by itself and reported success.
    pub(crate) fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}

/// `cargo`, in the workspace's root, with output fit to be read by a program.
pub(crate) fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    // Cargo names itself to the programs it runs.
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(tree::root())
        .env("CARGO_TERM_COLOR", "never");
    command
}

/// The command line, as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program());
    std::iter::once(name)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Whether a program of this name is in PATH.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|place| place.join(program).is_file())
}

/// Starts `command` with both its outputs merged; gives what it says line by line,
/// each with its end.
///
/// # Errors
/// [`Failure::Start`] if the program cannot be started.
pub(crate) fn spawn(command: &mut Command) -> Result<(Child, Receiver<String>), Failure> {
    let shown = line(command);
    let start_failure = |source| Failure::Start {
        command: shown.clone(),
        source,
    };
    let (reader, writer) = io::pipe().map_err(start_failure)?;
    let error = writer.try_clone().map_err(start_failure)?;
    let spawned = command
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(error)
        .spawn();
    // The command holds the pipe's other end until it is told something else:
    // without this the reader would wait for itself.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let child = spawned.map_err(start_failure)?;

    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut bytes = Vec::new();
        while matches!(reader.read_until(b'\n', &mut bytes), Ok(1..)) {
            if sender
                .send(String::from_utf8_lossy(&bytes).into_owned())
                .is_err()
            {
                return;
            }
            bytes.clear();
        }
    });
    Ok((child, lines))
}

/// Runs `command` with both its outputs merged, as a terminal would show them.
///
/// Each line is passed to `on_line` as it comes. A program that runs longer
/// than `limit` is killed.
///
/// # Errors
/// [`Failure::Start`] if the program cannot be started.
pub(crate) fn capture(
    command: &mut Command,
    limit: Option<Duration>,
    mut on_line: impl FnMut(&str),
) -> Result<Captured, Failure> {
    let (mut child, lines) = spawn(command)?;

    let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
    let mut text = String::new();
    loop {
        let wait = deadline.map_or(Duration::from_secs(3600), |deadline| {
            deadline.saturating_duration_since(Instant::now())
        });
        match lines.recv_timeout(wait) {
            Ok(line) => {
                on_line(&line);
                text.push_str(&line);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            // Already over is as good as killed; waiting only collects it.
            let _ = child.kill();
            let _ = child.wait();
            return Ok(Captured { text, status: None });
        }
    }
    let shown = line(command);
    let status = child.wait().map_err(|source| Failure::Start {
        command: shown,
        source,
    })?;
    Ok(Captured {
        text,
        status: Some(status),
    })
}

/// Runs `command` and returns its standard output alone.
///
/// # Errors
/// [`Failure::Start`] if it cannot be started, [`Failure::Command`] with all it
/// printed if it does not report success.
pub(crate) fn answer(command: &mut Command) -> Result<String, Failure> {
    let (text, success, errors) = separate(command)?;
    if success {
        return Ok(text);
    }
    Err(Failure::Command {
        command: line(command),
        output: errors + &text,
    })
}

/// Runs `command`; returns its standard output, whether it reported success,
/// and its standard error.
///
/// # Errors
/// [`Failure::Start`] if it cannot be started.
pub(crate) fn separate(command: &mut Command) -> Result<(String, bool, String), Failure> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Failure::Start {
            command: line(command),
            source,
        })?;
    Ok((
        String::from_utf8_lossy(&output.stdout).into_owned(),
        output.status.success(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_outputs_come_merged_and_in_order() {
        let mut seen = Vec::new();
        let captured = capture(
            &mut shell("echo one; echo two >&2; printf three"),
            None,
            |line| {
                seen.push(line.trim_end().to_owned());
            },
        )
        .unwrap();
        assert_eq!(captured.text, "one\ntwo\nthree");
        assert_eq!(seen, ["one", "two", "three"]);
        assert!(captured.succeeded());
    }

    #[test]
    fn a_program_that_runs_too_long_is_killed_and_has_not_succeeded() {
        let before = Instant::now();
        let limit = Some(Duration::from_millis(200));
        let captured = capture(&mut shell("echo here; exec sleep 30"), limit, |_| {}).unwrap();
        assert!(before.elapsed() < Duration::from_secs(10));
        assert_eq!(captured.text, "here\n");
        assert!(!captured.succeeded());
    }

    #[test]
    fn a_program_that_talks_without_end_is_killed_too() {
        let limit = Some(Duration::from_millis(200));
        let captured = capture(&mut shell("while :; do echo x; done"), limit, |_| {}).unwrap();
        assert!(captured.status.is_none());
    }

    #[test]
    fn an_answer_leaves_out_standard_error_unless_it_failed() {
        assert_eq!(
            answer(&mut shell("echo no >&2; echo yes")).unwrap(),
            "yes\n"
        );
        let failure = answer(&mut shell("echo why >&2; exit 3")).unwrap_err();
        assert!(failure.to_string().contains("why"), "{failure}");
    }

    #[test]
    fn a_program_is_installed_if_it_is_in_path() {
        assert!(is_installed("sh"));
        assert!(!is_installed("no-such-program"));
    }

    #[test]
    fn a_missing_program_says_its_name() {
        let failure = capture(&mut Command::new("/no/such/program"), None, |_| {}).unwrap_err();
        assert!(failure.to_string().contains("program"), "{failure}");
    }
}
