// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a virtual device's registers and portals govern: a queue on its parent's
//! engines, entries of its parent's store, its client's memory.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ims::store::{Cookie, Pasid};
use ims_vfio::dma::Dma;
use ims_vfio::irqs::{Backed, Backing, BackingError, Irqs, Lines, Signal};
use ims_vfio::pci::Config;
use ims_vfio::{Function, Hold};
use rustix::io::Errno;

use super::config::AdiConfig;
use super::error::ComposeError;
use super::handles::Handles;
use super::msix::{MISCELLANEOUS, Msix};
use super::parent::Inner;
use crate::client::InterruptTable;
use crate::client_memory::ClientMemory;
use crate::config::DeviceConfig;
use crate::errors::ErrorLog;
use crate::front::Machine;
use crate::layout::command::CommandError;
use crate::memory::AddressSpace;
use crate::queue_config::{Mode, QueueConfig};
use crate::work_queue::WorkQueue;

/// The machine of one virtual device.
pub(super) struct AdiMachine {
    parent: Arc<Inner>,
    pasid: Pasid,
    config: AdiConfig,
    pub(super) function: Function,
    pub(super) msix: Msix,
    pub(super) handles: Handles,
    /// From Enable Device until the device is disabled or reset.
    queue: Mutex<Option<WorkQueue>>,
    /// Descriptors that ended in queues there were before.
    completed: AtomicU64,
    closed: Arc<AtomicBool>,
}

/// The parent's interrupts, until the device is destroyed.
struct Closing<B> {
    backing: B,
    closed: Arc<AtomicBool>,
}

impl<B: Backing> Backing for Closing<B> {
    fn alloc(
        &self,
        cookie: Option<Cookie>,
        signal: Signal,
    ) -> Result<Box<dyn Backed>, BackingError> {
        // Called under the lock of the vectors, which are all cleared under it after
        // this is set: none is left over. The flag itself orders nothing.
        if self.closed.load(Ordering::Relaxed) {
            return Err(BackingError::new(Errno::NODEV, "the device was destroyed"));
        }
        self.backing.alloc(cookie, signal)
    }
}

impl AdiMachine {
    /// A machine at rest, with `space` as its function's config space.
    pub(super) fn new(
        parent: Arc<Inner>,
        pasid: Pasid,
        config: AdiConfig,
        space: Config,
    ) -> Result<Self, ComposeError> {
        let closed = Arc::new(AtomicBool::new(false));
        let backing = Closing {
            backing: parent.backing(pasid),
            closed: Arc::clone(&closed),
        };
        let irqs = Irqs::new(Lines::msix(config.vectors), Some(Arc::new(backing)))?;
        irqs.emulated(MISCELLANEOUS..MISCELLANEOUS + 1)?;
        Ok(Self {
            parent,
            pasid,
            msix: Msix::new(config.vectors),
            config,
            function: Function {
                config: space,
                irqs,
                dma: Dma::default(),
            },
            handles: Handles::default(),
            queue: Mutex::default(),
            completed: AtomicU64::new(0),
            closed,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<WorkQueue>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes no interrupt and makes no queue from now on; gives all it has back.
    /// False if it was closed before.
    pub(super) fn close(&self) -> bool {
        if self.closed.swap(true, Ordering::Relaxed) {
            return false;
        }
        self.function.irqs.reset();
        self.handles.forget();
        true
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Descriptors that engines have ended.
    pub(super) fn completed(&self) -> u64 {
        // Under the lock, or a queue that goes now would count twice, or not.
        let place = self.lock();
        let before = self.completed.load(Ordering::Relaxed);
        before + place.as_ref().map_or(0, WorkQueue::ended)
    }

    /// Puts `next` in the place of the queue there is, which is given back.
    fn put(&self, next: Option<WorkQueue>) -> Option<WorkQueue> {
        let mut place = self.lock();
        if let Some(queue) = &*place {
            self.completed.fetch_add(queue.ended(), Ordering::Relaxed);
        }
        std::mem::replace(&mut *place, next)
    }

    /// Makes a driver look at what has ended: signals `vector` when all that was
    /// submitted before has.
    fn show(&self, vector: u32) {
        let irqs = self.function.irqs.clone();
        let hold = Hold::new(move || {
            if let Err(error) = irqs.signal(vector) {
                tracing::debug!(vector, %error, "nobody to be told what has ended");
            }
        });
        if let Some(queue) = self.work_queue() {
            queue.drain(hold);
        }
    }

    /// The queue, if there is one.
    pub(super) fn work_queue(&self) -> Option<WorkQueue> {
        self.lock().clone()
    }
}

impl Machine for AdiMachine {
    fn bus_mastering(&self) -> bool {
        self.function.config.bus_master()
    }

    fn raise_misc(&self) {
        self.msix.raise(&self.function.irqs);
    }

    fn memory(&self) -> Option<Arc<dyn AddressSpace>> {
        let session = self.function.dma.session().ok()?;
        Some(Arc::new(ClientMemory::from(session.pinned())))
    }

    fn start(&self, config: &DeviceConfig, log: Arc<dyn ErrorLog>) -> Result<(), CommandError> {
        // Registers say what was composed; the owner and the rules are not theirs to
        // say, whatever they hold.
        let asked = config.queues.first().ok_or(CommandError::Hardware)?;
        let mut limits = asked.limits;
        limits.block_on_fault = false;
        limits.operations = self.config.operations;
        let queue = QueueConfig {
            group: 0,
            mode: Mode::Dedicated {
                owner: Some(self.pasid),
            },
            size: self.config.queue_size,
            threshold: self.config.queue_size,
            priority: self.config.priority,
            limits,
        };
        let queue = self.parent.engines.add_queue(queue, log).map_err(|error| {
            tracing::error!(pasid = self.pasid.get(), %error, "no queue for an interface");
            CommandError::Hardware
        })?;
        if let Some(before) = self.put(Some(queue)) {
            before.remove(Hold::nobody());
        }
        if self.is_closed() {
            // Destroyed meanwhile: that found no queue to take away. If it had looked
            // before the queue was there, the queue's lock has it seen here.
            self.stop(Hold::nobody());
            return Err(CommandError::Hardware);
        }
        Ok(())
    }

    fn stop(&self, hold: Hold) {
        if let Some(queue) = self.put(None) {
            queue.remove(hold);
        }
    }

    fn queue(&self, queue: u32) -> Option<WorkQueue> {
        (queue == 0).then(|| self.work_queue()).flatten()
    }

    fn submitter(&self, _: Option<Pasid>) -> Option<Pasid> {
        Some(self.pasid)
    }

    fn table(&self, _: InterruptTable) -> InterruptTable {
        InterruptTable::Ims
    }

    fn request_handle(&self, table: InterruptTable, index: u16) -> Result<u16, CommandError> {
        let granted = self.handles.request(&self.function.irqs, table, index)?;
        if granted.unnoticed {
            self.show(index.into());
        }
        Ok(granted.number)
    }

    fn release_handle(&self, table: InterruptTable, handle: u16) -> Result<(), CommandError> {
        self.handles.release(&self.function.irqs, table, handle)
    }

    fn read_word(&self, offset: u64) -> u32 {
        self.msix.read(offset, &self.function.irqs)
    }

    fn write_word(&self, offset: u64, value: u32) {
        self.msix.write(offset, value, &self.function.irqs);
    }

    fn reset(&self) {
        // The MSI-X table is the function's: a software reset leaves it.
        self.handles.reset(&self.function.irqs);
    }
}
