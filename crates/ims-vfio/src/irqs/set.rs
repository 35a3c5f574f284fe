// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What each index does with a request (Linux `vfio_pci_intrs.c`; for IMS-backed
//! MSI-X, the library of "Back guest interrupts from IMS", `set_ims_trigger`).

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::cell::{Cell, Kind};
use super::error::SetError;
use super::patience::Patience;
use super::request::{Action, Data, Request};
use super::trigger::{Trigger, checked};
use super::{Active, Control, Inner};
use crate::layout::irq;

impl Inner {
    /// Carries out a request.
    pub(super) fn carry_out(
        &self,
        control: &mut Control,
        request: Request<'_>,
    ) -> Result<(), SetError> {
        match (request.index, request.action) {
            (irq::INTX, Action::Mask) => self.mask_pin(control, &request),
            (irq::INTX, Action::Unmask) => self.unmask_pin(control, request),
            (irq::INTX, Action::Trigger) => self.set_pin(control, request),
            (irq::MSI | irq::MSIX, Action::Trigger) => self.set_vectors(control, request),
            (irq::ERR, Action::Trigger) => set_single(&self.err, &self.patience, request),
            (irq::REQ, Action::Trigger) => set_single(&self.req, &self.patience, request),
            (index, _) => Err(SetError::NoHandler { index }),
        }
    }

    /// The pin can be masked and unmasked while it is enabled, as one interrupt.
    fn pin_is_active(control: &Control, request: &Request<'_>) -> Result<(), SetError> {
        if !matches!(control.active, Active::Intx) {
            return Err(SetError::Inactive { index: irq::INTX });
        }
        if request.start != 0 || request.count != 1 {
            return Err(SetError::Malformed("the pin is one interrupt"));
        }
        Ok(())
    }

    fn mask_pin(&self, control: &Control, request: &Request<'_>) -> Result<(), SetError> {
        Self::pin_is_active(control, request)?;
        if matches!(request.data, Data::Triggers(_)) {
            return Err(SetError::NoHandler { index: irq::INTX });
        }
        if request.data.selects(0) {
            self.pin.mask();
        }
        Ok(())
    }

    fn unmask_pin(&self, control: &mut Control, request: Request<'_>) -> Result<(), SetError> {
        Self::pin_is_active(control, &request)?;
        if matches!(request.data, Data::Triggers(_)) {
            let fd = request.data.into_one().map(eventfd(0)).transpose()?;
            control.unmask = fd.map(Arc::new);
        } else if request.data.selects(0) {
            self.pin.unmask();
        }
        Ok(())
    }

    fn set_pin(&self, control: &mut Control, request: Request<'_>) -> Result<(), SetError> {
        let active = matches!(control.active, Active::Intx);
        if active && request.disables() {
            self.disable(control);
            return Ok(());
        }
        control.exclude_others(irq::INTX)?;
        if request.start != 0 || request.count != 1 {
            return Err(SetError::Malformed("the pin is one interrupt"));
        }
        match request.data {
            Data::Triggers(_) => {
                let taken = request.data.into_one().map(trigger(0)).transpose();
                if !active && taken.is_ok() {
                    self.pin.unmask();
                    control.active = Active::Intx;
                }
                match taken {
                    Ok(Some(trigger)) => self.pin.arm(trigger, &self.patience),
                    Ok(None) => self.pin.disarm(&self.patience),
                    Err(error) => {
                        self.pin.disarm(&self.patience);
                        return Err(error);
                    }
                }
            }
            Data::None | Data::Bools(_) if !active => {
                return Err(SetError::Inactive { index: irq::INTX });
            }
            data => {
                if data.selects(0) {
                    self.pin.loopback();
                }
            }
        }
        Ok(())
    }

