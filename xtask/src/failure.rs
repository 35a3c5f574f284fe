// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why a command could not do its work, as opposed to a check that failed.

use std::io;
use std::path::PathBuf;

/// What stopped a command.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Failure {
    /// A program could not be started.
    #[error("cannot run `{command}`: {source}; is it installed and in PATH?")]
    Start {
        /// The command line.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program ran and did not do what it was asked.
    #[error("`{command}` failed; its output:\n{output}")]
    Command {
        /// The command line.
        command: String,
        /// All it printed.
        output: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file or an answer does not have the form it should.
    #[error("{what}: {why}")]
    Form {
        /// What was read.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// Something that is needed is not there.
    #[error("{what}; {advice}")]
    Missing {
        /// What is not there.
        what: String,
        /// What to do about it.
        advice: String,
    },
    /// A guest did not do what it should.
    #[error("{why}; the end of its console:\n{console}")]
    Guest {
        /// What it did, or did not do.
        why: String,
        /// The last lines it said.
        console: String,
    },
    /// There is nothing to do, which is never what was meant.
    #[error("{0}")]
    Nothing(String),
}

impl Failure {
    /// Names the file an I/O error is about.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
