// SPDX-License-Identifier: Apache-2.0 OR MIT
//! PCI config space of an endpoint.
//!
//! ```
//! use ims_vfio::pci::{Bar, Config, Identity, MsixPlace};
//!
//! let config = Config::builder(Identity {
//!     vendor: 0x1234,
//!     device: 0x5678,
//!     class: 0x08_80_00,
//!     ..Identity::default()
//! })
//! .bar(0, Bar::memory32(0x1000))
//! .bar(4, Bar::memory64(0x1000))
//! .pcie()
//! .msix(16, MsixPlace { table: (4, 0), pba: (4, 0x800) })
//! .build()?;
//! assert_eq!(config.size(), 4096);
//! # Ok::<(), ims_vfio::pci::ConfigError>(())
//! ```

mod bar;
mod builder;
mod capability;
mod error;
mod extended;
mod image;
pub mod layout;
mod state;
#[cfg(all(test, not(loom)))]
mod tests;
mod window;

use std::iter::repeat;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use bar::Bar;
pub use builder::{ConfigBuilder, Identity};
pub use capability::MsixPlace;
pub use error::ConfigError;
pub use extended::Dvsec;
pub use state::{ConfigState, StateError};
pub use window::Window;

use builder::bar_offset;
use image::{Image, get16, get32, put};
use layout::{command, express, header, msix, power, status};

/// Where in config space the registers are that mean something to the function.
#[derive(Debug, Clone, Copy, Default)]
struct Places {
    power: Option<u16>,
    device_control: Option<u16>,
    msix: Option<(u16, u16, MsixPlace)>,
    window: Option<u16>,
}

/// What the guest made of MSI-X as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MsixControl {
    /// The function uses MSI-X.
    pub enabled: bool,
    /// All vectors are masked, whatever their own mask says.
    pub masked: bool,
}

/// What a write to config space asks of the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effects {
    /// Bus mastering went on or off.
    pub bus_master: Option<bool>,
    /// A function-level reset was asked for.
    pub function_reset: bool,
    /// MSI-X was enabled, disabled, masked or unmasked.
    pub msix: Option<MsixControl>,
}

/// Config space. All methods take `&self`; a lock inside orders them. What the data
/// path asks ([`bus_master`](Self::bus_master), [`msix`](Self::msix),
/// [`intx_disabled`](Self::intx_disabled)) takes no lock.
#[derive(Debug)]
pub struct Config {
    /// Bytes that can be read.
    size: usize,
    image: Image,
    bars: [Option<Bar>; 6],
    places: Places,
    /// As many as can be anything but zero.
    bytes: Mutex<Box<[u8]>>,
    /// What the data path asks, kept beside the bytes: written under their lock.
    controls: AtomicU32,
}

/// Bits of `Config::controls`.
mod controls {
    pub(super) const BUS_MASTER: u32 = 1 << 0;
    pub(super) const MSIX: u32 = 1 << 1;
    pub(super) const MSIX_MASKED: u32 = 1 << 2;
    pub(super) const INTX_DISABLED: u32 = 1 << 3;
    pub(super) const MEMORY: u32 = 1 << 4;
}

impl Default for Config {
    /// A conventional function whose identity is all zeros, without BARs and
    /// capabilities.
    fn default() -> Self {
        let image = Image::new(layout::CONVENTIONAL_SIZE);
        Self::from_image(image, [None; 6], Places::default())
    }
}

impl Config {
    /// Begins a config space for the function that `identity` names.
    pub fn builder(identity: Identity) -> ConfigBuilder {
        ConfigBuilder::new(identity)
    }

