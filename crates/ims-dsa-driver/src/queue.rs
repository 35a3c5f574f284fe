// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Configuration of groups and queues, and submission.

use ims_dsa::layout::Descriptor;
use ims_dsa::layout::command::Command;
use ims_dsa::layout::portal::{PORTAL_IMS, PORTAL_LIMITED, PORTAL_SIZE, QUEUE_PORTALS_SIZE};
use ims_dsa::layout::registers::OFFSET_UNIT;
use ims_dsa::layout::tables::{
    GROUP_CONFIG_SIZE, GROUP_ENGINES, GROUP_QUEUES, QueueLimitsWord, QueueModeWord, queue,
};
use zerocopy::IntoBytes;

use crate::driver::{Driver, PORTALS};
use crate::error::DriverError;

/// A group: which queues and engines it has, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Group {
    /// Queues 0 to 63.
    pub queues: u64,
    /// Engines.
    pub engines: u64,
}

/// A dedicated queue as software configures it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// Entries.
    pub size: u16,
    /// 1 to 15.
    pub priority: u8,
    /// log2 of the largest transfer.
    pub max_transfer_shift: u8,
    /// log2 of the largest batch.
    pub max_batch_shift: u8,
    /// Whether descriptors may wait for memory.
    pub block_on_fault: bool,
    /// The submitter's PASID, where the device has them.
    pub pasid: Option<u32>,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            size: 16,
            priority: 10,
            max_transfer_shift: 21,
            max_batch_shift: 5,
            block_on_fault: false,
            pasid: None,
        }
    }
}

impl Driver {
    /// Writes a group's registers.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn configure_group(&mut self, number: u8, group: Group) -> Result<(), DriverError> {
        let table = u64::from(self.facts.offsets.group_config()) * OFFSET_UNIT;
        let at = table + u64::from(number) * GROUP_CONFIG_SIZE;
        self.write64(at + GROUP_QUEUES, group.queues)?;
        self.write64(at + GROUP_ENGINES, group.engines)
    }

    /// Writes a queue's registers.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn configure_queue(&mut self, number: u8, config: Queue) -> Result<(), DriverError> {
        let at = self.queue_config(number);
        let mode = QueueModeWord::new()
            .with_dedicated(true)
            .with_block_on_fault(config.block_on_fault)
            .with_priority(config.priority & 0xf)
            .with_pasid(config.pasid.unwrap_or(0) & 0xf_ffff)
            .with_pasid_enable(config.pasid.is_some());
        let limits = QueueLimitsWord::new()
            .with_max_transfer_shift(config.max_transfer_shift & 0x1f)
            .with_max_batch_shift(config.max_batch_shift & 0xf);
        self.write32(at + queue::SIZE, config.size.into())?;
        self.write32(at + queue::MODE, mode.into())?;
        self.write32(at + queue::LIMITS, limits.into())?;
        if self.facts.queues.config_size() == 0 {
            return Ok(());
        }
        let operations = self.facts.operations;
        (0..)
            .step_by(8)
            .zip(operations)
            .try_for_each(|(word, bits)| self.write64(at + queue::OPERATIONS + word, bits))
    }

    /// Where a queue's registers are in BAR 0.
    pub fn queue_config(&self, number: u8) -> u64 {
        let table = u64::from(self.facts.offsets.queue_config()) * OFFSET_UNIT;
        table + u64::from(number) * (32 << self.facts.queues.config_size())
    }

    /// Enables a queue.
    ///
    /// # Errors
    /// [`DriverError::Command`].
    pub fn enable_queue(&mut self, number: u8) -> Result<(), DriverError> {
        self.command(Command::EnableQueue, number.into())?;
        Ok(())
    }

    /// Submits through a limited portal, in one write, as MOVDIR64B does.
    ///
    /// # Errors
    /// [`DriverError::Connection`]. That the queue refuses it, SWERROR tells.
    pub fn submit(
        &mut self,
        queue: u8,
        ims: bool,
        descriptor: &Descriptor,
    ) -> Result<(), DriverError> {
        let at = portal(queue, ims) + self.next_slot();
        self.link.post(PORTALS, at, descriptor.as_bytes())
    }

    /// The next 64 bytes of a portal: each submission has another.
    fn next_slot(&mut self) -> u64 {
        self.slot = (self.slot + 64) % PORTAL_SIZE;
        self.slot
    }
}

/// The limited portal of a queue.
fn portal(queue: u8, ims: bool) -> u64 {
    let table = if ims { PORTAL_IMS } else { 0 };
    u64::from(queue) * QUEUE_PORTALS_SIZE + (table | PORTAL_LIMITED) * PORTAL_SIZE
}
