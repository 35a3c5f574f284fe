// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A plain driver on the entropy source.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

use std::sync::Arc;

use ims_vfio::Hold;
use vm_memory::{Bytes, GuestAddress};

use super::{Entropy, MOST};
use crate::device::{Device, Setup, StartError};
use crate::queues::testing::{Backing, Buffer, Driver, RINGS, Ram, Told, backing, ram};

const BYTES: usize = 1 << 20;

struct Machine {
    entropy: Entropy,
    ram: Ram,
    driver: Driver,
    told: Arc<Told>,
    _backing: Backing,
}

fn started() -> Machine {
    let backing = backing(1, 1);
    let entropy = Entropy::new(backing.interrupts.clone()).unwrap();
    let ram = ram(BYTES);
    let driver = Driver::new(&ram, 0, 64);
    let told = Arc::<Told>::default();
    let queues = vec![Some(driver.queue())];
    let setup = Setup::new(Arc::clone(&ram), 0, queues, told.notifier());
    entropy.start(setup).unwrap();
    Machine {
        entropy,
        ram,
        driver,
        told,
        _backing: backing,
    }
}

impl Machine {
    fn ask(&mut self, buffers: &[Buffer]) -> u32 {
        let head = self.driver.add(buffers).unwrap();
        Device::<Ram>::notify(&self.entropy, 0);
        let mut used = None;
        self.told.wait(|_| {
            used = used.or_else(|| self.driver.take());
            used.is_some()
        });
        let (id, written) = used.unwrap();
        assert_eq!(id, head);
        written
    }

    fn bytes(&self, at: u64, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.ram.read_slice(&mut bytes, GuestAddress(at)).unwrap();
        bytes
    }
}

#[test]
fn all_that_is_asked_for_is_random_and_nothing_beyond() {
    let mut machine = started();
    let asked = machine.ask(&[(RINGS, 1000, true), (RINGS + 0x1000, 24, true)]);
    assert_eq!(asked, 1024);
    let first = machine.bytes(RINGS, 1000);
    // Not one of 2^-64 runs has eight zeros at a given place.
    assert!(first.chunks(8).all(|chunk| chunk != [0; 8]));
    assert_ne!(machine.bytes(RINGS + 0x1000, 24), [0; 24]);
    assert_eq!(machine.bytes(RINGS + 1000, 24), [0; 24]);
    machine.ask(&[(RINGS, 1000, true)]);
    assert_ne!(machine.bytes(RINGS, 1000), first);
}

#[test]
fn a_greedy_driver_gets_some() {
    let mut machine = started();
    let asked = machine.ask(&[(RINGS, 0xf0000, true)]);
    assert_eq!(u64::from(asked), MOST);
}

#[test]
fn a_hostile_driver_gets_nothing_and_the_next_request_is_served() {
    let mut machine = started();
    let end = BYTES as u64;
    assert_eq!(machine.ask(&[(RINGS, 64, false)]), 0);
    assert_eq!(machine.ask(&[(end, 64, true)]), 0);
    assert_eq!(machine.ask(&[(u64::MAX - 7, 64, true)]), 0);
    assert_eq!(machine.ask(&[(RINGS, 64, true), (RINGS, 64, false)]), 0);
    // What came before is told.
    assert_eq!(machine.ask(&[(RINGS, 64, true), (end, 64, true)]), 64);
    assert_eq!(machine.ask(&[(RINGS, 64, true)]), 64);
    assert_eq!(machine.told.counts().resets, 0);
}

#[test]
fn it_does_not_start_without_its_queue() {
    let backing = backing(1, 1);
    let entropy = Entropy::new(backing.interrupts.clone()).unwrap();
    let told = Arc::<Told>::default();
    let setup = Setup::new(ram(0x1000), 0, vec![None], told.notifier());
    let refused = entropy.start(setup);
    assert!(matches!(refused, Err(StartError::Queue { queue: 0 })));
    Device::<Ram>::stop(&entropy, Hold::nobody());
}
