// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a device is told of config space and of its client, and when.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

use std::sync::{Arc, Mutex};

use ims_vfio::dma::Dma;
use ims_vfio::irqs::{Irqs, Lines};
use ims_vfio::layout::region;
use ims_vfio::pci::{Bar, Config, Identity, MsixControl, MsixPlace};
use ims_vfio::{AccessError, Device, Endpoint, Function, Hold, Written};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    BusMaster { on: bool, memory: bool },
    Msix(MsixControl),
    Reset,
    ClientGone,
}

struct Listener {
    function: Function,
    told: Mutex<Vec<Told>>,
}

impl Listener {
    fn tell(&self, told: Told) {
        self.told.lock().unwrap().push(told);
    }

    fn told(&self) -> Vec<Told> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

impl Device for Listener {
    fn function(&self) -> &Function {
        &self.function
    }

    fn read(&self, _: u32, _: u64, data: &mut [u8]) -> Result<(), AccessError> {
        data.fill(0);
        Ok(())
    }

    fn write(&self, _: u32, _: u64, _: &[u8]) -> Result<(), AccessError> {
        Ok(())
    }

    fn reset(&self, _: Hold) {
        self.tell(Told::Reset);
    }

    fn bus_master(&self, on: bool) {
        let memory = self.function.dma.session().is_ok();
        self.tell(Told::BusMaster { on, memory });
    }

    fn msix(&self, control: MsixControl) {
        assert_eq!(self.function.config.msix(), control);
        self.tell(Told::Msix(control));
    }

    fn client_gone(&self, _: Hold) {
        self.tell(Told::ClientGone);
    }
}

fn device() -> (Arc<Listener>, Endpoint) {
    let place = MsixPlace {
        table: (0, 0),
        pba: (0, 0x800),
    };
    let config = Config::builder(Identity::default())
        .bar(0, Bar::memory32(0x1000))
        .msix(4, place)
        .build()
        .unwrap();
    let listener = Arc::new(Listener {
        function: Function {
            config,
            irqs: Irqs::new(Lines::msix(4), None).unwrap(),
            dma: Dma::default(),
        },
        told: Mutex::default(),
    });
    (Arc::clone(&listener), Endpoint::new(listener))
}

fn write(endpoint: &Endpoint, offset: u64, value: u16) {
    let written = endpoint
        .write(region::CONFIG, offset, &value.to_le_bytes())
        .unwrap();
    if let Written::Stops(stop) = written {
        endpoint.stop(stop, Hold::nobody());
    }
}

#[test]
fn a_device_learns_of_bus_mastering_when_its_memory_is_opened_or_closed() {
    let (listener, endpoint) = device();
    let told = |on| Told::BusMaster { on, memory: on };
    write(&endpoint, 4, 0x4);
    assert_eq!(listener.told(), [told(true)]);
    write(&endpoint, 4, 0x4);
    assert_eq!(listener.told(), []);
    write(&endpoint, 4, 0);
    assert_eq!(listener.told(), [told(false)]);
}

#[test]
fn a_device_learns_of_its_msix_and_of_a_client_that_went() {
    let (listener, endpoint) = device();
    let control = |enabled, masked| Told::Msix(MsixControl { enabled, masked });
    write(&endpoint, 0x42, 0x8000);
    write(&endpoint, 0x42, 0xc000);
    assert_eq!(listener.told(), [control(true, false), control(true, true)]);
    endpoint.detach(Hold::nobody());
    assert_eq!(listener.told(), [Told::ClientGone]);
    endpoint.reset(Hold::nobody());
    assert_eq!(listener.told(), [Told::Reset]);
}

/// A device whose BAR 0 is bytes.
struct Bytes {
    function: Function,
    bytes: Mutex<[u8; 16]>,
}

impl Device for Bytes {
    fn function(&self) -> &Function {
        &self.function
    }

    fn read(&self, region: u32, offset: u64, data: &mut [u8]) -> Result<(), AccessError> {
        assert_eq!(region, 0);
        let at = usize::try_from(offset).unwrap();
        data.copy_from_slice(&self.bytes.lock().unwrap()[at..at + data.len()]);
        Ok(())
    }

    fn write(&self, region: u32, offset: u64, data: &[u8]) -> Result<(), AccessError> {
        assert_eq!(region, 0);
        let at = usize::try_from(offset).unwrap();
        self.bytes.lock().unwrap()[at..at + data.len()].copy_from_slice(data);
        Ok(())
    }
}

#[test]
fn accesses_to_the_data_of_a_window_are_accesses_to_the_bar_it_is_set_to() {
    let mut mask = [0xff; 17];
    mask[13..].fill(0);
    let config = Config::builder(Identity::default())
        .bar(0, Bar::memory32(16))
        .window(&[0; 17], &mask)
        .build()
        .unwrap();
    let device = Arc::new(Bytes {
        function: Function {
            config,
            irqs: Irqs::default(),
            dma: Dma::default(),
        },
        bytes: Mutex::new(std::array::from_fn(|at| at as u8)),
    });
    let endpoint = Endpoint::new(device.clone());
    let at = 0x40_u64;
    let set = |bar: u8, offset: u32, length: u32| {
        for (register, bytes) in [
            (4, &[bar][..]),
            (8, &offset.to_le_bytes()),
            (12, &length.to_le_bytes()),
        ] {
            let written = endpoint.write(region::CONFIG, at + register, bytes);
            assert_eq!(written, Ok(Written::Done));
        }
    };
    let read = |bytes: usize| {
        let mut data = [0; 8];
        let into = &mut data[..bytes];
        endpoint.read(region::CONFIG, at + 16, into).unwrap();
        u64::from_le_bytes(data)
    };
    set(0, 4, 4);
    assert_eq!(read(4), 0x0706_0504);
    set(0, 6, 2);
    assert_eq!(read(2), 0x0706);
    let written = endpoint.write(region::CONFIG, at + 16, &[0xaa, 0xbb]);
    assert_eq!(written, Ok(Written::Done));
    assert_eq!(device.bytes.lock().unwrap()[5..9], [5, 0xaa, 0xbb, 8]);
    // What lies behind the window's length is config space.
    assert_eq!(read(4), 0xbbaa);
    // Whatever cannot be is no access at all.
    for (bar, offset, length) in [
        (0, 5, 4),
        (0, 16, 1),
        (0, 12, 8),
        (0, 0, 0),
        (0, 0, 3),
        (0, u32::MAX, 1),
        (1, 0, 1),
        (6, 0, 1),
        (0xff, 0, 1),
    ] {
        set(bar, offset, length);
        assert_eq!(read(8), 0, "{bar} {offset} {length}");
        let written = endpoint.write(region::CONFIG, at + 16, &[9; 4]);
        assert_eq!(written, Ok(Written::Done));
    }
    set(0, 0, 4);
    // Too short, or somewhere else in the data.
    let mut data = [0; 2];
    endpoint.read(region::CONFIG, at + 16, &mut data).unwrap();
    assert_eq!(data, [0; 2]);
    endpoint.read(region::CONFIG, at + 18, &mut data).unwrap();
    assert_eq!(data, [0; 2]);
    assert_eq!(device.bytes.lock().unwrap()[..4], [0, 1, 2, 3]);
}
