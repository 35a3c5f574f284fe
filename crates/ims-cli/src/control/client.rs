// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The client's end: one request, one answer.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::process::geteuid;

use super::error::ControlError;
use super::line::{LineError, Timed};
use super::message::{Answer, Request};
use super::peer::Peer;

/// Bytes of the longest answer: some 250 for a vector, and all that there can be.
const LONGEST: usize = 256 << 20;

/// How long the server may take: several others may come first.
const LIMIT: Duration = Duration::from_secs(30);

/// Asks the server whose control socket is at `path`.
///
/// # Errors
/// [`ControlError`], also if the server refuses.
pub(crate) fn ask(path: &Path, request: &Request) -> Result<Answer, ControlError> {
    let failed = |doing| {
        move |source| ControlError::System {
            path: path.to_owned(),
            doing,
            source,
        }
    };
    let socket = UnixStream::connect(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            ControlError::NoServer(path.to_owned())
        }
        _ => failed("connecting")(error),
    })?;
    // In /tmp, anybody may have been first.
    let peer = Peer::of(&socket).map_err(failed("asking who serves there"))?;
    let own = geteuid().as_raw();
    if !peer.may_ask(own) {
        return Err(ControlError::AnotherUser {
            path: path.to_owned(),
            uid: peer.uid,
            own,
        });
    }
    let timed = Timed::new(&socket, None, LIMIT).map_err(failed("preparing"))?;
    let line = |error| match error {
        LineError::Late => ControlError::Late(path.to_owned()),
        LineError::System(error) => failed("asking")(error),
        error => ControlError::NotAnAnswer {
            path: path.to_owned(),
            why: error.to_string(),
        },
    };
    let request = serde_json::to_vec(request)
        .map_err(io::Error::other)
        .map_err(failed("asking"))?;
    timed.write(request).map_err(line)?;
    let answer = timed.read(LONGEST).map_err(line)?;
    match serde_json::from_slice(&answer) {
        Ok(Answer::Refused(refusal)) => Err(refusal.into()),
        Ok(answer) => Ok(answer),
        Err(error) => Err(ControlError::NotAnAnswer {
            path: path.to_owned(),
            why: error.to_string(),
        }),
    }
}
