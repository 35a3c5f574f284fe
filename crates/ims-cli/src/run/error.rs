// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why a run could not be set up or carried through.

use ims_host::HostError;
use ims_kvm::machine::MachineError;

/// Why a run could not be set up or carried through.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The host refused.
    #[error("{doing}: {error}")]
    Host {
        /// What was being done.
        doing: &'static str,
        /// What the host said.
        error: HostError,
    },
    /// A VM's memory could not be had.
    #[error("no {bytes} bytes of memory for VM {vm}: {error}; use fewer or smaller operations")]
    Memory {
        /// The VM.
        vm: u32,
        /// How much it needs.
        bytes: usize,
        /// What the system said.
        error: String,
    },
    /// A VM could not be had on KVM.
    #[error("VM {vm} on KVM: {error}; soft CPUs need none: --on soft")]
    Machine {
        /// The VM.
        vm: u32,
        /// What its machine said.
        error: MachineError,
    },
    /// The device could not be made.
    #[error("the device could not be made: {0}")]
    Device(#[from] ims_dsa::ConfigError),
    /// A queue could not be enabled.
    #[error("a work queue could not be enabled: {0}")]
    Queue(#[from] ims_dsa::QueueError),
    /// A thread could not be made.
    #[error("no thread: {0}; use fewer CPUs or engines")]
    Thread(#[from] std::io::Error),
    /// The latency histogram could not be made.
    #[error("no histogram: {0}")]
    Histogram(String),
    /// A file could not be written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
}

/// Says what was being done when the host refused.
pub(super) fn host(doing: &'static str) -> impl FnOnce(HostError) -> RunError {
    move |error| RunError::Host { doing, error }
}
