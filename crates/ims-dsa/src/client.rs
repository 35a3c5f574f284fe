// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who submits, and through which kind of portal.

use std::fmt;
use std::sync::Arc;

use crate::memory::AddressSpace;

pub use ims::store::Pasid;

/// A submitter: who it is and what memory is its.
///
/// A descriptor cannot change either: the PASID in its bytes is not looked at.
#[derive(Clone)]
pub struct Client {
    /// Its PASID; `None` where the queue uses none.
    pub pasid: Option<Pasid>,
    /// All that its descriptors can reach.
    pub memory: Arc<dyn AddressSpace>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("pasid", &self.pasid)
            .finish_non_exhaustive()
    }
}

/// Which table a completion interrupt's handle points into (3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum InterruptTable {
    /// The MSI-X table.
    #[default]
    MsiX,
    /// The Interrupt Message Store.
    Ims,
}

/// What the place of submission says about a descriptor (3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Portal {
    /// Where its interrupt handle, and those of its batch, point.
    pub table: InterruptTable,
    /// It may fill a shared queue only up to the queue's threshold.
    pub limited: bool,
}
