// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Capabilities: how long each is, and what its registers are.

use super::bar::Bar;
use super::image::{Image, put};
use super::layout::{capability, express, msix, power, window};
use super::{ConfigError, Places};

/// Where MSI-X has its table and its pending bits: BAR, and offset in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MsixPlace {
    /// The table, 16 bytes a vector.
    pub table: (u8, u32),
    /// The pending bit array, 8 bytes for each 64 vectors begun.
    pub pba: (u8, u32),
}

#[derive(Debug, Clone)]
pub(super) enum Capability {
    Power,
    Express,
    Msix {
        vectors: u16,
        place: MsixPlace,
    },
    Vendor {
        bytes: Vec<u8>,
        mask: Vec<u8>,
        /// Its data are accesses to BARs.
        window: bool,
    },
}

impl Capability {
    pub(super) fn id(&self) -> u8 {
        match self {
            Self::Power => capability::POWER,
            Self::Express => capability::EXPRESS,
            Self::Msix { .. } => capability::MSIX,
            Self::Vendor { .. } => capability::VENDOR,
        }
    }

    pub(super) fn size(&self) -> u16 {
        match self {
            Self::Power => power::SIZE,
            Self::Express => express::SIZE,
            Self::Msix { .. } => msix::SIZE,
            Self::Vendor { bytes, .. } => u16::try_from(bytes.len())
                .unwrap_or(u16::MAX)
                .saturating_add(capability::LINK + 1),
        }
    }
}

impl Capability {
    /// Writes its registers; `at` is where it begins.
    pub(super) fn put(
        &self,
        image: &mut Image,
        at: u16,
        bars: &[Option<Bar>; 6],
        places: &mut Places,
    ) -> Result<(), ConfigError> {
        match self {
            Self::Power => {
                let control = at.saturating_add(power::CONTROL);
                let capabilities = power::VERSION_3.to_le_bytes();
                let kept = power::NO_SOFT_RESET.to_le_bytes();
                put(&mut image.initial, at + power::CAPABILITIES, &capabilities);
                put(&mut image.initial, control, &kept);
                put(&mut image.writable, control, &power::STATE.to_le_bytes());
                places.power = Some(control);
            }
            Self::Express => {
                put_express(image, at);
                places.device_control = Some(at.saturating_add(express::DEVICE_CONTROL));
            }
            Self::Msix { vectors, place } => {
                check_msix(*vectors, *place, bars)?;
                let control = at.saturating_add(msix::CONTROL);
                let size = vectors.saturating_sub(1).to_le_bytes();
                let may = (msix::ENABLE | msix::FUNCTION_MASK).to_le_bytes();
                put(&mut image.initial, control, &size);
                put(&mut image.writable, control, &may);
                for (register, (bar, offset)) in
                    [(msix::TABLE, place.table), (msix::PENDING, place.pba)]
                {
                    let value = (offset | u32::from(bar)).to_le_bytes();
                    put(&mut image.initial, at.saturating_add(register), &value);
                }
                places.msix = Some((control, *vectors, *place));
            }
            Self::Vendor {
                bytes,
                mask,
                window,
            } => {
                if bytes.len() != mask.len() {
                    return Err(ConfigError::Mask);
                }
                if *window {
                    if bytes.len() != window::BODY || places.window.is_some() {
                        return Err(ConfigError::Window);
                    }
                    places.window = Some(at);
                }
                let length = u8::try_from(self.size()).map_err(|_| ConfigError::Full)?;
                let body = at.saturating_add(capability::LINK + 1);
                put(&mut image.initial, at + capability::LINK, &[length]);
                put(&mut image.initial, body, bytes);
                put(&mut image.writable, body, mask);
            }
        }
        Ok(())
    }
}

fn put_express(image: &mut Image, at: u16) {
    let initial: [(u16, &[u8]); 5] = [
        (express::CAPABILITIES, &express::VERSION_2.to_le_bytes()),
        (
            express::DEVICE_CAPABILITIES,
            &(express::ROLE_BASED_ERRORS | express::FUNCTION_LEVEL_RESET).to_le_bytes(),
        ),
        (
            express::DEVICE_CONTROL,
            &express::DEVICE_CONTROL_RESET.to_le_bytes(),
        ),
        (
            express::LINK_CAPABILITIES,
            &u32::from(express::ONE_LANE).to_le_bytes(),
        ),
        (express::LINK_STATUS, &express::ONE_LANE.to_le_bytes()),
    ];
    for (register, bytes) in initial {
        put(&mut image.initial, at.saturating_add(register), bytes);
    }
    for (register, mask) in [
        (express::DEVICE_CONTROL, express::DEVICE_CONTROL_WRITABLE),
        (express::LINK_CONTROL, express::LINK_CONTROL_WRITABLE),
    ] {
        let offset = at.saturating_add(register);
        put(&mut image.writable, offset, &mask.to_le_bytes());
    }
    let cleared = express::DEVICE_STATUS_CLEARED_BY_ONE.to_le_bytes();
    let offset = at.saturating_add(express::DEVICE_STATUS);
    put(&mut image.cleared, offset, &cleared);
}

fn check_msix(vectors: u16, place: MsixPlace, bars: &[Option<Bar>; 6]) -> Result<(), ConfigError> {
    if !(1..=msix::MAX).contains(&vectors) {
        return Err(ConfigError::Vectors(vectors));
    }
    let table = u64::from(vectors).saturating_mul(msix::ENTRY);
    let pending = u64::from(vectors).div_ceil(64).saturating_mul(8);
    let table = inside(place.table, table, bars)?;
    let pending = inside(place.pba, pending, bars)?;
    if place.table.0 == place.pba.0 && table.start < pending.end && pending.start < table.end {
        return Err(ConfigError::MsixOverlap);
    }
    Ok(())
}

fn inside(
    (bar, offset): (u8, u32),
    size: u64,
    bars: &[Option<Bar>; 6],
) -> Result<std::ops::Range<u64>, ConfigError> {
    let end = u64::from(offset).saturating_add(size);
    bars.get(usize::from(bar))
        .copied()
        .flatten()
        .filter(|there| there.is_memory() && end <= there.size())
        .filter(|_| offset.is_multiple_of(msix::ALIGN))
        .map(|_| u64::from(offset)..end)
        .ok_or(ConfigError::MsixPlace { bar, offset })
}
