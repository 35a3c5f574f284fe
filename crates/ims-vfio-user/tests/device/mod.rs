// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device with a bit of everything, whose work is done by the tests themselves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test"
)]
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test uses its own part of it"
)]

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use ims_vfio::dma::Dma;
use ims_vfio::irqs::{Irqs, Lines};
use ims_vfio::layout::irq;
use ims_vfio::pci::{Bar, Config, Identity, MsixPlace};
use ims_vfio::{AccessError, Device, Function, Hold, IoFd, IoFdKind, Shared, SharedArea};
use ims_vfio_user::{Limits, Server};
use rustix::event::{EventfdFlags, eventfd};

use crate::peer;

pub const VECTORS: u16 = 64;
/// BAR 0: plain bytes, but for these.
pub const BAR_SIZE: u64 = 0x1000;
/// Writing n raises MSI-X vector n.
pub const RAISE: u64 = 0xf00;
/// Writing here fails with this errno.
pub const FAILS: u64 = 0xf08;
pub const FAILS_WITH: i32 = 5;
/// Writing here is a defect of the device's.
pub const PANICS: u64 = 0xf10;
/// BAR 2 can be mapped, in part.
pub const SHARED_BAR: u32 = 2;

/// A device that is being served.
pub struct Served {
    pub device: Arc<TestDevice>,
    pub server: Server,
    pub place: peer::Place,
}

/// Serves `device` at a path that is called after `name`.
pub fn serve(name: &str, device: TestDevice) -> Served {
    let place = peer::Place::new(name);
    let device = Arc::new(device);
    let server = Server::start(Limits::default()).unwrap();
    server
        .listen(&place.0, Arc::clone(&device) as Arc<dyn Device>)
        .unwrap();
    Served {
        device,
        server,
        place,
    }
}

pub struct TestDevice {
    function: Function,
    bytes: Mutex<Vec<u8>>,
    pub shared: Option<Arc<OwnedFd>>,
    pub doorbell: Arc<OwnedFd>,
    pub resets: AtomicU32,
    /// What a reset waits for.
    pub busy: Mutex<Vec<Hold>>,
    keep_resets: bool,
}

impl TestDevice {
    pub fn new() -> Self {
        Self::with_lines(Lines {
            intx: true,
            msi: 4,
            msix: VECTORS.into(),
            err: true,
            req: true,
        })
    }

    pub fn with_lines(lines: Lines) -> Self {
        Self::with_irqs(lines, Irqs::new(lines, None).unwrap())
    }

    /// Whose interrupts are these.
    pub fn with_irqs(lines: Lines, irqs: Irqs) -> Self {
        let identity = Identity {
            vendor: 0x4d49,
            device: 0x7e57,
            class: 0xff_00_00,
            ..Identity::default()
        };
        let place = MsixPlace {
            table: (4, 0),
            pba: (4, 0x8000),
        };
        let config = Config::builder(identity)
            .bar(0, Bar::memory32(BAR_SIZE))
            .bar(2, Bar::memory64(0x4000))
            .bar(4, Bar::memory32(0x1_0000))
            .msix(u16::try_from(lines.msix).unwrap(), place)
            .pcie()
            .build()
            .unwrap();
        Self {
            function: Function {
                config,
                irqs,
                dma: Dma::default(),
            },
            bytes: Mutex::new(vec![0; BAR_SIZE as usize]),
            shared: None,
            doorbell: Arc::new(eventfd(0, EventfdFlags::NONBLOCK).unwrap()),
            resets: AtomicU32::new(0),
            busy: Mutex::default(),
            keep_resets: false,
        }
    }

    /// Whose resets wait until [`TestDevice::busy`] is emptied.
    pub fn keeping_resets(self) -> Self {
        Self {
            keep_resets: true,
            ..self
        }
    }

    /// With a BAR that clients may map in part.
    pub fn sharing() -> Self {
        Self {
            shared: Some(Arc::new(peer::memory(0x8000))),
            ..Self::new()
        }
    }
}

impl Device for TestDevice {
    fn function(&self) -> &Function {
        &self.function
    }

    fn read(&self, region: u32, offset: u64, data: &mut [u8]) -> Result<(), AccessError> {
        data.fill(0);
        if region == 0 {
            let begin = offset as usize;
            data.copy_from_slice(&self.bytes.lock().unwrap()[begin..begin + data.len()]);
        }
        Ok(())
    }

    fn write(&self, region: u32, offset: u64, data: &[u8]) -> Result<(), AccessError> {
        match (region, offset) {
            (0, RAISE) => {
                let vector = u32::from_le_bytes(data.try_into().map_err(|_| AccessError::Size)?);
                let _ = self.function.irqs.trigger(irq::MSIX, vector);
            }
            (0, FAILS) => {
                let errno = rustix::io::Errno::from_raw_os_error(FAILS_WITH);
                return Err(AccessError::Device(errno));
            }
            (0, PANICS) => panic!("as asked"),
            (0, begin) => {
                let begin = begin as usize;
                self.bytes.lock().unwrap()[begin..begin + data.len()].copy_from_slice(data);
            }
            _ => {}
        }
        Ok(())
    }

    fn reset(&self, hold: Hold) {
        self.resets.fetch_add(1, Ordering::Relaxed);
        self.bytes.lock().unwrap().fill(0);
        if self.keep_resets {
            self.busy.lock().unwrap().push(hold);
        }
    }

    fn shared(&self, region: u32) -> Option<Shared> {
        let file = self.shared.as_ref().filter(|_| region == SHARED_BAR)?;
        let areas = vec![
            SharedArea {
                offset: 0,
                size: 0x1000,
            },
            SharedArea {
                offset: 0x3000,
                size: 0x1000,
            },
        ];
        Some(Shared {
            file: Arc::clone(file),
            offset: 0x4000,
            areas,
        })
    }

    fn io_fds(&self, region: u32) -> Vec<IoFd> {
        let entry = |offset, datamatch| IoFd {
            offset,
            size: 4,
            file: Arc::clone(&self.doorbell),
            kind: IoFdKind::Eventfd { datamatch },
        };
        if region == 0 {
            vec![entry(0x100, None), entry(0x104, Some(7))]
        } else {
            Vec::new()
        }
    }
}
