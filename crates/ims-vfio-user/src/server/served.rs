// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a connection is watched for.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;

use super::interest::Token;
use super::poll::Poll;
use crate::connection::Connection;

/// A connection, and what it is watched for.
pub(super) struct Served {
    pub(super) connection: Connection,
    /// The client's process, where it is one of this machine's and can be seen.
    pub(super) client: Option<i32>,
    reading: bool,
    writing: bool,
    twin_writing: bool,
    unmask: Option<Arc<OwnedFd>>,
}

impl Served {
    /// A new connection, which is watched for reading.
    pub(super) fn new(connection: Connection) -> Self {
        let credentials = socket_peercred(&connection).ok();
        Self {
            connection,
            client: credentials.map(|client| client.pid.as_raw_nonzero().get()),
            reading: true,
            writing: false,
            twin_writing: false,
            unmask: None,
        }
    }

    /// Watches for what the connection needs now.
    pub(super) fn watch(&mut self, poll: &Poll, id: u64, reading: bool) -> Result<(), Errno> {
        let writing = self.connection.has_backlog();
        let changed = (reading, writing) != (self.reading, self.writing);
        // While it is not read, it keeps: reading again is a change.
        let again = reading && self.connection.take_more();
        if changed || again {
            let token = Token::Connection(id);
            poll.change(&self.connection, token, reading, writing)?;
            (self.reading, self.writing) = (reading, writing);
        }
        if let Some(twin) = self.connection.new_twin() {
            poll.watch(twin, Token::Twin(id))?;
        }
        let twin_writing = self.connection.has_twin_backlog();
        if twin_writing != self.twin_writing
            && let Some(twin) = self.connection.twin_socket()
        {
            poll.change(twin, Token::Twin(id), true, twin_writing)?;
            self.twin_writing = twin_writing;
        }
        if self.connection.pin_changed() {
            self.watch_unmask(poll, id)?;
        }
        Ok(())
    }

    /// Watches the eventfd by which the client unmasks the pin, which SET_IRQS may
    /// have changed.
    fn watch_unmask(&mut self, poll: &Poll, id: u64) -> Result<(), Errno> {
        let irqs = &self.connection.client().endpoint().function().irqs;
        let unmask = irqs.unmask_eventfd();
        let same = match (&unmask, &self.unmask) {
            (Some(new), Some(old)) => Arc::ptr_eq(new, old),
            (None, None) => true,
            _ => false,
        };
        if !same {
            if let Some(old) = self.unmask.take() {
                poll.forget(&*old);
            }
            if let Some(new) = &unmask {
                poll.watch(&**new, Token::Unmask(id))?;
            }
            self.unmask = unmask;
        }
        Ok(())
    }

    /// Watches for nothing any more.
    pub(super) fn forget(&self, poll: &Poll) {
        poll.forget(self.connection.as_fd());
        if let Some(twin) = self.connection.twin_socket() {
            poll.forget(twin);
        }
        if let Some(unmask) = &self.unmask {
            poll.forget(&**unmask);
        }
    }
}
