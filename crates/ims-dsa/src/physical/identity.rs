// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the function is on its bus: ids, BARs, capabilities.

use ims_vfio::pci::{Bar, Config, ConfigError, Dvsec, Identity, MsixPlace};

use super::config::{PhysicalConfig, PhysicalError};
use super::siov;
use crate::front::map;

const VENDOR: u16 = 0x8086;
/// System peripheral, other.
const CLASS: u32 = 0x08_80_00;

/// The BAR of the registers.
pub(super) const REGISTERS_BAR: u32 = 0;
/// The BAR of the portals; it is of 64 bits, as the one before it.
pub(super) const PORTALS_BAR: u32 = 2;

/// Config space of a function like `config`.
pub(super) fn config_space(config: &PhysicalConfig) -> Result<Config, PhysicalError> {
    let parameters = &config.parameters;
    let identity = Identity {
        vendor: VENDOR,
        device: config.device_id,
        class: CLASS,
        revision: 0,
        subsystem_vendor: VENDOR,
        subsystem: 0,
    };
    let place = MsixPlace {
        table: (0, place(map::MSIX_TABLE)?),
        pba: (0, place(map::MSIX_PENDING)?),
    };
    let mut builder = Config::builder(identity)
        .bar(0, Bar::memory64(map::registers_size(parameters)))
        .bar(2, Bar::memory64(map::portals_size(parameters)))
        .power_management()
        .pcie()
        .msix(parameters.vectors, place);
    if parameters.ims_entries > 0 {
        builder = builder.dvsec(scalable_iov());
    }
    Ok(builder.build()?)
}

fn place(offset: u64) -> Result<u32, PhysicalError> {
    let outside = ConfigError::MsixPlace {
        bar: 0,
        offset: u32::MAX,
    };
    u32::try_from(offset).map_err(|_| outside.into())
}

/// Says that there is an Interrupt Message Store; pages are of 4 KiB.
fn scalable_iov() -> Dvsec {
    let mut bytes = vec![0; siov::BODY_SIZE];
    for (at, value) in [
        (siov::SUPPORTED_PAGES, siov::PAGES_4K),
        (siov::SYSTEM_PAGE, siov::PAGES_4K),
        (siov::CAPABILITIES, siov::IMS_SUPPORTED),
    ] {
        for (to, from) in bytes.iter_mut().skip(at).zip(value.to_le_bytes()) {
            *to = from;
        }
    }
    Dvsec {
        vendor: siov::VENDOR,
        id: siov::ID,
        revision: siov::REVISION,
        mask: vec![0; bytes.len()],
        bytes,
    }
}
