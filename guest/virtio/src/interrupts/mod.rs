// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One face for four ways to interrupt.
//!
//! | register accesses | single | MSI | MSI-X | VIS |
//! |---|---|---|---|---|
//! | set up n | 0 | 6 n | 5 n | 4 |
//! | mask | – | 1 or 2 | 2 | 0 |
//! | unmask | – | 1 or 2 | 1 | 0, with something pending 1 |
//! | move one | – | 2 to 4 | 4 | 1 |
//! | move n | – | 2 to 4 n | 4 n | 1 |
//! | an interrupt | 2 (PCI 1) | 0 | 0 | 0 |

mod msi;
mod msix;
mod plan;
mod single;
mod vis;

use ims_virtio::layout::msi::Layout;
use thiserror::Error;

pub use msi::Msi;
pub use msix::Msix;
pub use plan::{NO_VECTOR, Plan, PlanError};
pub use single::{Cause, Line};
pub use vis::{Vis, area_bytes};

use crate::message::Message;
use crate::registers::Registers;
use crate::shared::Shared;

/// Which ways a driver takes, besides the single interrupt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Accept {
    /// VIS, on virtio-mmio.
    pub vis: bool,
    /// MSI of this layout, on virtio-mmio. Of [`Layout::KERNEL`] and [`Layout::TEXT`]:
    /// accept them of a device that is known to have them; another means other things
    /// by the same bits.
    pub msi: Option<Layout>,
    /// Also that layout's notification offsets.
    pub notification: bool,
    /// MSI-X, on PCI.
    pub msix: bool,
}

/// How interrupts come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One for all.
    Single,
    /// Messages kept in registers.
    Msi,
    /// Messages kept in a table of the function's.
    Msix,
    /// Messages kept in shared memory.
    Vis,
}

/// The way that was chosen, and why not a better one: `None` where it was not asked
/// for, or not come to.
#[derive(Debug)]
pub struct Chosen<R, S> {
    /// The way.
    pub interrupts: Interrupts<R, S>,
    /// Why not VIS.
    pub vis: Option<Refusal>,
    /// Why not MSI.
    pub msi: Option<Refusal>,
    /// Why not MSI-X.
    pub msix: Option<Refusal>,
}

impl<R, S> Chosen<R, S> {
    pub(crate) fn new(interrupts: Interrupts<R, S>) -> Self {
        Self {
            interrupts,
            vis: None,
            msi: None,
            msix: None,
        }
    }
}

/// A device's interrupts.
///
/// # Concurrency
/// One CPU at a time, but for VIS, whose masks ([`Interrupts::as_vis`]) any CPU has.
#[derive(Debug)]
pub enum Interrupts<R, S> {
    /// One for all.
    Single(Line<R>),
    /// Messages kept in registers.
    Msi(Msi<R>),
    /// Messages kept in a table of the function's.
    Msix(Msix<R>),
    /// Messages kept in shared memory.
    Vis(Vis<R, S>),
}

impl<R: Registers, S: Shared> Interrupts<R, S> {
    /// How they come.
    pub fn mode(&self) -> Mode {
        match self {
            Self::Single(_) => Mode::Single,
            Self::Msi(_) => Mode::Msi,
            Self::Msix(_) => Mode::Msix,
            Self::Vis(_) => Mode::Vis,
        }
    }

    /// Has a vector keep its interrupts. One that is on its way still comes.
    ///
    /// # Errors
    /// [`InterruptError`].
    pub fn mask(&mut self, vector: u32) -> Result<(), InterruptError> {
        match self {
            Self::Single(_) => Err(InterruptError::Single),
            Self::Msi(msi) => msi.mask(vector),
            Self::Msix(msix) => msix.mask(vector),
            Self::Vis(vis) => vis.mask(vector),
        }
    }

    /// Has it send them, and what it kept.
    ///
    /// # Errors
    /// [`InterruptError`].
    pub fn unmask(&mut self, vector: u32) -> Result<(), InterruptError> {
        match self {
            Self::Single(_) => Err(InterruptError::Single),
            Self::Msi(msi) => msi.unmask(vector),
            Self::Msix(msix) => msix.unmask(vector),
            Self::Vis(vis) => vis.unmask(vector),
        }
    }

