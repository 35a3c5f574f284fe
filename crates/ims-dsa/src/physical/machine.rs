// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the registers of a physical function govern: engines made at Enable Device,
//! its client's memory, its interrupts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ims_vfio::{Function, Hold};

use super::interrupts::{EngineInterrupts, Tables};
use crate::client::InterruptTable;
use crate::client_memory::ClientMemory;
use crate::config::DeviceConfig;
use crate::device::Device;
use crate::errors::ErrorLog;
use crate::front::{Machine, map};
use crate::layout::command::CommandError;
use crate::memory::AddressSpace;
use crate::statistics::Statistics;
use crate::work_queue::WorkQueue;
use crate::work_queues::WorkQueues;

/// A function of its own: engines, interrupts, memory.
pub(super) struct PhysicalMachine {
    function: Arc<Function>,
    pub(super) tables: Arc<Tables>,
    running: Mutex<Option<Running>>,
}

/// What there is between enable and disable.
struct Running {
    device: Device<EngineInterrupts>,
    queues: WorkQueues,
    /// How many numbers the queues have.
    count: u32,
    interrupts: Arc<EngineInterrupts>,
}

impl PhysicalMachine {
    pub(super) fn new(function: Arc<Function>, tables: Arc<Tables>) -> Self {
        Self {
            function,
            tables,
            running: Mutex::new(None),
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        // It is put there and taken away whole.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the engines did since the device was enabled.
    pub(super) fn statistics(&self) -> Option<Statistics> {
        let running = self.running();
        running.as_ref().map(|running| running.device.statistics())
    }
}

/// What lies at an offset of BAR 0, and which of its words.
enum Place {
    Permission(u64),
    Table(u64),
    Pending(u64),
    Store(u64),
}

fn place(offset: u64) -> Option<Place> {
    match offset {
        map::IMS.. => Some(Place::Store(offset - map::IMS)),
        map::MSIX_PENDING.. => Some(Place::Pending((offset - map::MSIX_PENDING) / 4)),
        map::MSIX_TABLE.. => Some(Place::Table((offset - map::MSIX_TABLE) / 4)),
        map::MSIX_PERMISSIONS.. => Some(Place::Permission((offset - map::MSIX_PERMISSIONS) / 4)),
        _ => None,
    }
}

impl Machine for PhysicalMachine {
    fn bus_mastering(&self) -> bool {
        self.function.config.bus_master()
    }

    fn raise_misc(&self) {
        self.tables.vectors.raise_misc();
    }

    fn memory(&self) -> Option<Arc<dyn AddressSpace>> {
        let session = self.function.dma.session().ok()?;
        Some(Arc::new(ClientMemory::from(session.pinned())))
    }

    fn start(&self, config: &DeviceConfig, log: Arc<dyn ErrorLog>) -> Result<(), CommandError> {
        let interrupts = Arc::new(EngineInterrupts::new(Arc::clone(&self.tables)));
        let mut device = Device::new(config, Arc::clone(&interrupts), log).map_err(|error| {
            tracing::warn!(%error, "registers describe no device");
            CommandError::Configuration
        })?;
        let count = u32::try_from(config.queues.len()).map_err(|_| CommandError::Configuration)?;
        device.start().map_err(|error| {
            tracing::error!(%error, "no thread for an engine");
            CommandError::Hardware
        })?;
        let running = Running {
            queues: device.queues(),
            device,
            count,
            interrupts,
        };
        let before = self.running().replace(running);
        retire(before, Hold::nobody());
        Ok(())
    }

    fn stop(&self, hold: Hold) {
        let running = self.running().take();
        retire(running, hold);
    }

    fn queue(&self, queue: u32) -> Option<WorkQueue> {
        self.running().as_ref()?.queues.get(queue)
    }

    fn request_handle(&self, table: InterruptTable, index: u16) -> Result<u16, CommandError> {
        self.tables.request(table, index)
    }

    fn release_handle(&self, table: InterruptTable, handle: u16) -> Result<(), CommandError> {
        self.tables.release(table, handle)
    }

    fn read_word(&self, offset: u64) -> u32 {
        let vectors = &self.tables.vectors;
        match place(offset) {
            Some(Place::Permission(word)) => vectors.read_permission(word),
            Some(Place::Table(word)) => vectors.read_table(word),
            Some(Place::Pending(word)) => vectors.read_pending(word),
            Some(Place::Store(offset)) => {
                let mut bytes = [0; 4];
                self.tables.ims.read(offset, &mut bytes);
                u32::from_le_bytes(bytes)
            }
            None => 0,
        }
    }

    fn write_word(&self, offset: u64, value: u32) {
        let vectors = &self.tables.vectors;
        match place(offset) {
            Some(Place::Permission(word)) => vectors.write_permission(word, value),
            Some(Place::Table(word)) => vectors.write_table(word, value),
            Some(Place::Store(offset)) => self.tables.ims.write(offset, &value.to_le_bytes()),
            // Pending bits are the device's.
            Some(Place::Pending(_)) | None => {}
        }
    }

    fn reset(&self) {
        self.tables.reset();
    }
}

/// Ends engines, and gives up what they execute and what waits for them.
fn retire(running: Option<Running>, hold: Hold) {
    let Some(running) = running else {
        return;
    };
    running.interrupts.end();
    abort(&running.queues, running.count, &hold);
    running.device.retire(hold);
}

/// Gives up all descriptors of queues 0 to `count` - 1. Not under a lock: a hold may
/// be dropped here.
fn abort(queues: &WorkQueues, count: u32, hold: &Hold) {
    for queue in (0..count).filter_map(|queue| queues.get(queue)) {
        queue.abort(hold.clone());
    }
}
