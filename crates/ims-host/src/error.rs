// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why the host refused.

use ims::domain::DomainError;
use ims::remap::ControlError;

/// Why the host refused. Nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The core's control half refused.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// A remap unit could not be made.
    #[error("the remap unit could not be made: {0}")]
    Unit(#[from] ControlError),
    /// The operating system gave no thread for a soft CPU.
    #[error("no thread for soft CPU {cpu}: {source}; use fewer CPUs or raise the thread limit")]
    Thread {
        /// The CPU's host-wide number.
        cpu: u32,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Something did not become quiet in the time given.
    #[error("{left} interrupts were not quiet in time; a handler may be stuck")]
    NotQuiet {
        /// How many are left.
        left: usize,
    },
}
