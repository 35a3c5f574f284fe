// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The device server's process.

use super::super::machine::{Child, tied};
use super::handshake;
use crate::command::{answer, capture, cargo, line};
use crate::failure::Failure;
use crate::progress::Progress;
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The example that is a device, and the crate it belongs to.
const EXAMPLE: &str = "ims_store";
const PACKAGE: &str = "ims-vfio-user";

/// The program that serves DSAs, and the crate it belongs to.
const IMS: &str = "ims";
const IMS_PACKAGE: &str = "ims-cli";

/// The example that is a virtio device, and the crate it belongs to.
const VIRTIO: &str = "virtio_server";
const VIRTIO_PACKAGE: &str = "ims-virtio";

/// How long a server may take until it serves.
const PATIENCE: Duration = Duration::from_secs(10);

/// A program that is a device's server; its last argument is a socket's path.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    path: PathBuf,
    /// What stands before it.
    arguments: Vec<OsString>,
}

impl Program {
    /// The user's own.
    pub(crate) fn own(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            arguments: Vec::new(),
        }
    }

    /// Builds the example.
    ///
    /// # Errors
    /// [`Failure::Command`] with all the compiler said.
    pub(crate) fn build(progress: &Progress) -> Result<Self, Failure> {
        Self::built(PACKAGE, ["--example", EXAMPLE], progress)
    }

    /// Builds the program `ims`.
    ///
    /// # Errors
    /// As for [`Program::build`].
    pub(crate) fn ims(progress: &Progress) -> Result<Self, Failure> {
        Self::built(IMS_PACKAGE, ["--bin", IMS], progress)
    }

    /// Builds the example that is a virtio device.
    ///
    /// # Errors
    /// As for [`Program::build`].
    pub(crate) fn virtio(progress: &Progress) -> Result<Self, Failure> {
        Self::built(VIRTIO_PACKAGE, ["--example", VIRTIO], progress)
    }

    /// The same program with arguments before the socket's.
    pub(crate) fn with<A: Into<OsString>>(&self, arguments: impl IntoIterator<Item = A>) -> Self {
        let mut program = self.clone();
        program
            .arguments
            .extend(arguments.into_iter().map(Into::into));
        program
    }

    /// Runs it to its end, and returns what it printed.
    ///
    /// # Errors
    /// [`Failure::Command`] with all it said.
    pub(crate) fn ask(&self) -> Result<String, Failure> {
        answer(Command::new(&self.path).args(&self.arguments))
    }

    fn built(package: &str, target: [&str; 2], progress: &Progress) -> Result<Self, Failure> {
        let mut command = cargo(["build", "--release", "--package", package]);
        command.args(target).args(["--message-format", "json"]);
        let [_, name] = target;
        let captured = capture(&mut command, None, |line| progress.note(line))?;
        if !captured.succeeded() {
            return Err(Failure::Command {
                command: line(&command),
                output: rendered(&captured.text),
            });
        }
        let path = executable(&captured.text, name).ok_or_else(|| Failure::Form {
            what: line(&command),
            why: format!("built no program {name}"),
        })?;
        Ok(Self::own(&path))
    }
}

/// The program cargo says it built.
fn executable(messages: &str, wanted: &str) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let name = message.get("target")?.get("name")?.as_str()?;
        let path = message.get("executable")?.as_str()?;
        (name == wanted).then(|| path.into())
    })
}

/// The compiler's messages as it would print them, and whatever is no message.
fn rendered(messages: &str) -> String {
    let mut text = String::new();
    for line in messages.lines() {
        match serde_json::from_str::<Value>(line) {
            Ok(message) => {
                let shown = message
                    .get("message")
                    .and_then(|inner| inner.get("rendered"));
                text.push_str(shown.and_then(Value::as_str).unwrap_or_default());
            }
            Err(_) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

/// A server under way. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// From its start until it agreed with a client on a version.
    pub(crate) served_after: Duration,
}

impl Server {
    /// Starts a server on `socket`, and makes sure that it serves. A socket that
    /// a killed server left there is its own to deal with.
    ///
    /// # Errors
    /// [`Failure::Command`] with what it said, if it does not serve.
    pub(crate) fn start(program: &Program, socket: &Path) -> Result<Self, Failure> {
        Self::serving(&program.with([socket]), socket)
    }

    /// Starts a server that was told all its arguments, of which some make it serve
    /// on `socket`, and makes sure that it does.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(crate) fn serving(program: &Program, socket: &Path) -> Result<Self, Failure> {
        let mut command = Command::new(&program.path);
        command.args(&program.arguments);
        let shown = line(&command);
        let begin = Instant::now();
        let mut child = Child::start(&mut tied(command))?;
        loop {
            let served = handshake::with(socket, PATIENCE);
            let elapsed = begin.elapsed();
            let why = match served {
                Ok(()) => {
                    return Ok(Self {
                        child,
                        served_after: elapsed,
                    });
                }
                Err(error) if !child.runs() => format!("it ended; the last client got: {error}"),
                Err(error) if elapsed > PATIENCE => {
                    format!("nobody was served within {} s: {error}", PATIENCE.as_secs())
                }
                Err(_) => {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                }
            };
            child.kill();
            return Err(Failure::Command {
                command: shown,
                output: format!("{}{why}", child.text()),
            });
        }
    }

    /// SIGKILL; returns when its process is gone and its socket closed.
    pub(crate) fn kill(&mut self) {
        self.child.kill();
    }

    /// Whether it is still running.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.runs()
    }

    /// All it printed.
    pub(crate) fn text(&mut self) -> &str {
        self.child.text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_the_one_cargo_names() {
        let messages = "   Compiling x\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"x\"},\"executable\":null}\n\
            {\"target\":{\"name\":\"ims_store\"},\"executable\":\"/t/examples/ims_store\"}\n\
            {\"reason\":\"build-finished\",\"success\":true}\n";
        let path = Some("/t/examples/ims_store".into());
        assert_eq!(executable(messages, "ims_store"), path);
        assert_eq!(executable(messages, "x"), None);
        assert_eq!(executable("{}\n", "x"), None);
    }

    #[test]
    fn errors_are_shown_as_the_compiler_would() {
        let messages =
            "error: no such package\n{\"message\":{\"rendered\":\"error[E1]\\n\"}}\n{}\n";
        assert_eq!(rendered(messages), "error: no such package\nerror[E1]\n");
    }

    #[test]
    fn a_server_that_ends_at_once_is_shown_with_its_words() {
        let place = std::env::temp_dir().join(format!("ims-server-{}", std::process::id()));
        // A path it cannot open is what it complains about.
        let failure = Server::start(&Program::own(Path::new("/bin/cat")), &place).unwrap_err();
        let text = failure.to_string();
        assert!(
            text.contains("cat") && text.contains("ims-server"),
            "{text}"
        );
    }
}
