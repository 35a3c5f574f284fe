// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How config space is put together, and what is refused.

use super::bar::Bar;
use super::capability::{Capability, MsixPlace};
use super::extended::{self, Dvsec};
use super::image::{Image, put};
use super::layout::{CONVENTIONAL_SIZE, EXTENDED_SIZE, capability, command, header, status};
use super::{Config, ConfigError, Places};

/// Who a function says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Identity {
    /// Vendor ID; 0xffff is no function at all.
    pub vendor: u16,
    /// Device ID.
    pub device: u16,
    /// Class code, 24 bits: base class, sub-class, programming interface, from the
    /// top.
    pub class: u32,
    /// Revision ID.
    pub revision: u8,
    /// Subsystem vendor ID.
    pub subsystem_vendor: u16,
    /// Subsystem ID.
    pub subsystem: u16,
}

/// Puts config space together: see [`Config::builder`].
#[derive(Debug, Clone)]
pub struct ConfigBuilder {
    identity: Identity,
    pin: u8,
    bars: Vec<(u8, Bar)>,
    capabilities: Vec<Capability>,
    extended: Vec<Dvsec>,
}

impl ConfigBuilder {
    pub(crate) fn new(identity: Identity) -> Self {
        Self {
            identity,
            pin: 0,
            bars: Vec::new(),
            capabilities: Vec::new(),
            extended: Vec::new(),
        }
    }

    /// The function has an interrupt pin: 1 (INTA) to 4 (INTD).
    #[must_use]
    pub fn pin(mut self, pin: u8) -> Self {
        self.pin = pin;
        self
    }

    /// The function asks for `bar` in register `index`.
    #[must_use]
    pub fn bar(mut self, index: u8, bar: Bar) -> Self {
        self.bars.push((index, bar));
        self
    }

    /// It is a PCI Express endpoint with function-level reset; config space has
    /// 4096 bytes.
    #[must_use]
    pub fn pcie(mut self) -> Self {
        self.capabilities.push(Capability::Express);
        self
    }

    /// It has MSI-X with `vectors` vectors, its structures at `place`.
    #[must_use]
    pub fn msix(mut self, vectors: u16, place: MsixPlace) -> Self {
        self.capabilities.push(Capability::Msix { vectors, place });
        self
    }

    /// It has power management: D0 and D3hot, and no reset between them.
    #[must_use]
    pub fn power_management(mut self) -> Self {
        self.capabilities.push(Capability::Power);
        self
    }

    /// It has a vendor-specific capability. `bytes` come after ID, link and length;
    /// software may write the bits that are set in `mask`. There may be several.
    #[must_use]
    pub fn vendor(mut self, bytes: &[u8], mask: &[u8]) -> Self {
        self.capabilities.push(Capability::Vendor {
            bytes: bytes.to_vec(),
            mask: mask.to_vec(),
            window: false,
        });
        self
    }

    /// It has a vendor-specific capability as [`vendor`](Self::vendor) does, which is a
    /// [`Window`](super::Window): accesses to its data go to the BARs. There is one at
    /// most, of the 17 bytes that [`layout::window`](super::layout::window) says.
    #[must_use]
    pub fn window(mut self, bytes: &[u8], mask: &[u8]) -> Self {
        self.capabilities.push(Capability::Vendor {
            bytes: bytes.to_vec(),
            mask: mask.to_vec(),
            window: true,
        });
        self
    }

    /// It has a designated vendor-specific extended capability, and so must be a
    /// PCI Express endpoint. There may be several.
    #[must_use]
    pub fn dvsec(mut self, dvsec: Dvsec) -> Self {
        self.extended.push(dvsec);
        self
    }

    /// Config space, as after power-on.
    ///
    /// # Errors
    /// [`ConfigError`]: the first thing that cannot be.
    pub fn build(self) -> Result<Config, ConfigError> {
        let express = self
            .capabilities
            .iter()
            .any(|capability| matches!(capability, Capability::Express));
        let mut image = Image::new(if express {
            EXTENDED_SIZE
        } else {
            CONVENTIONAL_SIZE
        });
        self.header(&mut image, express)?;
        let bars = self.bars(&mut image)?;
        let places = self.chain(&mut image, &bars)?;
        extended::chain(&self.extended, express, &mut image)?;
        Ok(Config::from_image(image, bars, places))
    }

