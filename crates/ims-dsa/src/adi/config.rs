// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a parent and a virtual device are asked to be, and what they can be.

use ims::message::RequesterId;
use ims_vfio::irqs::MSIX_LIMIT;

use super::error::{ComposeError, ParentError};
use crate::arbiter::PRIORITIES;
use crate::layout::OperationSet;
use crate::layout::registers::{IMS_UNIT, IMS_UNITS_LIMIT};

/// Vectors of a CPU that devices can have: 0x20 to 0xff without those a Linux
/// host keeps for itself.
const VECTORS_PER_CPU: u32 = 203;
/// Fewer CPUs than this would let one guest's trigger hold everybody's.
const FEWEST_CPUS: u32 = 2;
/// More threads than this serve no purpose: entries have 16 bits.
const MOST_CPUS: u32 = 1024;
/// ENGCAP can name more; a guest sees them as read-only configuration.
const MOST_ENGINES: u8 = 64;
/// Descriptors that one interface may have waiting.
const MOST_QUEUED: u16 = 1024;

/// The physical device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParentConfig {
    /// Engines, each a thread: 1 to 64.
    pub engines: u8,
    /// Entries of its Interrupt Message Store: a multiple of 256, at most 16,128.
    pub ims_entries: u32,
    /// CPUs that take its interrupts, each a thread: 2 to 1024. `None` is as many
    /// as the entries need, 203 vectors each.
    pub cpus: Option<u32>,
    /// As whom it sends its interrupts: bus, device, function.
    pub requester: RequesterId,
}

impl Default for ParentConfig {
    /// Four engines, 2048 entries, as many CPUs as they need, at 6a:01.0.
    fn default() -> Self {
        Self {
            engines: 4,
            ims_entries: 2048,
            cpus: None,
            requester: RequesterId(0x6a08),
        }
    }
}

impl ParentConfig {
    /// Checks everything.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), ParentError> {
        if !(1..=MOST_ENGINES).contains(&self.engines) {
            return Err(ParentError::Engines {
                asked: self.engines,
                most: MOST_ENGINES,
            });
        }
        let units = self.ims_entries / IMS_UNIT;
        let whole = self.ims_entries.is_multiple_of(IMS_UNIT);
        if !whole || !(1..=IMS_UNITS_LIMIT).contains(&units) {
            return Err(ParentError::Ims(self.ims_entries));
        }
        let cpus = self.cpus();
        if !(FEWEST_CPUS..=MOST_CPUS).contains(&cpus) {
            return Err(ParentError::Cpus {
                asked: cpus,
                fewest: FEWEST_CPUS,
                most: MOST_CPUS,
            });
        }
        Ok(())
    }

    /// How many CPUs there will be.
    pub fn cpus(&self) -> u32 {
        let needed = self.ims_entries.div_ceil(VECTORS_PER_CPU);
        self.cpus.unwrap_or(needed.max(FEWEST_CPUS))
    }
}

/// A virtual device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdiConfig {
    /// MSI-X vectors, 1 to 2048: the emulated one, and those that are interrupts
    /// of the host.
    pub vectors: u16,
    /// Descriptors its queue holds, 1 to 1024. They take memory from Enable Device
    /// on.
    pub queue_size: u16,
    /// Its share of the engines beside others: 1 to 15.
    pub priority: u8,
    /// log2 of the largest transfer in bytes, 1 to 31.
    pub max_transfer_shift: u8,
    /// log2 of the largest batch in descriptors, 1 to 15.
    pub max_batch_shift: u8,
    /// What its descriptors may ask for.
    pub operations: OperationSet,
    /// What VERSION says: 0x100 or 0x200.
    pub version: u16,
}

impl Default for AdiConfig {
    /// Two vectors, 128 descriptors, the least priority, no limits of its own.
    fn default() -> Self {
        Self {
            vectors: 2,
            queue_size: 128,
            priority: 1,
            max_transfer_shift: 31,
            max_batch_shift: 10,
            operations: OperationSet::ALL,
            version: 0x200,
        }
    }
}

impl AdiConfig {
    /// Checks everything.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), ComposeError> {
        let range = |what, asked: u32, from: u32, to: u32| {
            if (from..=to).contains(&asked) {
                Ok(())
            } else {
                Err(ComposeError::Range {
                    what,
                    asked,
                    from,
                    to,
                })
            }
        };
        range("MSI-X vectors", self.vectors.into(), 1, MSIX_LIMIT)?;
        range("queue size", self.queue_size.into(), 1, MOST_QUEUED.into())?;
        let (least, most) = (*PRIORITIES.start(), *PRIORITIES.end());
        range("priority", self.priority.into(), least.into(), most.into())?;
        let shift = self.max_transfer_shift.into();
        range("log2 of the largest transfer", shift, 1, 31)?;
        let shift = self.max_batch_shift.into();
        range("log2 of the largest batch", shift, 1, 15)?;
        if !matches!(self.version, 0x100 | 0x200) {
            return Err(ComposeError::Version(self.version));
        }
        Ok(())
    }
}
