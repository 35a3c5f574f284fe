// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The eventfds of a device's vectors.

mod line;
#[cfg(all(test, not(loom)))]
mod tests;
mod wire;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use ims::message::{Message, RequesterId};
use kvm_ioctls::VmFd;
use vmm_sys_util::eventfd::{EFD_CLOEXEC, EFD_NONBLOCK, EventFd};

use crate::error::LineError;
use crate::forwarder::Telling;
use crate::interrupts::Owner;
use crate::sync::Mutex;
use crate::vm::Vm;

#[cfg(all(test, loom))]
pub(crate) use line::End;
pub(crate) use line::{Demoted, Line, Route, Wish};
pub(crate) use wire::{VmLine, Wire};

/// Where what an eventfd announces is raised.
///
/// Called by the forwarder, and by whoever calls [`Lines`], under a lock of the
/// vector's: from any thread, one call at a time for one vector. It must not call
/// [`Lines`] in turn, and should not panic: the forwarder survives it, that one
/// interrupt does not.
pub trait Target: Send + Sync {
    /// Raises vector `index`: once, whatever was announced.
    fn raise(&self, index: u32);

    /// The message that a raise would send now, if it sends at all and KVM itself
    /// may send it. `None` keeps the eventfd forwarded.
    ///
    /// It changes only while the vector is held ([`Lines::hold`]), but for one change:
    /// from `None` to a message that stays, which needs no hold.
    fn message(&self, index: u32) -> Option<(RequesterId, Message)>;
}

/// The eventfds of one device's vectors.
///
/// A vector has none until somebody asks for it or gives one; it costs nothing until
/// then. An eventfd works at once: what is written to it is raised by the forwarder,
/// until its vector has a route and KVM reads it itself. Several writes before one
/// reading are one interrupt, as always with eventfds.
///
/// Dropping it gives all of them up; what was written and not seen is not raised.
///
/// # Concurrency
/// Called from any thread, also at the same time.
pub struct Lines<V: Vm = VmFd> {
    owner: Arc<Owner<V>>,
    target: Arc<dyn Target>,
    count: u32,
    wired: Mutex<Wired<V>>,
}

/// The vectors that have eventfds.
struct Wired<V: Vm> {
    lines: BTreeMap<u32, Arc<VmLine<V>>>,
    /// What is held now, each as often as it is: a line made meanwhile is held too.
    holds: Vec<Range<u32>>,
    /// The device wants routes, also for eventfds to come.
    wants: bool,
}

/// Vectors whose eventfds are no irqfds as long as this lives.
#[must_use = "dropped at once, it holds nothing"]
pub struct Held<'a> {
    lines: &'a dyn Release,
    vectors: Range<u32>,
}

/// Lines that can be let go, of whatever VM.
trait Release: Send + Sync {
    fn release(&self, vectors: Range<u32>);
}

impl<V: Vm> Lines<V> {
    pub(crate) fn new(owner: Arc<Owner<V>>, target: Arc<dyn Target>, count: u32) -> Self {
        let wired = Wired {
            lines: BTreeMap::new(),
            holds: Vec::new(),
            wants: false,
        };
        Self {
            owner,
            target,
            count,
            wired: Mutex::new(wired),
        }
    }

