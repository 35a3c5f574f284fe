// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The interrupt handles that a guest asked for.
//!
//! A handle is the index of a vector's entry in the parent's store: the guest's
//! portals lead to the store whichever page it uses, and the entry's PASID keeps
//! everybody else from naming it.
//!
//! A driver that asks again after a revocation (Linux: `idxd_int_handle_revoke`) does
//! nothing if the number is the one it has; otherwise it sends a drain, by whose
//! interrupt it finds what has failed meanwhile. So the number is another one, as long
//! as the store has one. Where it has none, the device drains and interrupts in its
//! driver's stead ([`Granted::unnoticed`]).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ims_vfio::irqs::{Handle, Irqs, VectorError};

use super::msix::MISCELLANEOUS;
use crate::client::InterruptTable;
use crate::layout::command::CommandError;

/// Which vector's handle a guest was given last.
///
/// # Concurrency
/// All methods on any thread. Nothing is called under the lock.
#[derive(Debug, Default)]
pub(super) struct Handles {
    given: Mutex<Given>,
}

/// By vector.
#[derive(Debug, Default)]
struct Given {
    good: BTreeMap<u32, Handle>,
    /// Not asked for again since.
    revoked: BTreeMap<u32, Handle>,
}

/// A handle that a guest is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) number: u16,
    /// The guest has lost the handle since it asked last, and cannot see that by the
    /// number.
    pub(super) unnoticed: bool,
}

fn number(handle: Handle) -> Option<u16> {
    u16::try_from(handle.index()).ok()
}

impl Handles {
    fn given(&self) -> MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Request Interrupt Handle (9.2.12): the same each time, until it is released
    /// or revoked or the vector loses its trigger.
    pub(super) fn request(
        &self,
        irqs: &Irqs,
        table: InterruptTable,
        index: u16,
    ) -> Result<Granted, CommandError> {
        if table == InterruptTable::Ims {
            // The guest has no store; its vectors have entries of the host's.
            return Err(CommandError::NoHandle);
        }
        let vector = u32::from(index);
        if vector == MISCELLANEOUS {
            return Err(CommandError::InvalidInterrupt);
        }
        let handle = irqs.handle(vector).map_err(|error| match error {
            VectorError::OutOfRange { .. } | VectorError::NotBacked { .. } => {
                CommandError::InvalidInterrupt
            }
            error => {
                tracing::debug!(vector, %error, "no interrupt handle");
                CommandError::NoHandle
            }
        })?;
        let number = number(handle).ok_or(CommandError::NoHandle)?;
        let mut given = self.given();
        let revoked = given.revoked.remove(&vector);
        let before = given.good.insert(vector, handle).or(revoked);
        let unnoticed =
            before.is_some_and(|before| before != handle && before.index() == handle.index());
        Ok(Granted { number, unnoticed })
    }

    /// Release Interrupt Handle: the entry is given back, and the vector gets
    /// another when its handle is asked for again.
    pub(super) fn release(
        &self,
        irqs: &Irqs,
        table: InterruptTable,
        handle: u16,
    ) -> Result<(), CommandError> {
        if table == InterruptTable::Ims {
            return Err(CommandError::InvalidInterrupt);
        }
        let released = {
            let mut given = self.given();
            let mut all = given.good.iter();
            let found = all.find(|(_, one)| number(**one) == Some(handle));
            let vector = found.map(|(vector, _)| *vector);
            vector.and_then(|vector| given.good.remove(&vector))
        };
        let released = released.ok_or(CommandError::InvalidInterrupt)?;
        // Unless the vector has lost it already.
        if irqs.resolve(released).is_some() {
            irqs.revoke(released.vector());
        }
        Ok(())
    }

    /// The device was reset: nobody has asked for a handle.
    pub(super) fn reset(&self, irqs: &Irqs) {
        let given = std::mem::take(&mut *self.given());
        for handle in given.good.into_values() {
            if irqs.resolve(handle).is_some() {
                irqs.revoke(handle.vector());
            }
        }
    }

    /// All were revoked, and their guest goes on.
    pub(super) fn revoked(&self) {
        let mut given = self.given();
        let lost = std::mem::take(&mut given.good);
        given.revoked.extend(lost);
    }

    /// There is no guest any more.
    pub(super) fn forget(&self) {
        *self.given() = Given::default();
    }

    /// The handle of a vector that the guest asked for and has.
    pub(super) fn of(&self, irqs: &Irqs, vector: u32) -> Option<u16> {
        let handle = self.given().good.get(&vector).copied()?;
        irqs.resolve(handle)?;
        number(handle)
    }
}
