// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What all who handle a VM's interrupts share.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use ims::message::Addressing;
use slotmap::{DefaultKey, Key, KeyData, SlotMap};
use vmm_sys_util::eventfd::EventFd;

use crate::error::{CommitError, NewError};
use crate::forwarder::{Telling, Watch};
use crate::interrupts::{Committed, Counts};
use crate::kvm_message::Composer;
use crate::lines::{Line, Target, VmLine, Wire};
use crate::routes::{Inbox, Pinned, Table};
use crate::signal::Signal;
use crate::sync::{AtomicU64, Mutex, Ordering};
use crate::vm::Vm;

/// Lines promoted in a turn of the forwarder's: each is a system call or two, and what
/// is written to others meanwhile waits.
const PROMOTED: usize = 64;

/// A VM's lines, its route table, and what waits for a commit.
///
/// Lock order: `table` or `standing`, then a line's own, then the inbox's. `slots` is
/// held alone.
pub(crate) struct Shared<V: Vm> {
    vm: Arc<V>,
    pub(crate) signal: Signal<V>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) watch: Arc<Watch>,
    table: Mutex<Table<V>>,
    inbox: Inbox<VmLine<V>>,
    /// Lines whose route the forwarder has committed, to be promoted.
    standing: Mutex<Vec<Arc<VmLine<V>>>>,
    /// Lines by their number in the epoll set. A number is not used again, so that
    /// what is told of a line that has gone reaches no other.
    slots: Mutex<SlotMap<DefaultKey, Arc<VmLine<V>>>>,
    /// Batches that are open.
    batches: AtomicU64,
    /// Not 0 when the thread is to end.
    ended: AtomicU64,
    /// What a test has let pass, in nanoseconds.
    #[cfg(test)]
    passed: AtomicU64,
}

impl<V: Vm> Shared<V> {
    pub(crate) fn new(
        vm: Arc<V>,
        addressing: Addressing,
        pins: Pinned,
        gsis: Option<u32>,
    ) -> Result<Self, NewError> {
        let composer = Composer {
            addressing,
            device_ids: vm.takes_device_ids(),
        };
        let counts = Arc::<Counts>::default();
        let table = Table::new(Arc::clone(&vm), composer, Arc::clone(&counts), pins, gsis)?;
        Ok(Self {
            signal: Signal::new(Arc::clone(&vm), composer),
            watch: Arc::new(Watch::new().map_err(NewError::Watch)?),
            table: Mutex::new(table),
            inbox: Inbox::new(),
            standing: Mutex::new(Vec::new()),
            slots: Mutex::new(SlotMap::new()),
            batches: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            #[cfg(test)]
            passed: AtomicU64::new(0),
            counts,
            vm,
        })
    }

    /// A line of `eventfd`, watched from now on.
    pub(crate) fn wire(
        &self,
        target: Arc<dyn Target>,
        index: u32,
        eventfd: Arc<EventFd>,
        telling: Telling,
        held: u32,
    ) -> io::Result<Arc<VmLine<V>>> {
        let mut slots = self.slots.lock();
        let slot = slots.try_insert_with_key(|key| {
            let slot = key.data().as_ffi();
            let wire = Wire::new(eventfd, slot, telling, &self.watch, &self.vm, &self.counts)?;
            Ok::<_, io::Error>(Arc::new(Line::new(target, index, wire, held)))
        })?;
        slots
            .get(slot)
            .cloned()
            .ok_or(io::ErrorKind::NotFound.into())
    }

    /// Ends a line; with `raise`, what was written is raised first.
    pub(crate) fn close(&self, line: Arc<VmLine<V>>, raise: bool) {
        self.count_forwarded(line.close(raise));
        let key = DefaultKey::from(KeyData::from_ffi(line.end.slot));
        let _ = self.slots.lock().remove(key);
        line.end.leave();
        if self.inbox.closed(line) {
            self.watch.wake();
        }
    }

    /// The lines with these numbers.
    pub(crate) fn find(&self, numbers: &[u64], lines: &mut Vec<Arc<VmLine<V>>>) {
        lines.clear();
        if numbers.is_empty() {
            return;
        }
        let slots = self.slots.lock();
        let keys = numbers.iter().map(|number| KeyData::from_ffi(*number));
        lines.extend(keys.filter_map(|key| slots.get(key.into()).cloned()));
    }

    /// Forwards what was written to a line; whether something was.
    pub(crate) fn fire(&self, line: &Arc<VmLine<V>>) -> bool {
        let fired = line.fire();
        self.count_forwarded(fired.raised);
        self.count_returned(fired.returned);
        if fired.queue {
            // The forwarder looks before it waits.
            self.inbox.want(Arc::clone(line));
        }
        fired.raised
    }

    /// Raises what was written to a line.
    pub(crate) fn drain(&self, line: &VmLine<V>) {
        self.count_forwarded(line.drain());
    }

