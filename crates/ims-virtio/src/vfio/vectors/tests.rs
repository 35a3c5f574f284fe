// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Raises that meet masks on other threads; [`super::super::tests`] has the rest.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::os::fd::OwnedFd;

use ims_vfio::dma::Dma;
use ims_vfio::irqs::{Irqs, Lines, Payload, SetIrqs};
use ims_vfio::layout::irq_set;
use ims_vfio::pci::{Bar, Config, Identity};
use rustix::event::{EventfdFlags, eventfd};

use super::*;
use crate::vfio::function::with_msix;

/// MSI-X is the second capability, after PCI Express's 0x3c bytes at 0x40.
const MSIX: u64 = 0x7c;

fn vectors() -> (ClientVectors, OwnedFd) {
    let builder = Config::builder(Identity::default())
        .bar(0, Bar::memory32(0x1000))
        .pcie();
    let config = with_msix(builder, 2).build().unwrap();
    config.write(4, &[6]);
    let irqs = Irqs::new(Lines::msix(2), None).unwrap();
    let fd = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
    let header = SetIrqs {
        argsz: irq_set::HEADER,
        flags: irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER,
        index: irq::MSIX,
        start: 1,
        count: 1,
    };
    let given = Payload::Triggers(vec![Some(fd.try_clone().unwrap())]);
    irqs.set(header, given).unwrap();
    let function = Function {
        config,
        irqs,
        dma: Dma::default(),
    };
    let vectors = ClientVectors::new(2, Arc::new(function));
    control(&vectors, true, false);
    (vectors, fd)
}

/// As the endpoint does it.
fn control(vectors: &ClientVectors, enabled: bool, masked: bool) {
    let bits = u8::from(enabled) << 7 | u8::from(masked) << 6;
    let effects = vectors.function.config.write(MSIX + 3, &[bits]);
    if let Some(control) = effects.msix {
        vectors.control(control);
    }
}

fn bus_master(vectors: &ClientVectors, on: bool) {
    let command = [if on { 6 } else { 2 }];
    if vectors.function.config.write(4, &command).bus_master == Some(true) {
        vectors.settle_all();
    }
}

fn count(fd: &OwnedFd) -> u64 {
    let mut bytes = [0; 8];
    rustix::io::read(fd, &mut bytes).map_or(0, |_| u64::from_ne_bytes(bytes))
}

/// One raise each round, while the other thread masks and unmasks by `toggle`.
fn one_raise_is_one_signal(toggle: fn(&ClientVectors, bool)) {
    let (vectors, trigger) = vectors();
    for round in 0..2000_u32 {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..round % 7 {
                    std::hint::spin_loop();
                }
                vectors.raise(1);
            });
            toggle(&vectors, true);
            toggle(&vectors, false);
        });
        assert_eq!(count(&trigger), 1, "round {round}");
    }
}

#[test]
fn a_raise_that_meets_the_function_mask_is_signalled_once() {
    one_raise_is_one_signal(|vectors, masked| control(vectors, true, masked));
}

#[test]
fn a_raise_that_meets_the_end_of_bus_mastering_is_signalled_once() {
    one_raise_is_one_signal(|vectors, off| bus_master(vectors, !off));
}

#[test]
fn a_raise_that_meets_the_mask_of_its_entry_is_signalled_once() {
    one_raise_is_one_signal(|vectors, masked| {
        vectors.write_table(16 + 12, &u32::from(masked).to_le_bytes());
    });
}

#[test]
fn nothing_stays_pending_without_msix() {
    let (vectors, trigger) = vectors();
    control(&vectors, true, true);
    vectors.raise(1);
    control(&vectors, false, false);
    control(&vectors, true, false);
    assert_eq!(count(&trigger), 0);
}

#[test]
fn accesses_that_are_not_of_words_or_of_no_entry_do_nothing() {
    let (vectors, _trigger) = vectors();
    vectors.write_table(16, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 9]);
    vectors.write_table(17, &[7; 4]);
    vectors.write_table(u64::MAX - 3, &[7; 8]);
    vectors.write_table(32, &[7; 16]);
    let mut into = [0xee; 18];
    vectors.read_table(16, &mut into);
    assert_eq!(into[..8], [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(into[8..], [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
    vectors.read_table(18, &mut into);
    assert_eq!(into, [0; 18]);
    vectors.raise(7);
    let mut bits = [0xee; 8];
    vectors.read_pending(0x100, &mut bits);
    assert_eq!(bits, [0; 8]);
}
