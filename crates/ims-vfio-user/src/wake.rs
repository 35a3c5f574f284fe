// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What other threads tell the server's loop.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{Errno, read, write};

use crate::control::Control;
use crate::unanswered::Unanswered;

/// Something the loop has to look at.
#[derive(Debug)]
pub(crate) enum Event {
    /// A connection's outbox keeps something.
    Backlog(u64),
    /// What a connection's client waits for has come to rest.
    Quiet(u64),
    /// Nobody uses the memory of a device's last client any more.
    Released(u64),
    /// The server's owner wants something.
    Control(Control),
}

/// Events, and a descriptor that is readable while there are some.
#[derive(Debug)]
pub(crate) struct Events {
    events: Mutex<Vec<Event>>,
    wake: OwnedFd,
    unanswered: Unanswered,
}

impl Events {
    /// No events.
    ///
    /// # Errors
    /// If no descriptor can be had.
    pub(crate) fn new() -> Result<Self, Errno> {
        Ok(Self {
            events: Mutex::default(),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            unanswered: Unanswered::default(),
        })
    }

    /// Adds an event. From any thread.
    pub(crate) fn push(&self, event: Event) {
        let first = {
            let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
            events.push(event);
            events.len() == 1
        };
        if first {
            self.wake();
        }
    }

    /// One more command of the server's is on its way: the loop has to look at the
    /// time from now on.
    pub(crate) fn asked(&self) {
        if self.unanswered.asked() {
            self.wake();
        }
    }

    /// Commands of the server's that clients have not answered.
    pub(crate) fn unanswered(&self) -> &Unanswered {
        &self.unanswered
    }

    fn wake(&self) {
        // Full is as readable as it gets.
        let _ = write(&self.wake, &1u64.to_ne_bytes());
    }

    /// Takes all events.
    pub(crate) fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes the descriptor unreadable, before the events are taken.
    pub(crate) fn drain(&self) {
        let mut count = [0; 8];
        let _ = read(&self.wake, &mut count);
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
