// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What one client may ask for.

use std::time::Duration;

use crate::layout::HEADER;

/// What one client may ask for, and how the server goes about it. Passing a limit is
/// an error for that client, and for it alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of data in one access, either way; announced to the client. A message
    /// is at most [`Limits::message`] bytes.
    pub data_xfer_size: u32,
    /// Descriptors in one message; announced to the client. The kernel's own limit
    /// is 253.
    pub msg_fds: u32,
    /// Maps at a time; announced to the client, but no more than 65,535. QEMU behind
    /// a vIOMMU sends one for each page and does not count.
    pub dma_maps: usize,
    /// Commands that may wait for an earlier one to be answered; after that nothing
    /// more is read.
    pub waiting_commands: usize,
    /// Commands of the server's that the client has not answered; after that a
    /// caller is told to try again.
    pub outstanding: usize,
    /// How long the client may take to answer one of the server's commands.
    pub answer: Duration,
    /// Bytes for the client that it has not taken. From half of it on its commands are
    /// left waiting; beyond it (by the server's own commands) it is disconnected.
    pub unread: usize,
    /// After a turn of nothing but posted writes the server gives its CPU to whoever
    /// else wants it, once, so that a client on the same CPU writes on and its writes
    /// are read together: a fifth to a half of the time of a burst. Without, each
    /// write is executed as soon as it is there, which is better where guests that
    /// poll share their CPUs with the server.
    pub gather_posted: bool,
    /// How long [`Server::stop`](crate::Server::stop) waits for what is in flight.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            data_xfer_size: 1 << 20,
            msg_fds: 16,
            dma_maps: 1 << 20,
            waiting_commands: 1024,
            outstanding: 4096,
            answer: Duration::from_secs(5),
            unread: 4 << 20,
            gather_posted: true,
            stop: Duration::from_secs(5),
        }
    }
}

impl Limits {
    /// Bytes of the longest message: data, what stands before it, and as much again
    /// as the other commands can need.
    pub fn message(&self) -> usize {
        usize::try_from(self.data_xfer_size)
            .unwrap_or(usize::MAX)
            .saturating_add(HEADER + 4096)
    }
}
