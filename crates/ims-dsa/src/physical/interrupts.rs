// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interrupts as engines raise them: by handle, in the table the portal chose.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ims_vfio::Function;

use super::handle::NotValid;
use super::ims_table::ImsTable;
use super::report::VectorReport;
use super::vectors::Vectors;
use crate::client::{InterruptTable, Pasid};
use crate::front::Parameters;
use crate::interrupts::{Handle, Interrupts, InvalidHandle};
use crate::layout::command::CommandError;
use crate::sync::AtomicBool;

/// All interrupts of the function.
pub(super) struct Tables {
    pub(super) ims: ImsTable,
    pub(super) vectors: Vectors,
}

impl Tables {
    /// Those that `parameters` announce.
    pub(super) fn new(parameters: &Parameters, function: Arc<Function>) -> Self {
        let by_request = parameters.interrupt_handles;
        Self {
            ims: ImsTable::new(parameters.ims_entries, by_request, function.dma.clone()),
            vectors: Vectors::new(parameters.vectors, by_request, function),
        }
    }

    pub(super) fn request(&self, table: InterruptTable, index: u16) -> Result<u16, CommandError> {
        match table {
            InterruptTable::MsiX => self.vectors.request(index),
            InterruptTable::Ims => self.ims.request(index),
        }
    }

    pub(super) fn release(&self, table: InterruptTable, handle: u16) -> Result<(), CommandError> {
        match table {
            InterruptTable::MsiX => self.vectors.release(handle),
            InterruptTable::Ims => self.ims.release(handle),
        }
    }

    pub(super) fn revoke_all(&self) -> u32 {
        self.vectors
            .revoke_all()
            .saturating_add(self.ims.revoke_all())
    }

    pub(super) fn reset(&self) {
        self.vectors.reset();
        self.ims.reset();
    }

    pub(super) fn report(&self) -> Vec<VectorReport> {
        let mut all = self.vectors.report();
        all.append(&mut self.ims.report());
        all
    }

    fn check(&self, handle: Handle, submitter: Option<Pasid>) -> Result<(), NotValid> {
        match handle.table {
            InterruptTable::MsiX => self.vectors.check(handle.number, submitter),
            InterruptTable::Ims => self.ims.check(handle.number, submitter),
        }
    }

    fn raise(
        &self,
        handle: Handle,
        submitter: Option<Pasid>,
        alive: &AtomicBool,
    ) -> Result<(), NotValid> {
        match handle.table {
            InterruptTable::MsiX => self.vectors.raise(handle.number, submitter, alive),
            InterruptTable::Ims => self.ims.raise(handle.number, submitter, alive),
        }
    }
}

/// The function's interrupts, for the engines of one time between enable and
/// disable. When that is over they raise nothing any more: what they would raise
/// is meant for somebody who is gone.
pub(super) struct EngineInterrupts {
    tables: Arc<Tables>,
    alive: AtomicBool,
}

impl EngineInterrupts {
    pub(super) fn new(tables: Arc<Tables>) -> Self {
        Self {
            tables,
            alive: AtomicBool::new(true),
        }
    }

    /// Engines raise nothing from now on that could be seen in an entry after the
    /// caller has reset it. The entry's lock orders that.
    pub(super) fn end(&self) {
        self.alive.store(false, Ordering::Relaxed);
    }
}

impl Interrupts for EngineInterrupts {
    type Raiser = ();

    fn raiser(&self) {}

    fn check(&self, handle: Handle, pasid: Option<Pasid>) -> Result<(), InvalidHandle> {
        let checked = self.tables.check(handle, pasid);
        checked.map_err(|NotValid| InvalidHandle { handle })
    }

    fn raise(
        &self,
        (): &mut (),
        _engine: u32,
        handle: Handle,
        pasid: Option<Pasid>,
    ) -> Result<(), InvalidHandle> {
        let raised = self.tables.raise(handle, pasid, &self.alive);
        raised.map_err(|NotValid| InvalidHandle { handle })
    }
}
