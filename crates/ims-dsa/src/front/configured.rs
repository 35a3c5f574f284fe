// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What software finds configured where it may not configure.

use super::parameters::{ParameterError, Parameters, in_range};

/// A device with one group, which has engines and one dedicated queue, number 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Configured {
    /// Entries of the queue, at most [`Parameters::queue_entries`].
    pub queue_size: u16,
    /// Engines of the group, at most [`Parameters::engines`].
    pub engines: u8,
    /// The queue's priority, 1 to 15.
    pub priority: u8,
    /// Whether its descriptors may wait for memory to be mapped.
    pub block_on_fault: bool,
}

impl Default for Configured {
    /// 16 entries, one engine, priority 1, no waiting.
    fn default() -> Self {
        Self {
            queue_size: 16,
            engines: 1,
            priority: 1,
            block_on_fault: false,
        }
    }
}

impl Configured {
    /// Checks it against what the device announces.
    pub(super) fn check(&self, parameters: &Parameters) -> Result<(), ParameterError> {
        let entries = parameters.queue_entries.into();
        in_range("the queue's entries", self.queue_size.into(), 1, entries)?;
        let engines = parameters.engines.into();
        in_range("the group's engines", self.engines.into(), 1, engines)?;
        in_range("the queue's priority", self.priority.into(), 1, 15)?;
        if self.block_on_fault && !parameters.block_on_fault {
            return Err(ParameterError::BlockOnFault);
        }
        Ok(())
    }
}