    /// Ends one hold.
    pub(crate) fn release(&self, line: &Arc<VmLine<V>>) {
        let settled = line.release();
        self.count_returned(settled.attached);
        if settled.queue && self.inbox.want(Arc::clone(line)) {
            self.watch.wake();
        }
    }

    /// A line wants a route, with others that may come.
    pub(crate) fn want(&self, line: &Arc<VmLine<V>>) {
        if line.want() && self.inbox.want(Arc::clone(line)) {
            self.watch.wake();
        }
    }

    /// These lines want routes, in one commit soon.
    pub(crate) fn want_soon<'a>(&self, lines: impl Iterator<Item = &'a Arc<VmLine<V>>>) {
        let lines = lines.filter(|line| line.want()).cloned();
        self.inbox.want_soon(lines);
        self.watch.wake();
    }

    /// After a commit: makes an irqfd of a line whose route stands. Whether it is one
    /// by that.
    pub(crate) fn promote(&self, line: Arc<VmLine<V>>) -> bool {
        let settled = line.promote();
        if settled.queue && self.inbox.want(line) {
            self.watch.wake();
        }
        settled.attached
    }

    /// Promotes some of the lines that the forwarder's commits have given routes.
    pub(crate) fn promote_some(&self) {
        let mut standing = self.standing.lock();
        let some = standing.len().saturating_sub(PROMOTED)..;
        for line in standing.drain(some) {
            self.promote(line);
        }
        if !standing.is_empty() {
            self.watch.wake();
        }
    }

    /// The forwarder's part in commits: one, if it is time.
    pub(crate) fn tend(&self) {
        // Whoever has the table wakes us when it is done, and so does a batch; that one
        // is looked for under the lock, so that none begins in between.
        let Some(mut table) = self.table.try_lock() else {
            return;
        };
        if self.batches.load(Ordering::Acquire) > 0 {
            return;
        }
        let now = self.now();
        let due = table
            .haste(self.inbox.look())
            .map(|haste| table.pace.due(now, haste));
        if due.is_none_or(|due| due > now) {
            let later = due.into_iter().chain(table.go_on(now)).min();
            if let Some(later) = later {
                self.watch.alarm(later.saturating_duration_since(now));
            }
            return;
        }
        let round = table.round(self.inbox.take(), now);
        let took = table.took();
        table.pace.done(self.now(), took, round.result.is_ok());
        drop(table);
        self.standing.lock().extend(round.standing);
        self.put_again(round.again);
        // What came meanwhile, or is to be tried again, sets the alarm.
        self.watch.wake();
    }

    /// A batch begins.
    pub(crate) fn begin(&self) {
        self.batches.fetch_add(1, Ordering::AcqRel);
        // A commit of the forwarder's that has begun is over when this returns.
        drop(self.table.lock());
    }

    /// A batch ends.
    pub(crate) fn end(&self) {
        self.batches.fetch_sub(1, Ordering::AcqRel);
        self.watch.wake();
    }

    /// Commits what waits, now, and promotes: also what an earlier commit has left to
    /// the forwarder.
    pub(crate) fn commit(&self) -> Result<Committed, CommitError> {
        let mut table = self.table.lock();
        let round = table.round(self.inbox.take(), self.now());
        let took = table.took();
        table.pace.done(self.now(), took, round.result.is_ok());
        drop(table);
        let mut standing = self.standing.lock();
        let mut promoted = 0;
        for line in standing.drain(..).chain(round.standing) {
            promoted += usize::from(self.promote(line));
        }
        drop(standing);
        self.put_again(round.again);
        self.watch.wake();
        round.result.map(|()| Committed {
            routes: round.routes,
            promoted,
            waiting: round.waiting,
        })
    }

    /// Replaces others' routes.
    pub(crate) fn set_pins(
        &self,
        routes: &[kvm_bindings::kvm_irq_routing_entry],
    ) -> Result<(), CommitError> {
        let mut table = self.table.lock();
        let repinned = table.set_pins(routes);
        // Not the forwarder's call: it does not count against its pace.
        table.took();
        drop(table);
        for line in repinned.standing {
            self.promote(line);
        }
        self.put_again(repinned.again);
        self.watch.wake();
        repinned.result
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.ended.store(1, Ordering::Release);
        self.watch.wake();
    }

    /// Whether the thread is to end.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire) != 0
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "a test has its own time")]
    fn now(&self) -> Instant {
        Instant::now()
    }

    #[cfg(test)]
    fn now(&self) -> Instant {
        Instant::now() + std::time::Duration::from_nanos(self.passed.load(Ordering::Relaxed))
    }

    /// Lets time pass for the pace of commits and for trials.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn pass(&self, time: std::time::Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.passed.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    fn put_again(&self, lines: Vec<Arc<VmLine<V>>>) {
        for line in lines {
            if line.requeue() {
                self.inbox.want(line);
            }
        }
    }

    fn count_forwarded(&self, raised: bool) {
        if raised {
            self.counts.forwarded.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn count_returned(&self, returned: bool) {
        if returned {
            self.counts.returned.fetch_add(1, Ordering::Relaxed);
        }
    }
}
