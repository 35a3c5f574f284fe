// SPDX-License-Identifier: Apache-2.0 OR MIT
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

mod hostile;
mod restored;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use virtio_queue::QueueT;

use super::*;
use crate::layout::features::VERSION_1;
use crate::notifier::{Event, Notify};
use crate::recorder::{MEMORY, Recorder, TestMemory, memory};

#[derive(Debug, Default)]
struct Told(AtomicU32);

impl Notify for Told {
    fn notify(&self, event: Event) {
        assert_eq!(event, Event::Config);
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Test {
    device: Arc<Recorder<TestMemory>>,
    negotiation: Negotiation<TestMemory, Recorder<TestMemory>>,
    told: Arc<Told>,
}

impl Test {
    fn new(change: impl FnOnce(&mut Recorder<TestMemory>)) -> Self {
        let mut device = Recorder::new(&[64, 16]);
        change(&mut device);
        let device = Arc::new(device);
        let negotiation = Negotiation::new(Arc::clone(&device), memory(), 1 << 47).unwrap();
        Self {
            device,
            negotiation,
            told: Arc::default(),
        }
    }

    fn notifier(&self) -> Notifier {
        Notifier::new(self.told.clone())
    }

    /// What a transport does.
    fn status(&mut self, value: u32) {
        match self.negotiation.set_status(value) {
            Action::None => {}
            Action::Start => self.negotiation.start(&self.notifier()),
            Action::Reset => self.negotiation.reset(Hold::nobody()),
        }
    }

    fn features(&mut self, bits: u64) {
        for (sel, bits) in [(0, bits as u32), (1, (bits >> 32) as u32)] {
            self.negotiation.set_driver_features_sel(sel);
            self.negotiation.set_driver_features(bits);
        }
    }

    fn queue(&mut self, queue: u32, size: u32, at: u64) {
        let negotiation = &mut self.negotiation;
        negotiation.set_queue_sel(queue);
        negotiation.set_queue_size(size);
        for (address, at) in [
            (Address::Desc, at),
            (Address::Driver, at.wrapping_add(0x1000)),
            (Address::Device, at.wrapping_add(0x2000)),
        ] {
            negotiation.set_queue_address(address, Half::Low, at as u32);
            negotiation.set_queue_address(address, Half::High, (at >> 32) as u32);
        }
        negotiation.set_queue_ready(true);
    }

    fn until_features(&mut self) {
        self.status(ACKNOWLEDGE);
        self.status(ACKNOWLEDGE | DRIVER);
        self.features(VERSION_1 | RING_EVENT_IDX);
        self.status(ACKNOWLEDGE | DRIVER | FEATURES_OK);
    }

    fn until_started(&mut self) {
        self.until_features();
        self.queue(0, 32, 0x4000);
        self.status(15);
    }
}

#[test]
fn a_device_starts_with_the_queues_and_features_that_were_agreed() {
    let mut test = Test::new(|_| {});
    test.until_started();
    assert_eq!(test.negotiation.status(), 15);
    let mut asked = test.device.asked.lock().unwrap();
    let setup = asked.setup.take().unwrap();
    assert_eq!(setup.features, VERSION_1 | RING_EVENT_IDX);
    assert_eq!(setup.queues.len(), 2);
    assert!(setup.queues[1].is_none());
    let queue = setup.queues[0].as_ref().unwrap();
    assert_eq!(
        (queue.size(), queue.desc_table(), queue.avail_ring()),
        (32, 0x4000, 0x5000)
    );
    assert_eq!((queue.used_ring(), queue.next_avail()), (0x6000, 0));
    assert!(queue.event_idx_enabled());
    assert_eq!(test.told.0.load(Ordering::Relaxed), 0);
}

#[test]
fn features_that_were_not_offered_or_are_legacy_are_not_agreed_to() {
    for bits in [VERSION_1 | 2, RING_EVENT_IDX, 0, VERSION_1 | 1 << 63] {
        let mut test = Test::new(|_| {});
        test.features(bits);
        test.status(ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
        assert_eq!(test.negotiation.status(), ACKNOWLEDGE | DRIVER, "{bits:#x}");
        assert_eq!(test.negotiation.accepted(), 0);
        assert_eq!(test.device.asked.lock().unwrap().starts, 0);
        // It may think again.
        test.features(VERSION_1);
        test.status(ACKNOWLEDGE | DRIVER | FEATURES_OK);
        assert_eq!(test.negotiation.status(), 11);
        assert_eq!(test.negotiation.accepted(), VERSION_1);
    }
    let mut test = Test::new(|_| {});
    test.features(VERSION_1);
    test.negotiation.set_driver_features_sel(2);
    test.negotiation.set_driver_features(1);
    test.status(11);
    assert_eq!(test.negotiation.status(), 3, "bit 64 was not offered");
}

#[test]
fn agreed_features_do_not_change_any_more() {
    let mut test = Test::new(|_| {});
    test.until_features();
    test.features(0);
    assert_eq!(test.negotiation.accepted(), VERSION_1 | RING_EVENT_IDX);
}

#[test]
fn what_is_offered_is_read_by_32_bits() {
    let mut test = Test::new(|_| {});
    let mut read = |sel| {
        test.negotiation.set_device_features_sel(sel);
        test.negotiation.device_features()
    };
    assert_eq!(u64::from(read(0)), test.device.features);
    assert_eq!(read(1), 1 | 1 << 15);
    assert_eq!((read(2), read(u32::MAX)), (0, 0));
}

#[test]
fn an_unsound_queue_does_not_become_ready() {
    for (size, at) in [
        (0, 0x4000),
        (3, 0x4000),
        (128, 0x4000),
        (0x1_0010, 0x4000),
        (u32::MAX, 0x4000),
        (16, 0x4008),
        (16, u64::MAX),
    ] {
        let mut test = Test::new(|_| {});
        test.until_features();
        test.queue(0, size, at);
        assert!(!test.negotiation.queue_ready(), "{size:#x} {at:#x}");
        test.queue(0, 16, 0x4000);
        assert!(test.negotiation.queue_ready());
    }
}

#[test]
fn queues_that_are_not_have_no_registers() {
    let mut test = Test::new(|_| {});
    test.until_features();
    for sel in [2, 0x1_0000, u32::MAX] {
        test.queue(sel, 16, 0x4000);
        let negotiation = &test.negotiation;
        assert_eq!(
            (negotiation.queue_size_max(), negotiation.queue_size()),
            (0, 0)
        );
        assert!(!negotiation.queue_ready());
        assert_eq!(negotiation.queue_address(Address::Desc), 0);
    }
    for (sel, max) in [(0, 64), (1, 16)] {
        test.negotiation.set_queue_sel(sel);
        assert_eq!(test.negotiation.queue_size_max(), max);
        assert_eq!(test.negotiation.queue_address(Address::Device), 0);
    }
}

#[test]
fn a_ready_queue_stays_as_it_is_and_after_driver_ok_it_stays_ready() {
    let mut test = Test::new(|_| {});
    test.until_features();
    test.queue(0, 32, 0x4000);
    test.queue(0, 16, 0x8000);
    assert_eq!(test.negotiation.queue_size(), 32);
    assert_eq!(test.negotiation.queue_address(Address::Desc), 0x4000);
    test.negotiation.set_queue_ready(false);
    test.queue(0, 16, 0x8000);
    assert_eq!(test.negotiation.queue_address(Address::Device), 0xa000);
    test.status(15);
    test.negotiation.set_queue_ready(false);
    assert!(test.negotiation.queue_ready());
    test.queue(1, 16, 0x4000);
    assert!(!test.negotiation.queue_ready());
}

#[test]
fn rings_outside_memory_make_the_device_need_a_reset() {
    for at in [
        MEMORY,
        MEMORY - 0x1000,
        MEMORY - 0x2000,
        u64::MAX - 0xfff,
        u64::MAX - 0x1fff,
        u64::MAX - 0x2fff,
        1 << 63,
    ] {
        let mut test = Test::new(|_| {});
        test.until_features();
        test.queue(1, 16, at);
        assert!(test.negotiation.queue_ready());
        test.status(15);
        assert_eq!(test.negotiation.status(), 15 | NEEDS_RESET, "{at:#x}");
        assert_eq!(test.told.0.load(Ordering::Relaxed), 1);
        assert_eq!(test.device.asked.lock().unwrap().starts, 0);
        // And a reset heals it.
        test.status(0);
        assert_eq!(test.negotiation.status(), 0);
        test.until_started();
        assert_eq!(test.negotiation.status(), 15);
    }
}

#[test]
fn a_device_that_does_not_start_says_so() {
    let mut test = Test::new(|device| device.fails = true);
    test.until_started();
    assert_eq!(test.negotiation.status(), 15 | NEEDS_RESET);
    assert_eq!(test.told.0.load(Ordering::Relaxed), 1);
    test.status(0);
    assert_eq!(test.device.asked.lock().unwrap().stops, 1);
}

#[test]
fn a_driver_that_gave_up_or_skipped_features_does_not_start_the_device() {
    let mut test = Test::new(|_| {});
    test.until_features();
    test.status(FAILED);
    test.status(15);
    assert_eq!(test.negotiation.status(), 11 | FAILED);
    let mut other = Test::new(|_| {});
    other.status(7);
    other.status(!FEATURES_OK);
    assert_eq!(other.negotiation.status(), 3 | FAILED);
    for test in [test, other] {
        assert_eq!(test.device.asked.lock().unwrap().starts, 0);
    }
}

#[test]
fn a_driver_that_writes_while_a_reset_goes_on_is_ignored() {
    let mut test = Test::new(|device| device.stops_slowly = true);
    test.until_started();
    test.status(0);
    assert_eq!(test.negotiation.status(), 15);
    test.status(0);
    test.status(1);
    test.features(1);
    test.negotiation.set_device_features_sel(1);
    test.queue(1, 8, 0x4000);
    assert!(test.negotiation.is_resetting());
    test.device.let_go();
    assert_eq!(test.negotiation.status(), 0);
    assert_eq!(
        test.negotiation.save(),
        Test::new(|_| {}).negotiation.save()
    );
    assert_eq!(test.device.asked.lock().unwrap().stops, 1);
    test.until_started();
    assert_eq!(test.negotiation.status(), 15);
}

#[test]
fn whoever_asks_for_a_reset_waits_for_the_one_that_goes_on() {
    let gone = Arc::new(AtomicU32::new(0));
    let hold = || {
        let gone = Arc::clone(&gone);
        Hold::new(move || {
            gone.fetch_add(1, Ordering::Relaxed);
        })
    };
    let mut test = Test::new(|device| device.stops_slowly = true);
    test.negotiation.reset(hold());
    assert_eq!(gone.load(Ordering::Relaxed), 1, "nothing to stop");
    test.until_started();
    test.status(0);
    test.negotiation.reset(hold());
    test.negotiation.reset(hold());
    assert_eq!(gone.load(Ordering::Relaxed), 1);
    test.device.let_go();
    assert_eq!(gone.load(Ordering::Relaxed), 3);
    assert_eq!(test.device.asked.lock().unwrap().stops, 1);
}

#[test]
fn devices_that_no_driver_could_use_are_refused() {
    let make = |queues: &[u16]| {
        let device = Arc::new(Recorder::<TestMemory>::new(queues));
        Negotiation::new(device, memory(), 0)
            .map(|_| ())
            .unwrap_err()
    };
    assert_eq!(make(&[64, 0]), DeviceError::QueueSize { queue: 1, size: 0 });
    assert_eq!(make(&[3]), DeviceError::QueueSize { queue: 0, size: 3 });
    assert_eq!(make(&vec![2; 65536]), DeviceError::Queues { count: 65536 });
}
