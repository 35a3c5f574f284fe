// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What other threads tell the server's loop.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{Errno, read, write};

use crate::control::Control;

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
    /// Commands of the server's that clients have not answered.
    unanswered: AtomicUsize,
    /// The loop waits without a limit.
    asleep: AtomicBool,
    /// A command was answered lately.
    busy: AtomicBool,
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
            unanswered: AtomicUsize::new(0),
            asleep: AtomicBool::new(false),
            busy: AtomicBool::new(false),
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
        // Both sequentially consistent, here and in `sleep`: one sees the other.
        self.unanswered.fetch_add(1, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }

    /// One is answered, or has been given up.
    pub(crate) fn answered(&self) {
        self.unanswered.fetch_sub(1, Ordering::Relaxed);
        self.busy.store(true, Ordering::Relaxed);
    }

    /// Whether commands of the server's are on their way.
    #[cfg(test)]
    pub(crate) fn has_unanswered(&self) -> bool {
        self.unanswered.load(Ordering::Relaxed) > 0
    }

    /// The loop is about to wait without a limit; says whether it may.
    pub(crate) fn sleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        let may = self.unanswered.load(Ordering::SeqCst) == 0;
        if !may {
            self.asleep.store(false, Ordering::SeqCst);
        }
        may
    }

    /// Whether there was or is a command on its way since this was last asked: then
    /// more will come, and need not wake the loop each.
    pub(crate) fn was_busy(&self) -> bool {
        self.busy.swap(false, Ordering::Relaxed) || self.unanswered.load(Ordering::Relaxed) > 0
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
