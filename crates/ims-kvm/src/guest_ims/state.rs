// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a remap unit for a guest is made anew from; its table is in guest memory.

use ims::message::RequesterId;
use ims::remap::fault_layout::{FaultRecord, MAX_FAULT_RECORDS};
use ims::remap::{Fault, FaultReason};

use super::layout::remap::{TABLE_BASE, TABLE_EXTENDED, TABLE_SIZE};

/// All of a unit that is not fixed when it is made; plain numbers, for whoever
/// writes them down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RemapState {
    /// The table register.
    pub table: u64,
    /// Whether messages are remapped.
    pub enabled: bool,
    /// Faults that the guest has not taken yet, as FRCD_REG shows them, oldest first.
    pub faults: Vec<u128>,
}

/// Why a state was not restored; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemapStateError {
    /// Reserved bits are set.
    #[error("the table register is {table:#x} in the state, with reserved bits; it is damaged")]
    Table {
        /// The register.
        table: u64,
    },
    /// More faults than any unit has records.
    #[error("the state has {faults} fault records, at most {MAX_FAULT_RECORDS} can be")]
    Faults {
        /// How many.
        faults: usize,
    },
    /// A record that is no fault.
    #[error("fault record {record:#x} in the state is none; it is damaged")]
    Fault {
        /// The record.
        record: u128,
    },
}

impl RemapState {
    /// The faults in it.
    ///
    /// # Errors
    /// If no unit can have this state.
    pub(super) fn check(&self) -> Result<Vec<Fault>, RemapStateError> {
        let table = self.table;
        if table & !(TABLE_SIZE | TABLE_EXTENDED | TABLE_BASE) != 0 {
            return Err(RemapStateError::Table { table });
        }
        let faults = self.faults.len();
        if faults > MAX_FAULT_RECORDS.into() {
            return Err(RemapStateError::Faults { faults });
        }
        let fault = |&record: &u128| fault(record).ok_or(RemapStateError::Fault { record });
        self.faults.iter().map(fault).collect()
    }
}

/// The fault that a record shows; `None` if it shows none, or more than that.
fn fault(record: u128) -> Option<Fault> {
    let fields = FaultRecord::from_bits(record);
    let fault = Fault {
        reason: FaultReason::from_code(fields.reason())?,
        requester: RequesterId(fields.source_id()),
        index: fields.index(),
    };
    (fault.to_record().into_bits() == record).then_some(fault)
}
