// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Messages into a stream that may not take them at once.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, send, sendmsg};

use crate::inbox::KERNEL_FDS;

/// The sending side of a socket.
///
/// # Concurrency
/// Any thread sends; messages never mix. What the socket does not take is kept and
/// sent by the server's loop.
#[derive(Debug)]
pub(crate) struct Outbox {
    socket: Arc<OwnedFd>,
    unsent: Mutex<Unsent>,
    /// Bytes kept; for the loop to look at without the lock.
    backlog: AtomicUsize,
    limit: usize,
}

#[derive(Debug, Default)]
struct Unsent {
    pieces: VecDeque<Piece>,
    bytes: usize,
    closed: bool,
}

/// Bytes not sent yet; the descriptors go with the first of them.
#[derive(Debug)]
struct Piece {
    bytes: Vec<u8>,
    sent: usize,
    fds: Vec<Arc<OwnedFd>>,
}

/// What became of bytes given to an outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The socket has them.
    All,
    /// Some are kept: somebody has to flush when the socket is writable.
    Kept,
}

impl Outbox {
    /// An outbox of `socket` that keeps at most `limit` bytes.
    pub(crate) fn new(socket: Arc<OwnedFd>, limit: usize) -> Self {
        Self {
            socket,
            unsent: Mutex::default(),
            backlog: AtomicUsize::new(0),
            limit,
        }
    }

    fn unsent(&self) -> MutexGuard<'_, Unsent> {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends `bytes`, whole messages, with `fds` beside the first of them.
    ///
    /// # Errors
    /// `EPIPE` if the socket is closed, `ENOBUFS` if more is kept than allowed (the
    /// outbox is closed then), or what the socket said.
    pub(crate) fn send(&self, bytes: &[u8], fds: &[Arc<OwnedFd>]) -> Result<Sent, Errno> {
        let mut unsent = self.unsent();
        if unsent.closed {
            return Err(Errno::PIPE);
        }
        let mut sent = 0;
        if unsent.pieces.is_empty() {
            match push(self.socket.as_fd(), bytes, fds) {
                Ok(count) if count == bytes.len() => return Ok(Sent::All),
                Ok(count) => sent = count,
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(errno) => {
                    unsent.close();
                    return Err(errno);
                }
            }
        }
        let rest = bytes.get(sent..).unwrap_or_default();
        unsent.bytes = unsent.bytes.saturating_add(rest.len());
        if unsent.bytes > self.limit {
            unsent.close();
            return Err(Errno::NOBUFS);
        }
        unsent.pieces.push_back(Piece {
            bytes: rest.to_vec(),
            sent: 0,
            fds: if sent == 0 { fds.to_vec() } else { Vec::new() },
        });
        self.backlog.store(unsent.bytes, Ordering::Relaxed);
        Ok(Sent::Kept)
    }

    /// Sends what is kept, as far as the socket takes it.
    ///
    /// # Errors
    /// What the socket said; the outbox is closed then.
    pub(crate) fn flush(&self) -> Result<Sent, Errno> {
        let mut unsent = self.unsent();
        loop {
            self.backlog.store(unsent.bytes, Ordering::Relaxed);
            let Some(piece) = unsent.pieces.front_mut() else {
                return Ok(Sent::All);
            };
            let rest = piece.bytes.get(piece.sent..).unwrap_or_default();
            match push(self.socket.as_fd(), rest, &piece.fds) {
                Ok(count) => {
                    piece.fds.clear();
                    piece.sent += count;
                    if piece.sent >= piece.bytes.len() {
                        unsent.pieces.pop_front();
                    }
                    unsent.bytes = unsent.bytes.saturating_sub(count);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Sent::Kept),
                Err(errno) => {
                    unsent.close();
                    return Err(errno);
                }
            }
        }
    }

    /// Whether something is kept.
    #[inline]
    pub(crate) fn has_backlog(&self) -> bool {
        self.backlog.load(Ordering::Relaxed) > 0
    }

    /// Whether so much is kept that no more should be added.
    #[inline]
    pub(crate) fn is_clogged(&self) -> bool {
        self.backlog.load(Ordering::Relaxed) > self.limit / 2
    }

    /// Sends nothing any more.
    pub(crate) fn close(&self) {
        self.unsent().close();
    }
}

impl Unsent {
    fn close(&mut self) {
        self.closed = true;
        self.pieces.clear();
        self.bytes = 0;
    }
}

/// Sends once, without waiting and without a signal if nobody listens.
fn push(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[Arc<OwnedFd>]) -> Result<usize, Errno> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    if fds.is_empty() {
        return send(socket, bytes, flags);
    }
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(KERNEL_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
    if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(Errno::TOOBIG);
    }
    sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    fn pair(limit: usize) -> (Outbox, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Outbox::new(Arc::new(ours.into()), limit), theirs)
    }

    #[test]
    fn what_the_socket_does_not_take_is_kept_in_order_and_sent_later() {
        let (outbox, mut theirs) = pair(64 << 20);
        let message: Vec<u8> = (0..100_000u32).flat_map(u32::to_ne_bytes).collect();
        let mut sent = Vec::new();
        while outbox.send(&message, &[]).unwrap() == Sent::All {
            sent.extend_from_slice(&message);
        }
        sent.extend_from_slice(&message);
        assert!(outbox.has_backlog());
        assert_eq!(outbox.send(&[7; 5], &[]).unwrap(), Sent::Kept);
        sent.extend_from_slice(&[7; 5]);
        let mut received = vec![0; sent.len()];
        let reader = std::thread::spawn(move || {
            theirs.read_exact(&mut received).unwrap();
            received
        });
        while outbox.flush().unwrap() == Sent::Kept {
            std::thread::yield_now();
        }
        assert!(!outbox.has_backlog());
        assert!(reader.join().unwrap() == sent);
    }

    #[test]
    fn a_client_that_reads_nothing_is_given_up_at_the_limit() {
        let (outbox, _theirs) = pair(1 << 20);
        let ended = (0..10_000).find_map(|_| outbox.send(&[0; 4096], &[]).err());
        assert_eq!(ended, Some(Errno::NOBUFS));
        assert_eq!(outbox.send(&[0], &[]), Err(Errno::PIPE));
    }

    #[test]
    fn a_client_that_is_gone_is_an_error_and_no_signal() {
        let (outbox, theirs) = pair(1 << 20);
        drop(theirs);
        assert_eq!(outbox.send(&[0], &[]), Err(Errno::PIPE));
    }
}
