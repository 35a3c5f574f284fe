// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The server's end: one thread, one connection after the other.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use ims_vfio_user::{ListenError, bind};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::geteuid;

use super::line::{LineError, Timed};
use super::message::{Answer, Reason, Refusal, Request};
use super::peer::Peer;

/// Bytes of the longest request: none has need of a tenth.
const LONGEST: usize = 16 << 10;

/// How long one connection may take, apart from what it asks for.
const LIMIT: Duration = Duration::from_secs(2);

/// The control socket of a server. Dropping it ends its thread and removes it.
#[derive(Debug)]
pub(crate) struct Listener {
    path: PathBuf,
    /// Closed to stop the thread.
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ListenerError {
    /// Its place is taken.
    #[error("control socket: {0}")]
    Listen(#[from] ListenError),
    /// The system refused.
    #[error("control socket {path}: {source}")]
    System {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl Listener {
    /// Listens at `path`; `carry_out` does what is asked, on a thread of its own.
    ///
    /// # Errors
    /// [`ListenerError`].
    pub(crate) fn start(
        path: &Path,
        carry_out: impl Fn(Request) -> Answer + Send + 'static,
    ) -> Result<Self, ListenerError> {
        let failed = |source| ListenerError::System {
            path: path.to_owned(),
            source,
        };
        let listener = bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
        let (stop, stopped) = UnixStream::pair().map_err(failed)?;
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || run(&listener, &stopped, &carry_out))
            .map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It panicked: then there is nothing to wait for.
            let _ = thread.join();
        }
        // Somebody else may have removed it before.
        let _ = fs::remove_file(&self.path);
    }
}

fn run(listener: &UnixListener, stopped: &UnixStream, carry_out: &dyn Fn(Request) -> Answer) {
    loop {
        let mut fds = [
            PollFd::new(listener, PollFlags::IN),
            PollFd::new(stopped, PollFlags::IN),
        ];
        if let Err(errno) = poll(&mut fds, None)
            && errno != rustix::io::Errno::INTR
        {
            eprintln!("ims serve: the control socket ends: {errno}");
            return;
        }
        let [_, stop] = &fds;
        if !stop.revents().is_empty() {
            return;
        }
        match listener.accept() {
            Ok((client, _)) => {
                // Its own loss, whatever it was.
                let _ = serve(&client, stopped.as_fd(), carry_out);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // No descriptor is left, most likely: it shows again.
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Answers one client.
fn serve(
    client: &UnixStream,
    stop: BorrowedFd<'_>,
    carry_out: &dyn Fn(Request) -> Answer,
) -> Result<(), LineError> {
    let peer = Peer::of(client)?;
    let timed = || Timed::new(client, Some(stop), LIMIT);
    let answer = if peer.may_ask(geteuid().as_raw()) {
        match timed()?.read(LONGEST) {
            Ok(line) => match serde_json::from_slice(&line) {
                Ok(request) => carry_out(request),
                Err(error) => refused(Reason::Malformed, malformed(peer, &error)),
            },
            Err(LineError::TooLong(most)) => refused(Reason::TooLong, too_long(peer, most)),
            Err(error) => return Err(error),
        }
    } else {
        refused(Reason::NotPermitted, not_permitted(peer))
    };
    // What was asked for may have taken its time; the client has its own again.
    timed()?.write(serde_json::to_vec(&answer).map_err(io::Error::other)?)
}

fn refused(reason: Reason, message: String) -> Answer {
    Answer::Refused(Refusal { reason, message })
}

fn malformed(peer: Peer, error: &serde_json::Error) -> String {
    format!(
        "process {}: not a request: {error}; send one JSON object a line, as `ims adi` does",
        peer.pid
    )
}

fn too_long(peer: Peer, most: usize) -> String {
    format!(
        "process {}: a request of more than {most} bytes; send one JSON object a line",
        peer.pid
    )
}

fn not_permitted(peer: Peer) -> String {
    format!(
        "process {} of user {} may not control this server; ask as user {}",
        peer.pid,
        peer.uid,
        geteuid().as_raw()
    )
}

#[cfg(test)]
mod tests;