    fn from_image(mut image: Image, bars: [Option<Bar>; 6], places: Places) -> Self {
        let size = image.initial.len();
        image.trim();
        let bytes = Mutex::new(image.initial.clone());
        Self {
            size,
            image,
            bars,
            places,
            bytes,
            controls: AtomicU32::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Box<[u8]>> {
        // Bytes cannot be left half changed: whoever panics here has not begun.
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of config space: 256, or 4096 of a PCI Express function.
    pub fn size(&self) -> u64 {
        u64::try_from(self.size).unwrap_or(u64::MAX)
    }

    fn bar(&self, index: u32) -> Option<Bar> {
        let index = usize::try_from(index).ok()?;
        self.bars.get(index).copied().flatten()
    }

    /// Size of BAR `index` in bytes; 0 if it has none (or is the upper half of one).
    pub fn bar_size(&self, index: u32) -> u64 {
        self.bar(index).map_or(0, Bar::size)
    }

    /// The address software gave BAR `index`, as far as it can be written; `None`
    /// if there is no such BAR. It means nothing while the command register does
    /// not enable its space.
    pub fn bar_address(&self, index: u32) -> Option<u64> {
        let bar = self.bar(index)?;
        let offset = bar_offset(u8::try_from(index).ok()?);
        let bytes = self.lock();
        let low = u64::from(get32(&bytes, offset));
        let high = if bar.is_wide() {
            u64::from(get32(&bytes, offset.saturating_add(4)))
        } else {
            0
        };
        Some((high << 32 | low) & bar.address_bits())
    }

    /// How many vectors MSI-X has, and where; `None` without MSI-X.
    pub fn msix_place(&self) -> Option<(u16, MsixPlace)> {
        self.places.msix.map(|(_, vectors, place)| (vectors, place))
    }

    /// Reads; bytes outside read as all ones.
    pub fn read(&self, offset: u64, data: &mut [u8]) {
        data.fill(0xff);
        let Ok(offset) = usize::try_from(offset) else {
            return;
        };
        let inside = data.len().min(self.size.saturating_sub(offset));
        let bytes = self.lock();
        let held = bytes.iter().copied().skip(offset).chain(repeat(0));
        for (to, from) in data.iter_mut().take(inside).zip(held) {
            *to = from;
        }
    }

    /// Writes what is writable, and says what follows from it.
    ///
    /// Any size at any offset; what lies outside is ignored.
    pub fn write(&self, offset: u64, data: &[u8]) -> Effects {
        let Ok(offset) = usize::try_from(offset) else {
            return Effects::default();
        };
        let mut bytes = self.lock();
        let state = self.power_state(&bytes);
        for (at, (byte, new)) in bytes.iter_mut().skip(offset).zip(data).enumerate() {
            *byte = self.image.written(offset.saturating_add(at), *byte, *new);
        }
        self.refuse_power_state(&mut bytes, state);
        let mut effects = self.publish(&bytes);
        effects.function_reset = self.asks_for_reset(offset, data);
        effects
    }

    /// The bit is not kept, so the write itself is looked at.
    fn asks_for_reset(&self, offset: usize, data: &[u8]) -> bool {
        let [_, bit] = express::INITIATE_RESET.to_le_bytes();
        self.places
            .device_control
            .and_then(|at| usize::from(at).saturating_add(1).checked_sub(offset))
            .and_then(|at| data.get(at))
            .is_some_and(|byte| byte & bit != 0)
    }

    fn power_state(&self, bytes: &[u8]) -> u16 {
        let control = self.places.power.map(|at| get16(bytes, at));
        control.unwrap_or(0) & power::STATE
    }

    /// D1 and D2 are not supported: writing them changes nothing (PCIe §7.5.2.2).
    fn refuse_power_state(&self, bytes: &mut [u8], before: u16) {
        let Some(at) = self.places.power else {
            return;
        };
        let state = self.power_state(bytes);
        if state != 0 && state != power::D3_HOT {
            let control = get16(bytes, at) & !power::STATE | before;
            put(bytes, at, &control.to_le_bytes());
        }
    }

    /// Makes known what the data path asks, and says what is new.
    fn publish(&self, bytes: &[u8]) -> Effects {
        let command = get16(bytes, header::COMMAND);
        let msix = self.places.msix.map_or(0, |(at, ..)| get16(bytes, at));
        // Out of D0 a function sends no requests (PCIe §5.3.1.4).
        let awake = self.power_state(bytes) == 0;
        let mut new = 0;
        for (on, bit) in [
            (
                command & command::BUS_MASTER != 0 && awake,
                controls::BUS_MASTER,
            ),
            (command & command::MEMORY != 0 && awake, controls::MEMORY),
            (
                command & command::INTX_DISABLE != 0,
                controls::INTX_DISABLED,
            ),
            (msix & msix::ENABLE != 0, controls::MSIX),
            (msix & msix::FUNCTION_MASK != 0, controls::MSIX_MASKED),
        ] {
            if on {
                new |= bit;
            }
        }
        let old = self.controls.swap(new, Ordering::AcqRel);
        let changed = old ^ new;
        Effects {
            bus_master: (changed & controls::BUS_MASTER != 0)
                .then_some(new & controls::BUS_MASTER != 0),
            function_reset: false,
            msix: (changed & (controls::MSIX | controls::MSIX_MASKED) != 0)
                .then(|| msix_control(new)),
        }
    }

    /// The state after power-on, as a function-level and a conventional reset leave
    /// it, too: BARs and command are clear (PCIe §6.6.2; no register here survives).
    pub fn reset(&self) {
        let mut bytes = self.lock();
        bytes.copy_from_slice(&self.image.initial);
        let _ = self.publish(&bytes);
    }

    /// Whether the device may reach memory and send messages: bus mastering is on,
    /// and the function is in D0.
    pub fn bus_master(&self) -> bool {
        self.controls.load(Ordering::Acquire) & controls::BUS_MASTER != 0
    }

    /// Whether the function answers in memory space.
    pub fn memory_space(&self) -> bool {
        self.controls.load(Ordering::Acquire) & controls::MEMORY != 0
    }

    /// Whether the function may not assert its pin.
    pub fn intx_disabled(&self) -> bool {
        self.controls.load(Ordering::Acquire) & controls::INTX_DISABLED != 0
    }

    /// What the guest made of MSI-X; all off without MSI-X.
    pub fn msix(&self) -> MsixControl {
        msix_control(self.controls.load(Ordering::Acquire))
    }

    /// Shows in the status register whether the pin is asserted inside the function.
    pub fn set_interrupt_status(&self, asserted: bool) {
        let mut bytes = self.lock();
        let mut value = get16(&bytes, header::STATUS);
        if asserted {
            value |= status::INTERRUPT;
        } else {
            value &= !status::INTERRUPT;
        }
        put(&mut bytes, header::STATUS, &value.to_le_bytes());
    }
}

fn msix_control(word: u32) -> MsixControl {
    MsixControl {
        enabled: word & controls::MSIX != 0,
        masked: word & controls::MSIX_MASKED != 0,
    }
}