    /// The eventfd of a vector, made when first asked for: non-blocking, closed in
    /// programs that are executed.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn eventfd(&self, index: u32) -> Result<Arc<EventFd>, LineError> {
        self.check(index)?;
        let mut wired = self.wired.lock();
        if let Some(line) = wired.lines.get(&index) {
            return Ok(Arc::clone(line.end.eventfd()));
        }
        let eventfd = EventFd::new(EFD_NONBLOCK | EFD_CLOEXEC)
            .map_err(|source| LineError::Eventfd { index, source })?;
        let eventfd = Arc::new(eventfd);
        self.wire(&mut wired, index, Arc::clone(&eventfd), Telling::Writes)?;
        Ok(eventfd)
    }

    /// Takes an eventfd made elsewhere instead: blocking or not. The one before is
    /// given up as by [`Lines::close`]. Nobody else may read it, and it may be the
    /// eventfd of one vector only.
    ///
    /// # Errors
    /// [`LineError`]; the one before stays.
    pub fn accept(&self, index: u32, eventfd: EventFd) -> Result<(), LineError> {
        self.check(index)?;
        let mut wired = self.wired.lock();
        self.wire(&mut wired, index, Arc::new(eventfd), Telling::Written)
    }

    /// Gives a vector's eventfd up; what was written is raised first.
    pub fn close(&self, index: u32) {
        let mut wired = self.wired.lock();
        if let Some(line) = wired.lines.remove(&index) {
            self.owner.shared.close(line, true);
        }
    }

    /// Whether a vector has an eventfd.
    pub fn has_eventfd(&self, index: u32) -> bool {
        self.wired.lock().lines.contains_key(&index)
    }

    /// Keeps these vectors' eventfds from being irqfds while the guest's write to
    /// them takes effect: before it, not after. What was written to them before has
    /// been injected when this returns; what is written from now on is raised by the
    /// forwarder.
    ///
    /// When it is dropped, an eventfd whose route has the vector's message is an irqfd
    /// again at once: no route changes in the guest's exit. One with another message is
    /// forwarded, and has its route with a later commit.
    pub fn hold(&self, vectors: Range<u32>) -> Held<'_> {
        let mut wired = self.wired.lock();
        for line in wired.within(&vectors) {
            line.hold();
        }
        wired.holds.push(vectors.clone());
        Held {
            lines: self,
            vectors,
        }
    }

    /// Raises what has been written to these vectors' eventfds and not been seen: what
    /// was written before the call has been raised when it returns.
    pub fn drain(&self, vectors: Range<u32>) {
        for line in self.wired.lock().within(&vectors) {
            self.owner.shared.drain(line);
        }
    }

    /// All eventfds of the device want routes, in one commit soon (or in the batch
    /// that is open). Those whose vectors are masked now have theirs in a commit
    /// after the guest unmasks them.
    pub fn want_routes(&self) {
        let mut wired = self.wired.lock();
        wired.wants = true;
        self.owner.shared.want_soon(wired.lines.values());
    }

    /// Makes `eventfd` the eventfd of vector `index`.
    fn wire(
        &self,
        wired: &mut Wired<V>,
        index: u32,
        eventfd: Arc<EventFd>,
        telling: Telling,
    ) -> Result<(), LineError> {
        self.owner.forward().map_err(LineError::Thread)?;
        let held = wired.holds.iter().filter(|hold| hold.contains(&index));
        let held = u32::try_from(held.count()).unwrap_or(u32::MAX);
        let target = Arc::clone(&self.target);
        let shared = &self.owner.shared;
        let line = shared
            .wire(target, index, eventfd, telling, held)
            .map_err(|source| LineError::Eventfd { index, source })?;
        if wired.wants {
            shared.want(&line);
        }
        if let Some(before) = wired.lines.insert(index, line) {
            shared.close(before, true);
        }
        Ok(())
    }

    fn check(&self, index: u32) -> Result<(), LineError> {
        let count = self.count;
        if index < count {
            Ok(())
        } else {
            Err(LineError::NoSuchVector { index, count })
        }
    }
}

impl<V: Vm> Wired<V> {
    /// The lines of these vectors.
    fn within(&self, vectors: &Range<u32>) -> impl Iterator<Item = &Arc<VmLine<V>>> {
        // A range that ends before it begins has no vectors, and a map panics at it.
        let end = vectors.end.max(vectors.start);
        let lines = self.lines.range(vectors.start..end);
        lines.map(|(_, line)| line)
    }
}

impl<V: Vm> Release for Lines<V> {
    fn release(&self, vectors: Range<u32>) {
        let mut wired = self.wired.lock();
        if let Some(at) = wired.holds.iter().position(|hold| *hold == vectors) {
            wired.holds.swap_remove(at);
        }
        for line in wired.within(&vectors) {
            self.owner.shared.release(line);
        }
    }
}

impl<V: Vm> Drop for Lines<V> {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.wired.lock().lines);
        for line in lines.into_values() {
            self.owner.shared.close(line, false);
        }
    }
}

impl<V: Vm> std::fmt::Debug for Lines<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines")
            .field("vectors", &self.count)
            .field("eventfds", &self.wired.lock().lines.len())
            .finish_non_exhaustive()
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.lines.release(self.vectors.clone());
    }
}

impl std::fmt::Debug for Held<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Held").field(&self.vectors).finish()
    }
}