    /// MSI and MSI-X, as `vfio_pci_set_msi_trigger` has it. With a backing, MSI-X
    /// is as the IMS library has it: there is nothing to enable, so what asks for
    /// nothing is nothing.
    fn set_vectors(&self, control: &mut Control, request: Request<'_>) -> Result<(), SetError> {
        let index = request.index;
        let active = control.active.index() == Some(index);
        let library = index == irq::MSIX && control.backed.is_some();
        control.exclude_others(index)?;
        if request.disables() && (active || library) {
            self.disable_vectors(control, index);
            if active {
                control.active = Active::Idle;
            }
            return Ok(());
        }
        let Request { start, count, .. } = request;
        let triggers = match request.data {
            Data::Triggers(triggers) => triggers,
            _ if !active && !library => return Err(SetError::Inactive { index }),
            data => {
                for at in (0..count).filter(|&at| data.selects(at)) {
                    self.loopback(control, index, start + at);
                }
                return Ok(());
            }
        };
        if !active {
            if library && count == 0 {
                return Ok(());
            }
            if start + count == 0 {
                return Err(SetError::Malformed("enables no vector"));
            }
            control.active = Active::vectors(index, start + count);
        }
        for (vector, fd) in (start..).zip(triggers) {
            if let Err(error) = self.set_vector(control, index, vector, fd) {
                for vector in start..=vector {
                    self.clear_vector(control, index, vector);
                }
                if !active {
                    self.disable_vectors(control, index);
                    control.active = Active::Idle;
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn set_vector(
        &self,
        control: &mut Control,
        index: u32,
        vector: u32,
        fd: Option<OwnedFd>,
    ) -> Result<(), SetError> {
        let Some(fd) = fd else {
            self.clear_vector(control, index, vector);
            return Ok(());
        };
        if let Active::Msi { enabled } = control.active
            && vector >= enabled
        {
            return Err(SetError::Grow { vector, enabled });
        }
        let trigger = trigger(vector)(fd)?;
        if index == irq::MSIX
            && self.kind_of(vector) == Kind::Backed
            && let Some(backed) = &mut control.backed
        {
            return backed
                .set(vector, trigger)
                .map_err(|source| SetError::Backing { vector, source });
        }
        let cell = self.bank(index).and_then(|bank| bank.touch(vector));
        match cell {
            Some(cell) => {
                cell.set(trigger, &self.patience);
                Ok(())
            }
            None => Err(SetError::Malformed("the index has no such interrupts")),
        }
    }

    /// Takes a vector's trigger away.
    fn clear_vector(&self, control: &mut Control, index: u32, vector: u32) {
        if index == irq::MSIX
            && let Some(backed) = &mut control.backed
        {
            backed.clear(vector);
        }
        if let Some(cell) = self.bank(index).and_then(|bank| bank.get(vector)) {
            cell.clear(&self.patience);
        }
    }

    fn loopback(&self, control: &Control, index: u32, vector: u32) {
        if index == irq::MSIX
            && let Some(backed) = &control.backed
        {
            backed.loopback(vector);
        }
        if let Some(cell) = self.bank(index).and_then(|bank| bank.get(vector)) {
            cell.loopback();
        }
    }

    /// Takes the triggers of all vectors of an index away.
    fn disable_vectors(&self, control: &mut Control, index: u32) {
        if index == irq::MSIX
            && let Some(backed) = &mut control.backed
        {
            backed.clear_all();
        }
        if let Some(bank) = self.bank(index) {
            for (_, cell) in bank.touched() {
                cell.clear(&self.patience);
            }
        }
    }

    /// Disables INTx, MSI and MSI-X.
    pub(super) fn disable(&self, control: &mut Control) {
        self.pin.disarm(&self.patience);
        self.pin.unmask();
        control.unmask = None;
        self.disable_vectors(control, irq::MSI);
        self.disable_vectors(control, irq::MSIX);
        control.active = Active::Idle;
    }
}

/// ERR and REQ (`vfio_pci_set_ctx_trigger_single`): one trigger, enabled by being
/// there.
fn set_single(cell: &Cell, patience: &Patience, request: Request<'_>) -> Result<(), SetError> {
    let index = request.index;
    if request.start != 0 || request.count > 1 {
        return Err(SetError::Malformed("the index is one interrupt"));
    }
    let disables = request.disables();
    match request.data {
        Data::None => {
            if !cell.is_set() {
                return Err(SetError::NoTrigger { index });
            }
            if disables {
                cell.clear(patience);
            } else {
                cell.loopback();
            }
        }
        Data::Bools(_) | Data::Triggers(_) if request.count == 0 => {
            return Err(SetError::Malformed("data for no interrupt"));
        }
        Data::Bools(_) => {
            if request.data.selects(0) {
                cell.loopback();
            }
        }
        Data::Triggers(_) => {
            match request.data.into_one().map(trigger(0)).transpose() {
                Ok(Some(trigger)) => cell.set(trigger, patience),
                Ok(None) => cell.clear(patience),
                Err(error) => {
                    cell.clear(patience);
                    return Err(error);
                }
            };
        }
    }
    Ok(())
}

fn trigger(vector: u32) -> impl Fn(OwnedFd) -> Result<Trigger, SetError> {
    move |fd| Trigger::take(fd).map_err(|errno| SetError::NotAnEventfd { vector, errno })
}

fn eventfd(vector: u32) -> impl Fn(OwnedFd) -> Result<OwnedFd, SetError> {
    move |fd| checked(fd).map_err(|errno| SetError::NotAnEventfd { vector, errno })
}
