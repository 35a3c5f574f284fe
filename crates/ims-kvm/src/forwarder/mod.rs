// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What raises for eventfds that are no irqfds, and makes irqfds of the busy ones.

mod thread;
mod watch;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use kvm_ioctls::VmFd;
use rustix::event::epoll;

use crate::lines::VmLine;
use crate::shared::Shared;
use crate::vm::Vm;
pub(crate) use thread::Thread;
pub(crate) use watch::{Telling, Watch};

/// Events taken at a time.
const EVENTS: usize = 256;

/// Forwards a VM's eventfds, and commits routes for the busy ones.
///
/// Usually a thread does that by itself. A VMM that has a loop of its own makes
/// [`crate::Interrupts::without_thread`], waits until the descriptor is readable, and
/// takes a turn. Without turns nothing is lost, but what is written to an eventfd
/// that is no irqfd waits.
///
/// One turn costs what has happened, not what there is.
pub struct Forwarder<V: Vm = VmFd> {
    shared: Arc<Shared<V>>,
    events: Vec<epoll::Event>,
    slots: Vec<u64>,
    fired: Vec<Arc<VmLine<V>>>,
}

impl<V: Vm> Forwarder<V> {
    pub(crate) fn new(shared: Arc<Shared<V>>) -> Self {
        Self {
            shared,
            events: Vec::with_capacity(EVENTS),
            slots: Vec::with_capacity(EVENTS),
            fired: Vec::new(),
        }
    }

    /// Waits until something is to be done, at most for `timeout`, and does it: what
    /// was written is raised, and routes are committed if it is time. `None` waits as
    /// long as it takes. Says how many eventfds were forwarded.
    ///
    /// # Errors
    /// The wait failed; what the kernel says.
    pub fn turn(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        self.shared
            .watch
            .wait(&mut self.events, &mut self.slots, timeout)?;
        self.shared.find(&self.slots, &mut self.fired);
        let mut forwarded = 0;
        for line in self.fired.drain(..) {
            // What the others were written is told once: a target that panics must not
            // take it along.
            let fired = catch_unwind(AssertUnwindSafe(|| self.shared.fire(&line)));
            forwarded += usize::from(fired.unwrap_or_else(|_| {
                tracing::error!("a target panicked; its interrupt is lost, others are not");
                true
            }));
        }
        self.shared.tend();
        self.shared.promote_some();
        Ok(forwarded)
    }
}

/// Readable when a turn is due.
impl<V: Vm> AsFd for Forwarder<V> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.watch.as_fd()
    }
}

impl<V: Vm> std::fmt::Debug for Forwarder<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forwarder").finish_non_exhaustive()
    }
}
