// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Registers to behaviour.

use std::error::Error;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ims_vfio::dma::Dma;
use ims_vfio::irqs::{Irqs, Lines};
use ims_vfio::layout::irq;
use ims_vfio::pci::{Bar, Config, Identity, MsixPlace};
use ims_vfio::{AccessError, Device, Function, Hold};

use crate::messages::Messages;
use crate::registers as reg;
use crate::slots::{Raise, Slots};

/// The device.
pub(crate) struct ImsStore {
    function: Function,
    slots: Mutex<Slots>,
    messages: Arc<Messages>,
    kept: AtomicU32,
    scratch: AtomicU64,
}

impl ImsStore {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let identity = Identity {
            vendor: reg::VENDOR,
            device: reg::DEVICE,
            class: reg::CLASS,
            ..Identity::default()
        };
        let place = MsixPlace {
            table: (4, 0),
            pba: (4, 0x800),
        };
        let config = Config::builder(identity)
            .bar(0, Bar::memory32(reg::BAR_SIZE))
            .bar(4, Bar::memory32(0x1000))
            .msix(reg::VECTORS, place)
            .pcie()
            .build()?;
        Ok(Self {
            function: Function {
                config,
                irqs: Irqs::new(Lines::msix(reg::VECTORS), None)?,
                dma: Dma::default(),
            },
            slots: Mutex::new(Slots::new(reg::SLOTS)),
            messages: Arc::default(),
            kept: AtomicU32::new(0),
            scratch: AtomicU64::new(0),
        })
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn raise(&self, slot: u32) {
        // Not under the lock: the answer may come at once.
        let raise = self.slots().raise(slot);
        match raise {
            Raise::Send(message) => self.messages.send(&self.function.dma, message),
            Raise::Kept => {
                self.kept.fetch_add(1, Ordering::Relaxed);
            }
            Raise::NoSuchSlot => {}
        }
    }

    fn register(&self, offset: u64) -> u32 {
        let messages = &self.messages;
        match offset {
            reg::MAGIC => reg::MAGIC_VALUE,
            reg::VERSION => 1,
            reg::SLOT_COUNT => reg::SLOTS,
            reg::STORE_OFFSET => u32::try_from(reg::STORE).unwrap_or(0),
            reg::SENT => messages.sent.load(Ordering::Relaxed),
            reg::REFUSED => messages.refused.load(Ordering::Relaxed),
            reg::LAST_ERRNO => messages.last_errno.load(Ordering::Relaxed).unsigned_abs(),
            reg::KEPT => self.kept.load(Ordering::Relaxed),
            // Acquire: what was counted before shows in the other registers.
            reg::UNDER_WAY => messages.under_way.load(Ordering::Acquire),
            reg::STORE.. => self.slots().read(offset - reg::STORE),
            _ => 0,
        }
    }

    fn write_register(&self, offset: u64, value: u32) {
        match offset {
            reg::RAISE_MSIX => {
                // An error: the driver has not asked for this vector.
                let _ = self.function.irqs.trigger(irq::MSIX, value);
            }
            reg::RAISE_SLOT => self.raise(value),
            reg::RAISE_FIRST => (0..value.min(reg::SLOTS)).for_each(|slot| self.raise(slot)),
            reg::STORE.. => {
                let unmasked = self.slots().write(offset - reg::STORE, value);
                if let Some(message) = unmasked {
                    self.messages.send(&self.function.dma, message);
                }
            }
            _ => {}
        }
    }
}

/// Where the words of an access begin, and where their bytes are in it.
fn words(offset: u64, length: usize) -> Option<impl Iterator<Item = (u64, usize)>> {
    let aligned = offset.is_multiple_of(4) && length.is_multiple_of(4);
    aligned.then(|| (offset..).step_by(4).zip((0..length).step_by(4)))
}

impl Device for ImsStore {
    fn function(&self) -> &Function {
        &self.function
    }

    fn read(&self, region: u32, offset: u64, data: &mut [u8]) -> Result<(), AccessError> {
        data.fill(0);
        if (region, offset, data.len()) == (0, reg::SCRATCH, 8) {
            let scratch = self.scratch.load(Ordering::Relaxed);
            data.copy_from_slice(&scratch.to_le_bytes());
        } else if region == 0 {
            for (offset, at) in words(offset, data.len()).ok_or(AccessError::Size)? {
                if let Some(word) = data.get_mut(at..at + 4) {
                    word.copy_from_slice(&self.register(offset).to_le_bytes());
                }
            }
        }
        Ok(())
    }

    fn write(&self, region: u32, offset: u64, data: &[u8]) -> Result<(), AccessError> {
        if region != 0 {
            return Ok(());
        }
        if let (reg::SCRATCH, Ok(bytes)) = (offset, data.try_into()) {
            self.scratch
                .store(u64::from_le_bytes(bytes), Ordering::Relaxed);
            return Ok(());
        }
        for (offset, at) in words(offset, data.len()).ok_or(AccessError::Size)? {
            if let Some(Ok(word)) = data.get(at..at + 4).map(TryInto::try_into) {
                self.write_register(offset, u32::from_le_bytes(word));
            }
        }
        Ok(())
    }

    fn reset(&self, _hold: Hold) {
        *self.slots() = Slots::new(reg::SLOTS);
        self.messages.reset();
        self.kept.store(0, Ordering::Relaxed);
        self.scratch.store(0, Ordering::Relaxed);
    }
}
