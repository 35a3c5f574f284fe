// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A whole PCI device, for `… --example minimal -- SOCKET`. BAR 0: writing n to its
//! first word raises MSI-X vector n. BAR 2: bytes. BAR 4: MSI-X table, pending bits.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use ims_vfio::dma::Dma;
use ims_vfio::irqs::{Irqs, Lines};
use ims_vfio::layout::irq;
use ims_vfio::pci::{Bar, Config, Identity, MsixPlace};
use ims_vfio::{AccessError, Device, Function, Hold};
use ims_vfio_user::{Limits, Server};

const VECTORS: u16 = 16;

struct Minimal {
    function: Function,
    scratch: Vec<AtomicU8>,
}

impl Minimal {
    fn new() -> Result<Self, Box<dyn Error>> {
        let identity = Identity {
            vendor: 0x4d49,
            device: 0x0001,
            class: 0xff_00_00,
            ..Identity::default()
        };
        let place = MsixPlace {
            table: (4, 0),
            pba: (4, 0x800),
        };
        let config = Config::builder(identity)
            .bar(0, Bar::memory32(0x1000))
            .bar(2, Bar::memory32(0x1000))
            .bar(4, Bar::memory32(0x1000))
            .msix(VECTORS, place)
            .pcie()
            .build()?;
        let function = Function {
            config,
            irqs: Irqs::new(Lines::msix(VECTORS), None)?,
            dma: Dma::default(),
        };
        let scratch = (0..0x1000).map(|_| AtomicU8::new(0)).collect();
        Ok(Self { function, scratch })
    }

    fn scratch(&self, offset: u64) -> impl Iterator<Item = &AtomicU8> {
        let begin = usize::try_from(offset).unwrap_or(usize::MAX);
        self.scratch.iter().skip(begin)
    }
}

impl Device for Minimal {
    fn function(&self) -> &Function {
        &self.function
    }

    fn read(&self, region: u32, offset: u64, data: &mut [u8]) -> Result<(), AccessError> {
        data.fill(0);
        if region == 2 {
            for (to, from) in data.iter_mut().zip(self.scratch(offset)) {
                *to = from.load(Ordering::Relaxed);
            }
        }
        Ok(())
    }

    fn write(&self, region: u32, offset: u64, data: &[u8]) -> Result<(), AccessError> {
        if (region, offset) == (0, 0) {
            let vector = u32::from_le_bytes(data.try_into().map_err(|_| AccessError::Size)?);
            // An error: the driver has not asked for this vector.
            let _ = self.function.irqs.trigger(irq::MSIX, vector);
        } else if region == 2 {
            for (to, from) in self.scratch(offset).zip(data) {
                to.store(*from, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    fn reset(&self, _: Hold) {
        self.scratch(0)
            .for_each(|to| to.store(0, Ordering::Relaxed));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("which socket?")?;
    let server = Server::start(Limits::default())?;
    server.listen(Path::new(&path), Arc::new(Minimal::new()?))?;
    server.wait();
    Ok(())
}
