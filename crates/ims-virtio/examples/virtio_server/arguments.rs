// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the command line says.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ims_virtio::layout::msi::Layout;

/// Serves a virtio device over vfio-user.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// How the driver reaches the device, and the device the driver.
    #[arg(long, value_enum, default_value = "pci")]
    pub(crate) transport: Transport,
    /// Request queues of a block device.
    #[arg(long, default_value_t = 1)]
    pub(crate) queues: u16,
    /// Interrupt vectors: of MSI-X, MSI or VIS. A vector for each queue and one for the
    /// configuration, unless it is given.
    #[arg(long)]
    pub(crate) vectors: Option<u16>,
    /// MSI: events share vectors as the driver maps them. It is so anyway if there are
    /// fewer vectors than events.
    #[arg(long)]
    pub(crate) sharing: bool,
    /// MSI: which bits and registers.
    #[arg(long, value_enum, default_value = "clear")]
    pub(crate) layout: Bits,
    #[command(subcommand)]
    pub(crate) device: Device,
}

/// The transports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// virtio-pci with MSI-X, or the pin.
    Pci,
    /// virtio-mmio with its single interrupt.
    Mmio,
    /// virtio-mmio that offers MSI too.
    Msi,
    /// virtio-mmio that offers virtio interrupt storage too.
    Vis,
}

/// The layouts of MSI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bits {
    /// What today's virtio leaves free.
    Clear,
    /// As the kernel's patch of 2020 has it.
    Kernel,
    /// As the specification's text of 2020 has it.
    Text,
}

impl From<Bits> for Layout {
    fn from(bits: Bits) -> Self {
        match bits {
            Bits::Clear => Self::CLEAR,
            Bits::Kernel => Self::KERNEL,
            Bits::Text => Self::TEXT,
        }
    }
}

/// The devices.
#[derive(Debug, Subcommand)]
pub(crate) enum Device {
    /// A block device on a file.
    Block(Block),
    /// An entropy source.
    Entropy {
        /// Where clients come.
        socket: PathBuf,
    },
}

/// A block device.
#[derive(Debug, Args)]
pub(crate) struct Block {
    /// Threads that read and write.
    #[arg(long, default_value_t = 2)]
    pub(crate) workers: u16,
    /// Refuse writes.
    #[arg(long)]
    pub(crate) read_only: bool,
    /// The file.
    pub(crate) file: PathBuf,
    /// Where clients come.
    pub(crate) socket: PathBuf,
}

impl Device {
    pub(crate) fn socket(&self) -> &PathBuf {
        match self {
            Self::Block(block) => &block.socket,
            Self::Entropy { socket } => socket,
        }
    }
}
