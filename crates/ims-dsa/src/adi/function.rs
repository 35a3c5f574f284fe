// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a virtual device announces: to its bus, and in its registers.

use ims_vfio::pci::{Bar, Config, ConfigError, Identity, MsixPlace};

use super::config::AdiConfig;
use crate::front::map::{MSIX_PENDING, MSIX_TABLE, portals_size, registers_size};
use crate::front::{Configured, Parameters};

/// Registers, tables and the MSI-X structures.
pub(super) const BAR_REGISTERS: u32 = 0;
/// Portals.
pub(super) const BAR_PORTALS: u32 = 2;

/// Intel's vendor ID, and the DSA's device ID (Linux `include/linux/pci_ids.h`).
const VENDOR: u16 = 0x8086;
const DEVICE: u16 = 0x0b25;
/// Base class 08h (system peripheral), sub-class 80h (other).
const CLASS: u32 = 0x08_80_00;

/// The registers of a device that its guest finds configured: one group with all
/// the parent's engines, one queue.
///
/// The event log is there because Linux up to 6.12 disables devices without one
/// badly. No PASIDs and no store: whom it submits as and where its interrupts go is
/// the host's to say. No block on fault: engines are everybody's.
pub(super) fn parameters(config: &AdiConfig, engines: u8) -> Parameters {
    Parameters {
        version: config.version,
        queues: 1,
        queue_entries: config.queue_size,
        groups: 1,
        engines,
        wide_queue_config: true,
        max_transfer_shift: config.max_transfer_shift,
        max_batch_shift: config.max_batch_shift,
        ims_entries: 0,
        vectors: config.vectors,
        configurable: false,
        interrupt_handles: true,
        event_log: true,
        block_on_fault: false,
        pasids: false,
        operations: config.operations,
        ..Parameters::default()
    }
}

/// What stands in group and queue configuration.
pub(super) fn configured(config: &AdiConfig, engines: u8) -> Configured {
    Configured {
        queue_size: config.queue_size,
        engines,
        priority: config.priority,
        block_on_fault: false,
    }
}

/// Config space: two 64-bit memory BARs, MSI-X in the first, function-level reset.
pub(super) fn config_space(parameters: &Parameters) -> Result<Config, ConfigError> {
    let identity = Identity {
        vendor: VENDOR,
        device: DEVICE,
        class: CLASS,
        ..Identity::default()
    };
    let place = |offset: u64| (0, u32::try_from(offset).unwrap_or(u32::MAX));
    let place = MsixPlace {
        table: place(MSIX_TABLE),
        pba: place(MSIX_PENDING),
    };
    Config::builder(identity)
        .bar(0, Bar::memory64(registers_size(parameters)))
        .bar(2, Bar::memory64(portals_size(parameters)))
        .pcie()
        .msix(parameters.vectors, place)
        .build()
}
