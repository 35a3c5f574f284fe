// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a physical function is made from, and why one cannot be made.

use ims_vfio::dma;
use ims_vfio::irqs::LinesError;
use ims_vfio::pci::ConfigError;

use crate::front::{ParameterError, Parameters};

/// The device id of the first generation, which drivers know.
pub const DEVICE_ID: u16 = 0x0b25;

/// What a physical function is like.
#[derive(Debug, Clone)]
pub struct PhysicalConfig {
    /// What it announces.
    pub parameters: Parameters,
    /// The PCI device id; [`DEVICE_ID`] unless another is given.
    pub device_id: u16,
    /// How many maps of its memory a client may have.
    pub maps: usize,
}

impl Default for PhysicalConfig {
    fn default() -> Self {
        Self {
            parameters: Parameters::default(),
            device_id: DEVICE_ID,
            maps: dma::MAPS,
        }
    }
}

/// Why a physical function cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PhysicalError {
    /// Registers cannot announce it.
    #[error(transparent)]
    Parameters(#[from] ParameterError),
    /// Config space cannot show it.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It cannot have such interrupts.
    #[error(transparent)]
    Lines(#[from] LinesError),
}
