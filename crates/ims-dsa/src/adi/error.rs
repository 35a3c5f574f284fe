// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why there is no parent, or no virtual device.

use std::io;

use ims_host::HostError;
use ims_vfio::irqs::{LinesError, VectorError};
use ims_vfio::pci::ConfigError as PciError;

use crate::config::ConfigError;
use crate::front::ParameterError;

/// Why a physical device cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParentError {
    /// Not a number of engines.
    #[error("{asked} engines: must be 1 to {most}")]
    Engines {
        /// What was asked for.
        asked: u8,
        /// The most.
        most: u8,
    },
    /// Not a size of an Interrupt Message Store.
    #[error("an IMS of {0} entries: must be a multiple of 256, 256 to 16128")]
    Ims(u32),
    /// Not a number of CPUs.
    #[error("{asked} CPUs: must be {fewest} to {most}; leave it out for as many as the IMS needs")]
    Cpus {
        /// What was asked for.
        asked: u32,
        /// The fewest.
        fewest: u32,
        /// The most.
        most: u32,
    },
    /// The host refused.
    #[error("the parent's interrupts could not be made: {0}")]
    Host(#[from] HostError),
    /// The engines cannot be like this.
    #[error("the parent's engines cannot be like this: {0}")]
    Config(#[from] ConfigError),
    /// The operating system gave no thread for an engine.
    #[error("no thread for an engine: {0}; use fewer engines or raise the thread limit")]
    Thread(#[from] io::Error),
}

/// Why no virtual device was composed. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// A number is out of range.
    #[error("{what}: {asked} is not {from} to {to}")]
    Range {
        /// Which.
        what: &'static str,
        /// What was asked for.
        asked: u32,
        /// The least.
        from: u32,
        /// The most.
        to: u32,
    },
    /// Not a version of the device.
    #[error("version {0:#x}: there are 0x100 and 0x200")]
    Version(u16),
    /// More vectors than entries there are, whoever has them.
    #[error("{asked} IMS-backed vectors: the parent's IMS has {entries} entries; ask for fewer")]
    Vectors {
        /// What was asked for.
        asked: u32,
        /// How many there are.
        entries: u32,
    },
    /// Every PASID is somebody's.
    #[error("all {0} PASIDs are in use; destroy an interface first")]
    NoPasid(u32),
    /// The parent has no such interrupts.
    #[error("its interrupts cannot be like this: {0}")]
    Lines(#[from] LinesError),
    /// A vector could not be declared.
    #[error("its interrupts cannot be like this: {0}")]
    Vector(#[from] VectorError),
    /// Its registers cannot say this.
    #[error("its registers cannot be like this: {0}")]
    Registers(#[from] ParameterError),
    /// Config space cannot be like this.
    #[error("its config space cannot be like this: {0}")]
    Pci(#[from] PciError),
}
