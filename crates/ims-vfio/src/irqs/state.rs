// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is saved of a device's interrupts, and how far it is believed.

use std::collections::BTreeMap;

use ims::store::Cookie;
use serde::{Deserialize, Serialize};

use super::backed::SavedVector;
use super::cell::{Bank, Kind};
use super::error::StateError;
use super::{Irqs, Lines};

/// What is saved of a device's interrupts.
///
/// Triggers are descriptors and do not travel: the client that comes next sets
/// its own. Slots, indices and handles are the host's and do not travel either.
/// ERR and REQ are the client's alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IrqsState {
    /// The interrupts of the device it was saved from.
    pub lines: Lines,
    /// The pin.
    pub pin: PinState,
    /// MSI vectors that have something to say, in order.
    pub msi: Vec<VectorState>,
    /// MSI-X vectors that have something to say, in order.
    pub msix: Vec<VectorState>,
}

/// What is saved of the pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinState {
    /// The device asserts it.
    pub asserted: bool,
    /// It is not signalled until it is unmasked.
    pub masked: bool,
}

/// What is saved of one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorState {
    /// Its number.
    pub vector: u32,
    /// What it is.
    pub kind: Kind,
    /// Its own cookie, if it has one.
    pub cookie: Option<u64>,
    /// It had a trigger.
    pub triggered: bool,
    /// An interrupt of it has been raised and not been signalled.
    pub owed: bool,
}

impl Irqs {
    /// What the next host must know. The device should be at rest: an interrupt
    /// on its way may be in the state, or signalled, but not both missing.
    ///
    /// An interrupt that a slot keeps pending is in the state.
    pub fn save(&self) -> IrqsState {
        let control = self.control();
        let mut msix = software(&self.inner.msix, |vector| self.kind_of(vector));
        if let Some(backed) = &control.backed {
            let saved = backed.save().filter(|(_, saved)| !is_idle(saved));
            msix.extend(saved.map(|(vector, saved)| VectorState {
                vector,
                kind: Kind::Backed,
                cookie: saved.cookie.map(|Cookie(cookie)| cookie),
                triggered: saved.triggered,
                owed: saved.owed,
            }));
            msix.sort_by_key(|state| state.vector);
        }
        IrqsState {
            lines: self.inner.lines,
            pin: PinState {
                asserted: self.inner.pin.is_asserted(),
                masked: self.inner.pin.is_masked(),
            },
            msi: software(&self.inner.msi, |_| Kind::Plain),
            msix,
        }
    }

    /// Has pin, cookies and what is owed as they were saved, on a device made as
    /// that one was. A vector that was triggered waits for its trigger: what is
    /// owed to it, or raised meanwhile, is signalled once when the trigger comes.
    /// One that has its trigger already keeps it, and is signalled now.
    ///
    /// # Errors
    /// [`StateError`]; nothing has changed.
    pub fn restore(&self, state: &IrqsState) -> Result<(), StateError> {
        let inner = &self.inner;
        if state.lines != inner.lines {
            return Err(StateError::Lines);
        }
        if !inner.lines.intx && state.pin != PinState::default() {
            return Err(StateError::Pin);
        }
        let mut control = self.control();
        check(&state.msi, inner.lines.msi, |_| Kind::Plain)?;
        check(&state.msix, inner.lines.msix, |vector| self.kind_of(vector))?;

        inner.pin.restore(state.pin.asserted, state.pin.masked);
        restore(&inner.msi, &state.msi);
        restore(&inner.msix, &state.msix);
        if let Some(backed) = &mut control.backed {
            let of_backed = state.msix.iter().filter(|one| one.kind == Kind::Backed);
            let saved = of_backed.map(|one| {
                let saved = SavedVector {
                    cookie: one.cookie.map(Cookie),
                    triggered: one.triggered,
                    owed: one.owed,
                };
                (one.vector, saved)
            });
            backed.restore(&saved.collect::<BTreeMap<_, _>>());
        }
        Ok(())
    }
}

fn is_idle(saved: &SavedVector) -> bool {
    saved.cookie.is_none() && !saved.triggered && !saved.owed
}

/// What there is to save of vectors that software raises.
fn software(bank: &Bank, kind: impl Fn(u32) -> Kind) -> Vec<VectorState> {
    bank.touched()
        .filter(|(_, cell)| cell.is_triggered())
        .map(|(vector, cell)| VectorState {
            vector,
            kind: kind(vector),
            cookie: None,
            triggered: true,
            owed: cell.is_owed(),
        })
        .collect()
}

fn check(
    vectors: &[VectorState],
    count: u32,
    kind: impl Fn(u32) -> Kind,
) -> Result<(), StateError> {
    let mut below = None;
    for state in vectors {
        let vector = state.vector;
        if vector >= count {
            return Err(StateError::OutOfRange { vector, count });
        }
        if below.is_some_and(|below| below >= vector) {
            return Err(StateError::Order { vector });
        }
        below = Some(vector);
        let have = kind(vector);
        if have != state.kind {
            return Err(StateError::Kind {
                vector,
                have,
                state: state.kind,
            });
        }
        if state.cookie.is_some() && have != Kind::Backed {
            return Err(StateError::Cookie { vector });
        }
        if state.owed && !state.triggered {
            return Err(StateError::Owed { vector });
        }
    }
    Ok(())
}

fn restore(bank: &Bank, vectors: &[VectorState]) {
    for (_, cell) in bank.touched() {
        cell.restore(false, false);
    }
    let software = vectors.iter().filter(|one| one.kind != Kind::Backed);
    for state in software.filter(|state| state.triggered) {
        if let Some(cell) = bank.touch(state.vector) {
            cell.restore(true, state.owed);
        }
    }
}
