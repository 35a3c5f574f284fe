// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One eventfd: watched here or an irqfd of KVM's, and how it goes from one to the
//! other without losing or doubling what is written meanwhile.
//!
//! ```text
//!              route committed, message is the route's, nobody holds it
//!     Watched ──────────────────────────────────────────────────────────▶ Attached
//!     fire(): read, raise        unwatch, attach(gsi)                      KVM reads
//!        ▲                                                                    │
//!        └──────────────────────── detach(gsi), watch ────────────────────────┘
//!              hold() before the guest's write; demoted; route taken; closed
//! ```
//!
//! Why nothing is lost or doubled (virt/kvm/eventfd.c): to attach an eventfd that has
//! been written injects once, and what was written stays in the count, which
//! the next write's injection or the detaching clears; detaching returns when all
//! that was written before has been injected; what is written after it stays in the
//! count and is read here. An irqfd whose GSI has no route drops what is written, so
//! a route stands in KVM's table before it is attached, and is changed after it is
//! detached.
//!
//! Why nothing is injected for a masked vector: to attach happens only under the
//! line's lock, while nobody holds the line, and only if its message is, at that
//! moment, the message of its route. The guest's write happens while the line is
//! held.

use std::sync::Arc;

use ims::message::{Message, RequesterId};
use rustix::io::Errno;

use super::Target;
use crate::sync::{Mutex, MutexGuard};

/// Fires after which an eventfd is worth a route.
const BUSY: u8 = 2;

/// The two ends that an eventfd's reading can be at: our set of watched ones, and KVM.
pub(crate) trait End: Send + Sync {
    /// Tell when something has been written, also before now.
    fn watch(&self);
    /// Tell no more.
    fn unwatch(&self);
    /// Takes what was written; 0 if nothing. Never waits.
    fn take(&self) -> u64;
    /// Makes it an irqfd ([`crate::Vm::attach`]).
    fn attach(&self, gsi: u32) -> Result<(), Errno>;
    /// Makes it none ([`crate::Vm::detach`]).
    fn detach(&self, gsi: u32) -> Result<(), Errno>;
}

/// A route in KVM's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) gsi: u32,
    pub(crate) from: RequesterId,
    pub(crate) message: Message,
}

/// One vector's eventfd.
///
/// Lock order: the table's, the device's, then one line's, then the inbox's. The
/// target is called under the line's lock.
pub(crate) struct Line<E> {
    target: Arc<dyn Target>,
    index: u32,
    pub(crate) end: E,
    state: Mutex<State>,
}

/// How a line stands.
#[derive(Debug, Default)]
struct State {
    /// KVM's irqfd, with `route`; watched if not.
    attached: bool,
    /// What stands in KVM's table for it.
    route: Option<Route>,
    /// How many hold it.
    held: u32,
    /// Events forwarded since a commit last looked at it.
    fires: u8,
    /// It is to have a route whenever it can, busy or not.
    wants: bool,
    /// It waits for a commit to look at it.
    queued: bool,
    /// Demoted for others, and has not fired since.
    trial: bool,
    /// KVM would not have it as an irqfd; a commit's look lets it try again.
    refused: bool,
    /// Given up.
    closed: bool,
}

/// What came of an eventfd that said it was written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fired {
    /// Something was written, and is raised.
    pub(crate) raised: bool,
    /// It is an irqfd again: its route stood.
    pub(crate) returned: bool,
    /// It is to be put before the next commit.
    pub(crate) queue: bool,
}

/// What came of letting a line go.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settled {
    /// It is an irqfd now.
    pub(crate) attached: bool,
    /// It is to be put before the next commit.
    pub(crate) queue: bool,
}

/// What a line wants of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing: it is masked, held, or closed.
    Nothing,
    /// Its route stands already.
    Stands,
    /// A route with this message, at the GSI that it has.
    Route {
        from: RequesterId,
        message: Message,
        gsi: Option<u32>,
        /// It is busy; others that are not may have to make room.
        busy: bool,
    },
}

impl<E: End> Line<E> {
    /// A line that is watched; `held` times held already.
    pub(crate) fn new(target: Arc<dyn Target>, index: u32, end: E, held: u32) -> Self {
        let state = State {
            held,
            ..State::default()
        };
        Self {
            target,
            index,
            end,
            state: Mutex::new(state),
        }
    }

    /// Begins to hold it: no irqfd from when this returns. What was written before
    /// has been injected.
    pub(crate) fn hold(&self) {
        let mut state = self.state.lock();
        state.held = state.held.saturating_add(1);
        self.detach(&mut state);
    }

    /// Ends one hold; after the last, attaches it if its route is still right.
    pub(crate) fn release(&self) -> Settled {
        let mut state = self.state.lock();
        state.held = state.held.saturating_sub(1);
        self.settle(&mut state)
    }

    /// A watched eventfd was written, or may have been.
    pub(crate) fn fire(&self) -> Fired {
        let mut state = self.state.lock();
        let mut fired = Fired::default();
        // A stale word of an eventfd that KVM or nobody reads.
        if state.attached || state.closed || !self.raise(&mut state) {
            return fired;
        }
        fired.raised = true;
        state.trial = false;
        let settled = self.settle(&mut state);
        fired.returned = settled.attached;
        fired.queue = settled.queue;
        fired
    }

    /// Raises what was written and not seen; whether there was something.
    pub(crate) fn drain(&self) -> bool {
        let mut state = self.state.lock();
        !state.attached && !state.closed && self.raise(&mut state)
    }

