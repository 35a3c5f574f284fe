// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A trigger: the eventfd a client wants an interrupt to be signalled by.

use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl, readlink};
use rustix::io::{Errno, ReadWriteFlags, preadv2, read};

use super::wire::Sign;

/// What `/proc` calls the file behind an eventfd (Linux `fs/eventfd.c`).
const EVENTFD: &[u8] = b"anon_inode:[eventfd]";

/// An eventfd taken over from a client.
#[derive(Debug)]
pub(super) struct Trigger(OwnedFd);

impl Trigger {
    /// Takes `fd` over. It becomes non-blocking, for everybody who has it open: a
    /// client could otherwise hand over a full one, and stop whoever signals it. It
    /// can still make it blocking again; see [`Patience`](super::patience).
    ///
    /// # Errors
    /// `EINVAL` if it is not an eventfd, as `eventfd_ctx_fdget` has it: writing
    /// to a pipe or a socket could block, or end the process by a signal.
    pub(super) fn take(fd: OwnedFd) -> Result<Self, Errno> {
        checked(fd).map(Self)
    }
}

impl Sign for Trigger {
    /// Writes 1. An eventfd that is full has been signalled and not been read: this
    /// signal meets that one.
    fn give(&self) {
        loop {
            match rustix::io::write(&self.0, &1_u64.to_ne_bytes()) {
                Ok(_) | Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(error) => {
                    tracing::error!(%error, "an eventfd could not be signalled");
                    return;
                }
            }
        }
    }

    /// One that is full is left alone, and `O_NONBLOCK` is put back before the write:
    /// a client that took it off cannot hold this by that alone. It would have to
    /// fill the eventfd and take it off between two of these calls; there is no
    /// write to an eventfd that never blocks whatever its flags are.
    fn give_unheld(&self) {
        let mut look = [PollFd::new(&self.0, PollFlags::OUT)];
        if let Ok(0) = poll(&mut look, Some(&Timespec::default())) {
            return;
        }
        match nonblocking(&self.0) {
            Ok(()) => self.give(),
            Err(error) => tracing::error!(%error, "an eventfd could not be signalled"),
        }
    }
}

/// `fd`, if it is an eventfd; non-blocking.
///
/// # Errors
/// `EINVAL` if it is something else, or `/proc` does not say.
pub(super) fn checked(fd: OwnedFd) -> Result<OwnedFd, Errno> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let name = readlink(path, Vec::new()).map_err(|_| Errno::INVAL)?;
    if name.as_bytes() != EVENTFD {
        return Err(Errno::INVAL);
    }
    nonblocking(&fd)?;
    Ok(fd)
}

fn nonblocking(fd: &OwnedFd) -> Result<(), Errno> {
    let flags = fcntl_getfl(fd)?;
    if !flags.contains(OFlags::NONBLOCK) {
        fcntl_setfl(fd, flags | OFlags::NONBLOCK)?;
    }
    Ok(())
}

/// Whether an eventfd was signalled, and takes that from it. Does not block, even if
/// the client made it blocking again.
pub(super) fn drain(fd: &OwnedFd) -> bool {
    let mut count = [0; size_of::<u64>()];
    let mut into = [IoSliceMut::new(&mut count)];
    // The position of a file that has none.
    match preadv2(fd, &mut into, u64::MAX, ReadWriteFlags::NOWAIT) {
        // Linux before 5.8 has no such read of an eventfd.
        Err(Errno::OPNOTSUPP) => nonblocking(fd).and_then(|()| read(fd, &mut count)).is_ok(),
        result => result.is_ok(),
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use rustix::event::{EventfdFlags, eventfd};
    use rustix::io::dup;

    fn count(fd: &OwnedFd) -> u64 {
        let mut bytes = [0; 8];
        read(fd, &mut bytes).map_or(0, |_| u64::from_ne_bytes(bytes))
    }

    #[test]
    fn only_an_eventfd_is_a_trigger() {
        let (one, other) = std::io::pipe().unwrap();
        assert_eq!(Trigger::take(one.into()).unwrap_err(), Errno::INVAL);
        assert_eq!(Trigger::take(other.into()).unwrap_err(), Errno::INVAL);
        let (socket, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(Trigger::take(socket.into()).unwrap_err(), Errno::INVAL);
        let file = std::fs::File::open("/proc/self/status").unwrap();
        assert_eq!(Trigger::take(file.into()).unwrap_err(), Errno::INVAL);
        let epoll = rustix::event::epoll::create(rustix::event::epoll::CreateFlags::empty());
        assert_eq!(Trigger::take(epoll.unwrap()).unwrap_err(), Errno::INVAL);
        let fd = eventfd(0, EventfdFlags::empty()).unwrap();
        assert!(Trigger::take(fd).is_ok());
    }

    #[test]
    fn a_full_eventfd_handed_over_as_blocking_stops_nobody() {
        let fd = eventfd(0, EventfdFlags::empty()).unwrap();
        rustix::io::write(&fd, &(u64::MAX - 1).to_ne_bytes()).unwrap();
        let client = dup(&fd).unwrap();
        let trigger = Trigger::take(fd).unwrap();
        trigger.give();
        assert_eq!(count(&client), u64::MAX - 1);
        trigger.give();
        assert_eq!(count(&client), 1);
    }

    #[test]
    fn draining_does_not_block_even_if_the_eventfd_does() {
        let fd = eventfd(0, EventfdFlags::empty()).unwrap();
        let client = dup(&fd).unwrap();
        rustix::io::write(&client, &3_u64.to_ne_bytes()).unwrap();
        let draining = std::thread::spawn(move || [drain(&fd), drain(&fd)]);
        let start = std::time::Instant::now();
        while !draining.is_finished() && start.elapsed().as_secs() < 10 {
            std::thread::yield_now();
        }
        assert!(draining.is_finished(), "held");
        assert_eq!(draining.join().unwrap(), [true, false]);
    }
}
