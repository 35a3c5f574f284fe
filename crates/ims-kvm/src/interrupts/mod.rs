// SPDX-License-Identifier: Apache-2.0 OR MIT
//! All interrupts of one VM.

mod batch;
mod options;
mod report;

use std::io;
use std::sync::Arc;

use kvm_bindings::kvm_irq_routing_entry;
use kvm_ioctls::VmFd;

use crate::error::{CommitError, NewError};
use crate::forwarder::{Forwarder, Thread};
use crate::lines::{Lines, Target};
use crate::routes::Pinned;
use crate::shared::Shared;
use crate::signal::Signal;
use crate::sync::Mutex;
use crate::vm::Vm;

pub use batch::{Batch, Committed};
pub use options::{Options, Pins};
pub(crate) use report::Counts;
pub use report::Report;

/// All interrupts of one VM. A clone is the same.
///
/// The route table is its own: whoever else calls `KVM_SET_GSI_ROUTING` on the VM takes
/// routes away from under irqfds, which then lose what is written to them. Others'
/// routes go by [`Pins`] and [`Interrupts::set_pins`].
///
/// # Concurrency
/// Called from any thread, also at the same time. One thread, started with the first
/// eventfd, forwards and commits; it ends with the last clone and the last [`Lines`].
pub struct Interrupts<V: Vm = VmFd> {
    pub(crate) owner: Arc<Owner<V>>,
}

/// What ends with the last handle.
pub(crate) struct Owner<V: Vm> {
    pub(crate) shared: Arc<Shared<V>>,
    forwarding: Mutex<Forwarding>,
}

/// Who takes the forwarder's turns.
enum Forwarding {
    /// A thread, when there is something to forward.
    NotYet,
    /// A thread; dropped, it has ended.
    Thread { _thread: Thread },
    /// The VMM.
    Vmm,
}

impl<V: Vm> Owner<V> {
    /// Sees to it that somebody forwards.
    pub(crate) fn forward(&self) -> io::Result<()> {
        let mut forwarding = self.forwarding.lock();
        if matches!(*forwarding, Forwarding::NotYet) {
            let _thread = Thread::start(Arc::clone(&self.shared))?;
            *forwarding = Forwarding::Thread { _thread };
        }
        Ok(())
    }
}

impl<V: Vm> Drop for Owner<V> {
    fn drop(&mut self) {
        // Then `forwarding` is dropped, which waits for the thread's end.
        self.shared.stop();
    }
}

impl<V: Vm> Clone for Interrupts<V> {
    fn clone(&self) -> Self {
        Self {
            owner: Arc::clone(&self.owner),
        }
    }
}

impl<V: Vm> std::fmt::Debug for Interrupts<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Interrupts")
            .field("report", &self.report())
            .finish_non_exhaustive()
    }
}

impl<V: Vm> Interrupts<V> {
    /// All interrupts of `vm`, which has its interrupt controller already. Nothing is
    /// committed and no thread started yet; three descriptors are opened.
    ///
    /// # Errors
    /// [`NewError`].
    pub fn new(vm: Arc<V>, options: Options) -> Result<Self, NewError> {
        Self::with(vm, options, Forwarding::NotYet)
    }

    /// As [`Interrupts::new`], without a thread: the VMM takes the forwarder's turns.
    ///
    /// # Errors
    /// [`NewError`].
    pub fn without_thread(vm: Arc<V>, options: Options) -> Result<(Self, Forwarder<V>), NewError> {
        let interrupts = Self::with(vm, options, Forwarding::Vmm)?;
        let forwarder = Forwarder::new(Arc::clone(&interrupts.owner.shared));
        Ok((interrupts, forwarder))
    }

    fn with(vm: Arc<V>, options: Options, forwarding: Forwarding) -> Result<Self, NewError> {
        let pins = Pinned::new(options.pins);
        let shared = Shared::new(vm, options.addressing, pins, options.gsis)?;
        let owner = Owner {
            shared: Arc::new(shared),
            forwarding: Mutex::new(forwarding),
        };
        Ok(Self {
            owner: Arc::new(owner),
        })
    }

    /// Delivery by message.
    pub fn signal(&self) -> Signal<V> {
        self.owner.shared.signal.clone()
    }

    /// Eventfds for `count` vectors of `target`; none is made yet.
    pub fn lines(&self, target: Arc<dyn Target>, count: u32) -> Lines<V> {
        Lines::new(Arc::clone(&self.owner), target, count)
    }

    /// Begins a batch.
    pub fn batch(&self) -> Batch<'_, V> {
        Batch::new(&self.owner.shared)
    }

    /// Replaces others' routes, in one commit, at once.
    ///
    /// Their GSIs may be any. One that an eventfd has is taken from it: it is forwarded
    /// until it has another. With [`Pins::InKernel`] and [`Pins::Split`] the GSIs
    /// reserved there stay reserved.
    ///
    /// # Errors
    /// [`CommitError`]; nothing changed.
    pub fn set_pins(&self, routes: &[kvm_irq_routing_entry]) -> Result<(), CommitError> {
        self.owner.shared.set_pins(routes)
    }

    /// Lets time pass for the pace of commits.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn pass(&self, time: std::time::Duration) {
        self.owner.shared.pass(time);
    }

    /// How things stand.
    pub fn report(&self) -> Report {
        let shared = &self.owner.shared;
        shared.counts.report(shared.signal.signalled())
    }
}