    /// Gives it up; with `raise`, what was written is raised first. Whether something
    /// was.
    pub(crate) fn close(&self, raise: bool) -> bool {
        let mut state = self.state.lock();
        self.detach(&mut state);
        let raised = raise && !state.closed && !state.attached && self.raise(&mut state);
        state.closed = true;
        self.end.unwatch();
        raised
    }

    /// It is to have a route whenever it can. Whether to put it before a commit.
    pub(crate) fn want(&self) -> bool {
        let mut state = self.state.lock();
        state.wants = true;
        !state.attached && queue(&mut state)
    }

    /// Puts it before a commit again, which failed. Whether it was not waiting.
    pub(crate) fn requeue(&self) -> bool {
        let mut state = self.state.lock();
        queue(&mut state)
    }

    /// A commit looks at it.
    pub(crate) fn consider(&self) -> Wish {
        let mut state = self.state.lock();
        state.queued = false;
        // Its release looks again.
        if state.closed || state.held > 0 {
            return Wish::Nothing;
        }
        let Some((from, message)) = self.target.message(self.index) else {
            return Wish::Nothing;
        };
        let busy = std::mem::take(&mut state.fires) >= BUSY;
        state.refused = false;
        state.trial = false;
        match state.route {
            Some(route) if (route.from, route.message) == (from, message) => Wish::Stands,
            route => Wish::Route {
                from,
                message,
                gsi: route.map(|route| route.gsi),
                busy,
            },
        }
    }

    /// Takes its route away, for KVM's table is about to change it. None if KVM keeps
    /// the irqfd, and with it the route.
    pub(crate) fn unroute(&self) -> Option<Route> {
        let mut state = self.state.lock();
        if self.detach(&mut state) {
            state.route.take()
        } else {
            None
        }
    }

    /// Takes its route away if it was demoted and has not fired since.
    pub(crate) fn lose(&self) -> Option<Route> {
        let mut state = self.state.lock();
        if !state.trial || state.attached {
            return None;
        }
        state.trial = false;
        state.wants = false;
        state.route.take()
    }

    /// Takes the route of a closed line.
    pub(crate) fn retire(&self) -> Option<Route> {
        let mut state = self.state.lock();
        // One that KVM would not let go keeps its GSI: another's message there would
        // be sent by this one's eventfd.
        if state.closed && !state.attached {
            state.route.take()
        } else {
            None
        }
    }

    /// KVM's table has this route for it now.
    pub(crate) fn set_route(&self, route: Route) {
        self.state.lock().route = Some(route);
    }

    /// Attaches it if its route is right; after a commit.
    pub(crate) fn promote(&self) -> Settled {
        let mut state = self.state.lock();
        self.settle(&mut state)
    }

    /// Watches it again for a time, to see whether it is busy. Its route stays. False
    /// if it is being looked at already.
    pub(crate) fn demote(&self) -> Demoted {
        let mut state = self.state.lock();
        if state.trial || state.route.is_none() {
            return Demoted::Already;
        }
        let was_attached = state.attached;
        if !self.detach(&mut state) {
            return Demoted::Already;
        }
        state.trial = true;
        if was_attached {
            Demoted::FromIrqfd
        } else {
            Demoted::WasWatched
        }
    }

    /// Reads and raises; whether there was something.
    fn raise(&self, state: &mut State) -> bool {
        if self.end.take() == 0 {
            return false;
        }
        // Under the lock, so that whoever drained it knows it raised.
        self.target.raise(self.index);
        state.fires = state.fires.saturating_add(1);
        true
    }

    /// Watched, if it was an irqfd; false if KVM keeps it.
    fn detach(&self, state: &mut State) -> bool {
        if !state.attached {
            return true;
        }
        let Some(route) = state.route else {
            return true;
        };
        if let Err(errno) = self.end.detach(route.gsi) {
            tracing::error!(vector = self.index, gsi = route.gsi, %errno, "KVM keeps an irqfd");
            return false;
        }
        state.attached = false;
        self.end.watch();
        true
    }

    /// Attaches it if its route is right; says whether a commit must look at it.
    fn settle(&self, state: &mut MutexGuard<'_, State>) -> Settled {
        let mut settled = Settled::default();
        if state.attached || state.closed || state.held > 0 {
            return settled;
        }
        let Some(message) = self.target.message(self.index) else {
            return settled;
        };
        let stands = state
            .route
            .filter(|route| (route.from, route.message) == message);
        match stands {
            Some(route) if !state.refused && !state.trial => {
                // Not before: until here its writes are seen.
                self.end.unwatch();
                match self.end.attach(route.gsi) {
                    Ok(()) => {
                        state.attached = true;
                        settled.attached = true;
                    }
                    Err(errno) => {
                        self.end.watch();
                        state.refused = true;
                        tracing::warn!(vector = self.index, gsi = route.gsi, %errno, "no irqfd");
                    }
                }
            }
            Some(_) if state.trial => {}
            stands => {
                let deserves = state.fires >= BUSY
                    || stands.is_none() && (state.wants || state.route.is_some());
                settled.queue = deserves && queue(state);
            }
        }
        settled
    }
}

/// What came of demoting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demoted {
    /// It is no irqfd any more.
    FromIrqfd,
    /// It was none, but has a route that others could use.
    WasWatched,
    /// It was demoted before, or has nothing to lose.
    Already,
}

/// Whether it was not waiting for a commit; it is now.
fn queue(state: &mut State) -> bool {
    !state.closed && !std::mem::replace(&mut state.queued, true)
}
