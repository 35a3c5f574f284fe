// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A unit whose table somebody else programs.

use super::Shared;
use super::fault::FaultLog;
use super::modes::{Modes, SharedModes};
use super::table::EntryMemory;
use super::unit::Unit;
use alloc::sync::Arc;

/// What is left of a control half where entries are a guest's to write: modes and
/// faults. There is one for each table.
///
/// Nothing that stands in such a table is trusted: the unit reads an entry at a
/// time, checks all of it, and faults ([`super::FaultReason`]) on what it does not
/// like, on a table shorter than the modes say, and on memory that cannot be read.
/// Whoever programs the table waits before a cleared entry is made present again
/// ([`EntryMemory`]); how, is between it and whoever made the unit.
#[derive(Debug)]
pub struct Foreign<M> {
    shared: Arc<Shared<M>>,
}

impl<M: EntryMemory> Foreign<M> {
    /// A unit over `memory`, with fault records up to the index `last_record`
    /// ([`FaultLog::new`]).
    pub fn new(memory: M, modes: Modes, last_record: u8) -> Self {
        Self {
            shared: Arc::new(Shared {
                memory,
                modes: SharedModes::new(modes),
                faults: FaultLog::new(last_record),
            }),
        }
    }

    /// A data half that delivers to `cpus` and posts into `descriptors`.
    pub fn unit<C, D>(&self, cpus: C, descriptors: D) -> Unit<M, C, D> {
        Unit::new(self.shared.clone(), cpus, descriptors)
    }

    /// The table's memory.
    pub fn memory(&self) -> &M {
        &self.shared.memory
    }

    /// The unit's fault records and counts.
    pub fn faults(&self) -> &FaultLog {
        &self.shared.faults
    }

    /// The modes it works in.
    pub fn modes(&self) -> Modes {
        self.shared.modes.load()
    }

    /// Sets the modes; messages sent from now on meet them, and what the caller
    /// did to the memory before.
    pub fn set_modes(&mut self, modes: Modes) {
        self.shared.modes.store(modes);
    }
}
