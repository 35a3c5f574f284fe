// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Completion interrupts out of the device's own stores: its Interrupt Message
//! Store, and beside it its MSI-X table.

use ims::domain::{Port, Raised};
use ims::grace::Raiser;
use ims::sink::{MessageSink, Refusal};
use ims::store::Slots;

use crate::client::{InterruptTable, Pasid};
use crate::interrupts::{Handle, Interrupts, InvalidHandle};

/// Where a device's domains let it raise: a handle is an index of one of them.
pub struct StoreInterrupts<S, M, K, F> {
    ims: Port<S, K>,
    msix: Option<Port<M, K>>,
    raisers: F,
}

impl<S, M, K, F> StoreInterrupts<S, M, K, F>
where
    F: Fn() -> Raiser,
{
    /// Raises through `ims` and `msix`; `raisers` makes a raiser for a thread.
    pub fn new(ims: Port<S, K>, msix: Option<Port<M, K>>, raisers: F) -> Self {
        Self { ims, msix, raisers }
    }
}

impl<S, M, K, F> Interrupts for StoreInterrupts<S, M, K, F>
where
    S: Slots,
    M: Slots,
    K: MessageSink + Send + Sync + 'static,
    F: Fn() -> Raiser + Send + Sync + 'static,
{
    type Raiser = Raiser;

    fn raiser(&self) -> Raiser {
        (self.raisers)()
    }

    fn check(&self, handle: Handle, pasid: Option<Pasid>) -> Result<(), InvalidHandle> {
        // Which engine's copy does not matter: they differ in pending bits only.
        let index = handle.number.into();
        let checked = match (handle.table, &self.msix) {
            (InterruptTable::Ims, _) => self.ims.check(0, index, pasid),
            (InterruptTable::MsiX, Some(msix)) => msix.check(0, index, pasid),
            (InterruptTable::MsiX, None) => Err(Refusal::NotAllocated),
        };
        checked.map_err(|_| InvalidHandle { handle })
    }

    fn raise(
        &self,
        raiser: &mut Raiser,
        engine: u32,
        handle: Handle,
        pasid: Option<Pasid>,
    ) -> Result<(), InvalidHandle> {
        let index = handle.number.into();
        let flight = raiser.enter();
        let raised = match (handle.table, &self.msix) {
            (InterruptTable::Ims, _) => self.ims.raise(&flight, engine, index, pasid),
            (InterruptTable::MsiX, Some(msix)) => msix.raise(&flight, engine, index, pasid),
            (InterruptTable::MsiX, None) => Raised::Refused(Refusal::NotAllocated),
        };
        match raised {
            Raised::Refused(Refusal::NotAllocated | Refusal::Pasid) => {
                Err(InvalidHandle { handle })
            }
            // What else a sink refuses, its own side has recorded.
            _ => Ok(()),
        }
    }
}
