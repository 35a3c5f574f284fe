// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A copy of the workspace in which orderings are weakened.

use crate::command::{self, capture};
use crate::failure::Failure;
use crate::models;
use crate::progress::Progress;
use crate::tree;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What must be copied for the models to build.
const PARTS: [&str; 4] = ["Cargo.toml", "Cargo.lock", "crates", "xtask"];

/// The copy.
#[derive(Debug)]
pub(crate) struct Scratch {
    root: PathBuf,
    target: PathBuf,
    full: bool,
}

/// How the models took what was built.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All passed; so many there were.
    Passed(u64),
    /// At least one failed.
    Failed,
    /// They did not end in time.
    Undecided,
}

impl Scratch {
    /// Copies the workspace to `target/weaken`, anew.
    ///
    /// # Errors
    /// [`Failure::File`].
    pub(crate) fn new(full: bool) -> Result<Self, Failure> {
        let place = tree::root().join("target/weaken");
        let root = place.join("workspace");
        if root.exists() {
            fs::remove_dir_all(&root).map_err(Failure::file(&root))?;
        }
        for part in PARTS {
            for from in tree::files(&tree::root().join(part))? {
                let to = root.join(tree::relative(&from));
                if let Some(parent) = to.parent() {
                    fs::create_dir_all(parent).map_err(Failure::file(parent))?;
                }
                fs::copy(&from, &to).map_err(Failure::file(&from))?;
            }
        }
        Ok(Self {
            root,
            target: place.join("build"),
            full,
        })
    }

    /// Replaces a file, named from the workspace's root.
    ///
    /// # Errors
    /// [`Failure::File`].
    pub(crate) fn put(&self, file: &str, text: &str) -> Result<(), Failure> {
        tree::write(&self.root.join(file), text)
    }

    /// Builds the models and runs them, no longer than `limit`.
    ///
    /// # Errors
    /// [`Failure::Command`] if they do not build: that proves nothing.
    pub(crate) fn judge(
        &self,
        limit: Option<Duration>,
        progress: &Progress,
    ) -> Result<Verdict, Failure> {
        let mut passed = 0;
        for program in self.build(progress)? {
            let mut command = Command::new(program);
            command.arg(models::FILTER).current_dir(&self.root);
            models::bound(&mut command, self.full);
            let captured = capture(&mut command, limit, |line| progress.note(line))?;
            if captured.status.is_none() {
                return Ok(Verdict::Undecided);
            }
            if !captured.succeeded() {
                return Ok(Verdict::Failed);
            }
            passed += crate::test::libtest::read(&captured.text).tally.passed;
        }
        Ok(Verdict::Passed(passed))
    }

    /// Builds the models; returns the programs that run them, one for each crate.
    /// Running them here rather than by cargo lets them be stopped.
    fn build(&self, progress: &Progress) -> Result<Vec<PathBuf>, Failure> {
        let mut command = models::command(&self.root, &self.target, self.full);
        command.args(["--no-run", "--message-format", "json-render-diagnostics"]);
        progress.note("building the models");
        let (messages, success, errors) = command::separate(&mut command)?;
        let failed = |why: &str| Failure::Command {
            command: command::line(&command),
            output: format!("{errors}{why}"),
        };
        if !success {
            return Err(failed(""));
        }
        let programs = executables(&messages);
        if programs.len() < models::CRATES.len() {
            return Err(failed("cargo did not name a test program for each crate"));
        }
        Ok(programs)
    }
}

/// Reads cargo's messages for the libraries' test programs.
fn executables(messages: &str) -> Vec<PathBuf> {
    let executable = |line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let library = message.get("target")?.get("name")?.as_str()?;
        if !models::CRATES
            .iter()
            .any(|name| name.replace('-', "_") == library)
        {
            return None;
        }
        Some(Path::new(message.get("executable")?.as_str()?).to_owned())
    };
    messages.lines().filter_map(executable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_programs_are_found_among_other_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"ims"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"ims"},"executable":"/t/ims-1"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"ims_vfio"},"executable":"/t/v-1"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"x"},"executable":"/t/x-1"}"#,
            "\nnoise\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let expected = ["/t/ims-1", "/t/v-1"].map(PathBuf::from);
        assert_eq!(executables(messages), expected);
        assert!(executables("noise").is_empty());
    }
}