    /// Gives a vector another message: its interrupts go elsewhere. Masked or not, it
    /// stays so, but on MSI-X, where it ends unmasked.
    ///
    /// # Errors
    /// [`InterruptError`].
    pub fn move_to(&mut self, vector: u32, message: Message) -> Result<(), InterruptError> {
        self.move_all(&[(vector, message)])
    }

    /// The same of several; with VIS, still one access.
    ///
    /// # Errors
    /// [`InterruptError`]; those before the one it names have moved.
    pub fn move_all(&mut self, moves: &[(u32, Message)]) -> Result<(), InterruptError> {
        match self {
            Self::Single(_) => Err(InterruptError::Single),
            Self::Msi(msi) => moves.iter().try_for_each(|(v, m)| msi.move_to(*v, *m)),
            Self::Msix(msix) => moves.iter().try_for_each(|(v, m)| msix.move_to(*v, *m)),
            Self::Vis(vis) => vis.move_all(moves),
        }
    }

    /// What an interrupt is about, and that it was seen. Messages say it by their
    /// vector: then it may be all that the vector is for.
    pub fn acknowledge(&self) -> Cause {
        match self {
            Self::Single(line) => line.acknowledge(),
            Self::Msi(_) | Self::Msix(_) | Self::Vis(_) => Cause::ANY,
        }
    }

    /// Back to the single interrupt, for a device that goes on. Done when it returns.
    ///
    /// # Errors
    /// [`InterruptError`].
    pub fn disable(&mut self) -> Result<(), InterruptError> {
        match self {
            Self::Single(_) => Ok(()),
            Self::Msi(msi) => msi.disable(),
            Self::Msix(msix) => {
                msix.disable();
                Ok(())
            }
            Self::Vis(vis) => vis.disable(),
        }
    }

    /// VIS, if that is the way.
    pub fn as_vis(&self) -> Option<&Vis<R, S>> {
        match self {
            Self::Vis(vis) => Some(vis),
            Self::Single(_) | Self::Msi(_) | Self::Msix(_) => None,
        }
    }
}

/// Why a way to interrupt is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The device does not have it.
    #[error("the device does not offer it")]
    NotOffered,
    /// VIS needs memory.
    #[error("there is no area for it: give `area_bytes` of shared memory")]
    NoArea,
    /// The memory.
    #[error("its area is too short or not aligned: give `area_bytes`, on a multiple of 64")]
    Area,
    /// Too many.
    #[error("the plan has more vectors than the {0} of the device: plan with fewer")]
    Vectors(u32),
    /// The device's map is fixed: configuration 0, queue n at n + 1.
    #[error("the device maps events itself: plan configuration on 0 and queue n on n + 1")]
    FixedMap,
    /// The device does not take the map.
    #[error("the device does not take the map: plan with fewer vectors")]
    Map,
    /// It does not take effect.
    #[error("the device does not enable it")]
    NotEnabled,
    /// VIS was answered with an error.
    #[error("the device refuses it: {0}")]
    Refused(InterruptError),
}

/// Why something about an interrupt was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InterruptError {
    /// Nothing can be done to a single vector.
    #[error("there is one interrupt for all: mask it where it arrives")]
    Single,
    /// Not a vector.
    #[error("no vector {0}: use one of the plan")]
    Vector(u32),
    /// Not a queue.
    #[error("no queue {0}: use one of the plan")]
    Queue(u32),
    /// The device answered with an error of VIS.
    #[error("the device answered error {error} about {index}: see the layout of VIS")]
    Answered {
        /// Its number.
        error: u32,
        /// The vector or queue it is about.
        index: u32,
    },
    /// It did not do it.
    #[error("the device did not do the command: reset it")]
    Silent,
    /// It is still there.
    #[error("the device does not disable its messages: reset it")]
    NotDisabled,
}
