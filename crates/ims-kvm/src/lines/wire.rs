// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The ends of a real eventfd: the forwarder's epoll set, and KVM.

use std::io;
use std::sync::Arc;

use rustix::io::Errno;
use vmm_sys_util::eventfd::EventFd;

use super::line::{End, Line};
use crate::eventfd;
use crate::forwarder::{Telling, Watch};
use crate::interrupts::Counts;
use crate::sync::Ordering;
use crate::vm::Vm;

/// A line of a VM.
pub(crate) type VmLine<V> = Line<Wire<V>>;

/// An eventfd, and who may read it.
pub(crate) struct Wire<V> {
    eventfd: Arc<EventFd>,
    /// Its number in the epoll set.
    pub(crate) slot: u64,
    /// Each write of an eventfd that was made here is told once, so it stays in the
    /// set as it is while KVM reads it: KVM leaves nothing of a write to be told, and
    /// no count behind when it lets go. One made elsewhere may be a semaphore, of
    /// which a reading leaves something: it is told of as long as there is something,
    /// and so only while it is read here.
    telling: Telling,
    watch: Arc<Watch>,
    vm: Arc<V>,
    counts: Arc<Counts>,
}

impl<V> Wire<V> {
    /// Puts `eventfd` into the set, watched.
    pub(crate) fn new(
        eventfd: Arc<EventFd>,
        slot: u64,
        telling: Telling,
        watch: &Arc<Watch>,
        vm: &Arc<V>,
        counts: &Arc<Counts>,
    ) -> io::Result<Self> {
        watch.add(&eventfd, slot, telling)?;
        counts.eventfds.fetch_add(1, Ordering::Relaxed);
        Ok(Self {
            eventfd,
            slot,
            telling,
            watch: Arc::clone(watch),
            vm: Arc::clone(vm),
            counts: Arc::clone(counts),
        })
    }

    /// Takes it out of the set. Others may have the file open: it does not leave by
    /// being closed.
    pub(crate) fn leave(&self) {
        self.watch.remove(&self.eventfd);
        self.counts.eventfds.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn eventfd(&self) -> &Arc<EventFd> {
        &self.eventfd
    }

    fn tell(&self, yes: bool) {
        if self.telling == Telling::Written {
            self.watch.tell(&self.eventfd, self.slot, yes);
        }
    }
}

impl<V: Vm> End for Wire<V> {
    fn watch(&self) {
        self.tell(true);
    }

    fn unwatch(&self) {
        self.tell(false);
    }

    fn take(&self) -> u64 {
        eventfd::take(&self.eventfd)
    }

    fn attach(&self, gsi: u32) -> Result<(), Errno> {
        let attached = self.vm.attach(&self.eventfd, gsi);
        let counter = match attached {
            Ok(()) => {
                self.counts.promotions.fetch_add(1, Ordering::Relaxed);
                &self.counts.promoted
            }
            Err(_) => &self.counts.failed_promotions,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        attached
    }

    fn detach(&self, gsi: u32) -> Result<(), Errno> {
        self.vm.detach(&self.eventfd, gsi)?;
        self.counts.promoted.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }
}
