// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why the control socket could not be used.

use std::io;
use std::path::PathBuf;

use super::message::Refusal;
use super::place::PlaceError;

/// Why the control socket could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ControlError {
    /// No place for it.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Nobody serves there.
    #[error("no server at {0}; start one with `ims serve`, or name its socket with --control")]
    NoServer(PathBuf),
    /// The system refused.
    #[error("{path}: {doing}: {source}")]
    System {
        /// The control socket.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// Who listens there is another user.
    #[error(
        "{path} is served by user {uid}, not by you (user {own}); name your own server's socket \
         with --control"
    )]
    AnotherUser {
        /// The control socket.
        path: PathBuf,
        /// Who serves it.
        uid: u32,
        /// Who asks.
        own: u32,
    },
    /// No answer in time.
    #[error("{0}: the server did not answer in time; it may be busy: try again")]
    Late(PathBuf),
    /// What was answered is no answer.
    #[error("{path}: not an answer: {why}; client and server must be of one version")]
    NotAnAnswer {
        /// The control socket.
        path: PathBuf,
        /// What was wrong.
        why: String,
    },
    /// The server refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
}
