// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Saving and restoring all that a transport knows.

use ims::sink::MessageSink;

use super::Mmio;
use super::control::Control;
use crate::device::Device;
use crate::interrupts::{Mode, STATUS, msi};
use crate::layout::features;
use crate::layout::status::{DRIVER_OK, FEATURES_OK};
use crate::line::Line;
use crate::memory::Memory;
use crate::negotiation::{self, NegotiationState};
use crate::vis;

/// A device as its driver has set it up; plain numbers, for whoever writes them down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MmioState {
    /// Features, status and queues.
    pub negotiation: NegotiationState,
    /// How interrupts go.
    pub mode: Mode,
    /// InterruptStatus.
    pub interrupt_status: u32,
    /// MSI, if it is offered.
    pub msi: Option<msi::MsiState>,
    /// VIS, if it is offered.
    pub vis: Option<vis::VisState>,
}

/// Why a state was not restored; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// Features, status and queues are none that this device can have.
    #[error(transparent)]
    Negotiation(#[from] negotiation::RestoreError),
    /// MSI is none.
    #[error(transparent)]
    Msi(#[from] msi::RestoreError),
    /// VIS is none.
    #[error(transparent)]
    Vis(#[from] vis::RestoreError),
    /// MSI or VIS is offered here and not in the state, or the other way round.
    #[error("the state and this device do not offer the same of MSI and VIS; make it as the saved")]
    Offers,
    /// Interrupts cannot go that way.
    #[error("interrupts by {mode:?} do not go with the rest of the state; it is damaged")]
    Mode {
        /// As in the state.
        mode: Mode,
    },
    /// InterruptStatus has bits that cannot be set.
    #[error("interrupt status {status:#x} does not go with the rest of the state; it is damaged")]
    InterruptStatus {
        /// As in the state.
        status: u32,
    },
}

impl<M, D, K, L> Control<M, D, K, L>
where
    M: Memory,
    D: Device<M>,
    K: MessageSink + Clone + Send + Sync + 'static,
    L: Line,
{
    fn save(&self) -> MmioState {
        MmioState {
            negotiation: self.negotiation.save(),
            mode: self.ways.mode(),
            interrupt_status: self.ways.pending(),
            msi: self.offers.msi.as_ref().map(msi::Control::save),
            vis: self.offers.vis.as_ref().map(vis::Vis::save),
        }
    }

    fn check(&self, state: &MmioState) -> Result<(), RestoreError> {
        self.negotiation.check(&state.negotiation)?;
        let same = state.msi.is_some() == self.offers.msi.is_some()
            && state.vis.is_some() == self.offers.vis.is_some();
        if !same {
            return Err(RestoreError::Offers);
        }
        if let Some((msi, state)) = self.offers.msi.as_ref().zip(state.msi.as_ref()) {
            msi.check(state)?;
        }
        let agreed = |feature| {
            state.negotiation.status & FEATURES_OK != 0
                && state.negotiation.driver_features & feature != 0
        };
        let stored = state.vis.as_ref().is_some_and(|vis| vis.area.is_some());
        let msi = self.offers.msi.as_ref();
        let can = match state.mode {
            Mode::Line => !stored,
            Mode::Msi => !stored && msi.is_some_and(|msi| agreed(msi.offer().layout.feature)),
            Mode::Vis => stored && agreed(features::VIS),
        };
        if !can {
            return Err(RestoreError::Mode { mode: state.mode });
        }
        let status = state.interrupt_status;
        let can = state.mode == Mode::Line && state.negotiation.status & DRIVER_OK != 0;
        if status & !STATUS != 0 || status != 0 && !can {
            return Err(RestoreError::InterruptStatus { status });
        }
        Ok(())
    }

    fn restore(&mut self, state: &MmioState) -> Result<(), RestoreError> {
        self.check(state)?;
        // First, for it alone may refuse yet.
        if let Some((vis, state)) = self.offers.vis.as_mut().zip(state.vis.as_ref()) {
            vis.restore(state)?;
        }
        if let Some((msi, state)) = self.offers.msi.as_mut().zip(state.msi.as_ref()) {
            msi.restore(state)?;
        }
        let live = state.negotiation.status & DRIVER_OK != 0;
        self.ways.restore(state.mode, live, state.interrupt_status);
        let notifier = self.notifier();
        self.negotiation.restore(&state.negotiation, &notifier)?;
        Ok(())
    }
}

impl<M, D, K, L> Mmio<M, D, K, L>
where
    M: Memory,
    D: Device<M>,
    K: MessageSink + Clone + Send + Sync + 'static,
    L: Line,
{
    /// The state now; the device's own is the device's to save. Stop the device
    /// first, with everything used that it has taken from its queues: events that
    /// come at the same time are in the state, or are not.
    pub fn save(&self) -> MmioState {
        self.control().save()
    }

    /// Takes over a saved state, in a device that was not started. One that the driver
    /// had started is started, its queues where the device's rings say that everything
    /// up to there was used; memory is as it was saved. What is pending and not masked
    /// is sent before this returns.
    ///
    /// # Errors
    /// The state is none that this device can have; nothing changed.
    pub fn restore(&self, state: &MmioState) -> Result<(), RestoreError> {
        self.control().restore(state)
    }
}
