// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The memory of a VFIO client as a submitter's address space.

use std::sync::Once;
use std::time::Duration;

use ims_vfio::dma::{self, DmaError, Pinned};
use vm_memory::VolatileSlice;

use crate::memory::{Access, AddressSpace, Unmapped};

/// Whether it was told that memory must be shared.
static ADVICE: Once = Once::new();

/// A client's memory, for one submission.
///
/// Its session begins at the submission and ends with it: a descriptor taken for
/// one client never reaches the memory of the next, nor memory mapped after a
/// reset. Of a session that was ended nothing more is executed.
///
/// A page fault can be waited for: until the client maps the page, its session
/// ends, or it takes away memory that this descriptor uses.
#[derive(Debug)]
pub struct ClientMemory(Pinned);

impl From<Pinned> for ClientMemory {
    fn from(pinned: Pinned) -> Self {
        Self(pinned)
    }
}

impl AddressSpace for ClientMemory {
    fn window(
        &self,
        address: u64,
        length: usize,
        access: Access,
    ) -> Result<VolatileSlice<'_>, Unmapped> {
        let wanted = match access {
            Access::Read => dma::Access::READ,
            Access::Write => dma::Access::WRITE,
        };
        self.0.window(address, length, wanted).map_err(|error| {
            if matches!(error, DmaError::NoMemory { .. }) {
                // Once: it is a matter of how the client was started, not of one access.
                ADVICE.call_once(|| {
                    tracing::warn!(
                        %error,
                        "a DSA works in memory that its client shares: give QEMU a \
                         memory-backend-memfd with share=on"
                    );
                });
            }
            Unmapped { address }
        })
    }

    fn wait(&self, _: Unmapped, limit: Duration) -> bool {
        self.0.wait(limit)
    }

    fn is_ended(&self) -> bool {
        self.0.is_ended()
    }
}
