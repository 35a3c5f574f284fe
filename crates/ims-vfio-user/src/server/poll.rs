// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Waiting for sockets.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use super::interest::Token;

/// Events taken in one wait.
const EVENTS: usize = 64;

/// The descriptors that are watched.
///
/// Clients' sockets are edge-triggered: what is not read shows again only if the
/// watch is changed. That spares the kernel a look at the socket each time, which is
/// a few per cent of a message. All others are level-triggered.
pub(super) struct Poll {
    epoll: OwnedFd,
}

/// What a wait has found. It stays on the thread that waits.
pub(super) struct Found {
    events: Vec<epoll::Event>,
}

/// What a descriptor is ready for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ready {
    pub(super) token: Token,
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The other side has closed, or will send nothing more.
    pub(super) ended: bool,
}

impl Poll {
    pub(super) fn new() -> Result<Self, Errno> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
        })
    }

    /// Watches `fd` for reading.
    pub(super) fn watch(&self, fd: impl AsFd, token: Token) -> Result<(), Errno> {
        let data = epoll::EventData::new_u64(token.to_u64());
        epoll::add(&self.epoll, fd, data, flags(token, true, false))
    }

    /// Changes what `fd` is watched for. What it is ready for now shows again.
    pub(super) fn change(
        &self,
        fd: impl AsFd,
        token: Token,
        reading: bool,
        writing: bool,
    ) -> Result<(), Errno> {
        let data = epoll::EventData::new_u64(token.to_u64());
        epoll::modify(&self.epoll, fd, data, flags(token, reading, writing))
    }

    /// Watches `fd` no longer.
    pub(super) fn forget(&self, fd: impl AsFd) {
        // It was watched, or was closed and went by itself.
        let _ = epoll::delete(&self.epoll, fd);
    }

    /// Waits at most `limit`, for ever without one.
    pub(super) fn wait(&self, found: &mut Found, limit: Option<Duration>) -> Result<(), Errno> {
        found.events.clear();
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        let room = spare_capacity(&mut found.events);
        match epoll::wait(&self.epoll, room, limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }
}

impl Found {
    pub(super) fn new() -> Self {
        Self {
            events: Vec::with_capacity(EVENTS),
        }
    }

    /// What was found, by number.
    pub(super) fn ready(&self, number: usize) -> Option<Ready> {
        use epoll::EventFlags as Flags;
        let event = self.events.get(number)?;
        let (data, flags) = (event.data, event.flags);
        Some(Ready {
            token: Token::from_u64(data.u64())?,
            // An error or an end shows when it is read.
            readable: flags.intersects(Flags::IN | Flags::HUP | Flags::ERR),
            writable: flags.contains(Flags::OUT),
            ended: flags.intersects(Flags::RDHUP | Flags::HUP | Flags::ERR),
        })
    }
}

/// How a descriptor is watched.
fn flags(token: Token, reading: bool, writing: bool) -> epoll::EventFlags {
    use epoll::EventFlags as Flags;
    let mut flags = Flags::empty();
    flags.set(Flags::IN, reading);
    flags.set(Flags::OUT, writing);
    if matches!(token, Token::Connection(_)) {
        flags |= Flags::ET;
        // An end that comes with the last bytes is no edge of its own.
        flags.set(Flags::RDHUP, reading);
    }
    flags
}
