// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a device announces: every number of it is a parameter.

use crate::layout::OperationSet;
use crate::layout::registers::{IMS_UNIT, IMS_UNITS_LIMIT};

/// What a device announces in its capability registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// VERSION: 0x100 or 0x200.
    pub version: u16,
    /// Work queues, 1 to 128.
    pub queues: u8,
    /// Entries that all queues share.
    pub queue_entries: u16,
    /// Groups, 1 to 16.
    pub groups: u8,
    /// Engines, 1 to 64.
    pub engines: u8,
    /// Read buffers; they limit nothing here, and are checked as hardware would.
    pub read_buffers: u8,
    /// Whether a WQCFG has 64 bytes and restricts operations, or 32.
    pub wide_queue_config: bool,
    /// log2 of the largest transfer.
    pub max_transfer_shift: u8,
    /// log2 of the largest batch.
    pub max_batch_shift: u8,
    /// Entries of the Interrupt Message Store: a multiple of 256 up to 16,128, or 0.
    pub ims_entries: u32,
    /// MSI-X vectors: the miscellaneous one, and those of queues.
    pub vectors: u16,
    /// Whether software configures groups and queues, or finds them configured.
    pub configurable: bool,
    /// Whether there are the commands for interrupt handles. Without them a handle
    /// is an index.
    pub interrupt_handles: bool,
    /// Whether there is an event log.
    pub event_log: bool,
    /// Whether a descriptor may wait for its memory to be mapped.
    pub block_on_fault: bool,
    /// Whether queues may have PASIDs. Who a submitter is, they tell; memory is the
    /// client's, whatever the PASID, for its maps have none.
    pub pasids: bool,
    /// What descriptors may ask for.
    pub operations: OperationSet,
}

impl Default for Parameters {
    /// A physical function as the first generation has it: eight queues, 128
    /// entries, four groups, four engines, nine vectors, 2048 entries of the
    /// Interrupt Message Store.
    fn default() -> Self {
        Self {
            version: 0x200,
            queues: 8,
            queue_entries: 128,
            groups: 4,
            engines: 4,
            read_buffers: 96,
            wide_queue_config: true,
            max_transfer_shift: 31,
            max_batch_shift: 10,
            ims_entries: 2048,
            vectors: 9,
            configurable: true,
            interrupt_handles: true,
            event_log: true,
            block_on_fault: true,
            pasids: false,
            operations: OperationSet::ALL,
        }
    }
}

/// Why a device cannot be like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// No queue, group or engine, or more than registers can name.
    #[error("{what}: {value} is not {from} to {to}")]
    Range {
        /// Which parameter.
        what: &'static str,
        /// What was asked for.
        value: u32,
        /// The least.
        from: u32,
        /// The most.
        to: u32,
    },
    /// Not a size of an Interrupt Message Store.
    #[error("an IMS of {0} entries: must be a multiple of 256, at most 16128")]
    Ims(u32),
    /// Not a version of the device.
    #[error("version {0:#x}: there are 0x100 and 0x200")]
    Version(u16),
    /// The device cannot be configured and is not.
    #[error("the device is not configurable; say how it is configured")]
    NotConfigured,
    /// The queue blocks on faults and the device does not.
    #[error("a queue cannot block on faults where the device does not announce it")]
    BlockOnFault,
}

impl Parameters {
    /// Bytes of a WQCFG.
    pub(super) fn queue_config_size(&self) -> u64 {
        if self.wide_queue_config { 64 } else { 32 }
    }

    /// Checks that registers can say it.
    ///
    /// # Errors
    /// [`ParameterError`]: the first that is wrong.
    pub fn check(&self) -> Result<(), ParameterError> {
        if !matches!(self.version, 0x100 | 0x200) {
            return Err(ParameterError::Version(self.version));
        }
        let units = self.ims_entries / IMS_UNIT;
        if !self.ims_entries.is_multiple_of(IMS_UNIT) || units > IMS_UNITS_LIMIT {
            return Err(ParameterError::Ims(self.ims_entries));
        }
        in_range("work queues", self.queues.into(), 1, 128)?;
        in_range("groups", self.groups.into(), 1, 16)?;
        in_range("engines", self.engines.into(), 1, 64)?;
        in_range("queue entries", self.queue_entries.into(), 1, 0xffff)?;
        in_range("MSI-X vectors", self.vectors.into(), 1, 2048)?;
        in_range(
            "log2 of the largest transfer",
            self.max_transfer_shift.into(),
            1,
            31,
        )?;
        in_range(
            "log2 of the largest batch",
            self.max_batch_shift.into(),
            1,
            15,
        )
    }
}

/// Checks one number.
pub(super) fn in_range(
    what: &'static str,
    value: u32,
    from: u32,
    to: u32,
) -> Result<(), ParameterError> {
    if (from..=to).contains(&value) {
        Ok(())
    } else {
        Err(ParameterError::Range {
            what,
            value,
            from,
            to,
        })
    }
}