    fn header(&self, image: &mut Image, express: bool) -> Result<(), ConfigError> {
        let id = self.identity;
        if id.vendor == u16::MAX {
            return Err(ConfigError::Vendor);
        }
        if id.class >> 24 != 0 {
            return Err(ConfigError::Class(id.class));
        }
        if self.pin > 4 {
            return Err(ConfigError::Pin(self.pin));
        }
        let [low, middle, high, _] = id.class.to_le_bytes();
        let bytes = &mut image.initial;
        put(bytes, header::VENDOR, &id.vendor.to_le_bytes());
        put(bytes, header::DEVICE, &id.device.to_le_bytes());
        put(bytes, header::REVISION, &[id.revision]);
        put(bytes, header::CLASS, &[low, middle, high]);
        put(
            bytes,
            header::SUBSYSTEM_VENDOR,
            &id.subsystem_vendor.to_le_bytes(),
        );
        put(bytes, header::SUBSYSTEM, &id.subsystem.to_le_bytes());
        put(bytes, header::INTERRUPT_PIN, &[self.pin]);
        let writable = &mut image.writable;
        put(writable, header::COMMAND, &command::WRITABLE.to_le_bytes());
        put(writable, header::CACHE_LINE, &[0xff]);
        put(writable, header::LATENCY, &[if express { 0 } else { 0xff }]);
        put(writable, header::INTERRUPT_LINE, &[0xff]);
        let cleared = status::CLEARED_BY_ONE.to_le_bytes();
        put(&mut image.cleared, header::STATUS, &cleared);
        let device = (status::CLEARED_BY_ONE | status::INTERRUPT).to_le_bytes();
        put(&mut image.device, header::STATUS, &device);
        Ok(())
    }

    /// Writes the registers; the answer has a BAR at the index of its lower half.
    fn bars(&self, image: &mut Image) -> Result<[Option<Bar>; 6], ConfigError> {
        let mut bars = [None; 6];
        let mut taken = [false; 6];
        for &(index, bar) in &self.bars {
            if !bar.is_possible() {
                let size = bar.size();
                return Err(ConfigError::BarSize { index, size });
            }
            let first = usize::from(index);
            let count = if bar.is_wide() { 2 } else { 1 };
            let registers = taken.iter_mut().skip(first).take(count);
            if registers.len() < count {
                return Err(ConfigError::Bar(index));
            }
            for register in registers {
                if std::mem::replace(register, true) {
                    return Err(ConfigError::Bar(index));
                }
            }
            if let Some(place) = bars.get_mut(first) {
                *place = Some(bar);
            }
            let offset = bar_offset(index);
            let width = 4 * count;
            let mask = bar.address_bits().to_le_bytes();
            let mask = mask.get(..width).unwrap_or_default();
            put(&mut image.writable, offset, mask);
            put(&mut image.initial, offset, &bar.type_bits().to_le_bytes());
        }
        Ok(bars)
    }

    fn chain(&self, image: &mut Image, bars: &[Option<Bar>; 6]) -> Result<Places, ConfigError> {
        let mut places = Places::default();
        let mut seen = Vec::new();
        let mut at = header::END;
        let mut link = header::CAPABILITIES;
        for capability in &self.capabilities {
            let id = capability.id();
            if id != capability::VENDOR && seen.contains(&id) {
                return Err(ConfigError::Twice(id));
            }
            seen.push(id);
            let end = at.saturating_add(capability.size());
            let here = u8::try_from(at).map_err(|_| ConfigError::Full)?;
            if end > CONVENTIONAL_SIZE {
                return Err(ConfigError::Full);
            }
            put(&mut image.initial, link, &[here]);
            put(&mut image.initial, at, &[id, 0]);
            link = at.saturating_add(1);
            capability.put(image, at, bars, &mut places)?;
            // The next one begins at a multiple of four.
            at = end.saturating_add(3) & !3;
        }
        if !seen.is_empty() {
            let bits = status::CAPABILITIES.to_le_bytes();
            put(&mut image.initial, header::STATUS, &bits);
        }
        Ok(places)
    }
}

/// Where register `index` is.
pub(crate) fn bar_offset(index: u8) -> u16 {
    header::BAR0.saturating_add(u16::from(index).saturating_mul(4))
}
