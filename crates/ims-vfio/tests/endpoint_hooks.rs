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
