// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The transport as a driver sees it: by accesses to the BAR.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod hostile;
mod model;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::*;
use crate::layout::features::VERSION_1;
use crate::layout::pci::common::{
    CONFIG_GENERATION, CONFIG_MSIX_VECTOR, DEVICE_FEATURE, DEVICE_FEATURE_SELECT, DEVICE_STATUS,
    DRIVER_FEATURE, DRIVER_FEATURE_SELECT, NUM_QUEUES, QUEUE_DESC, QUEUE_DEVICE, QUEUE_DRIVER,
    QUEUE_ENABLE, QUEUE_MSIX_VECTOR, QUEUE_NOTIFY_OFF, QUEUE_SELECT, QUEUE_SIZE,
};
use crate::layout::pci::isr;
use crate::layout::status::{ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET};
use crate::notifier::Event;
use crate::recorder::{Recorder, TestMemory, memory};

const VECTORS: u16 = 4;
const QUEUES: [u16; 3] = [64, 16, 16];
const NO_VECTOR: u64 = 0xffff;

/// The function around: what was raised, and the level of its pin.
#[derive(Debug, Default)]
pub(super) struct World {
    raised: Mutex<Vec<u16>>,
    level: AtomicBool,
    changes: AtomicU32,
}

impl Vectors for World {
    fn count(&self) -> u16 {
        VECTORS
    }

    fn raise(&self, vector: u16) {
        self.raised.lock().unwrap().push(vector);
    }
}

struct Pin(Arc<World>);

impl Line for Pin {
    fn set(&self, asserted: bool) {
        let before = self.0.level.swap(asserted, Ordering::SeqCst);
        assert_ne!(before, asserted, "set to what it was");
        self.0.changes.fetch_add(1, Ordering::SeqCst);
    }
}

type TestDevice = Recorder<TestMemory>;

struct Test {
    world: Arc<World>,
    device: Arc<TestDevice>,
    pci: Pci<TestMemory, TestDevice, Arc<World>, Pin>,
}

impl Test {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut TestDevice)) -> Self {
        let mut device = Recorder::new(&QUEUES);
        change(&mut device);
        let device = Arc::new(device);
        let world = Arc::<World>::default();
        let pin = Pin(Arc::clone(&world));
        let pci = Pci::new(Arc::clone(&device), memory(), Arc::clone(&world), pin).unwrap();
        Self { world, device, pci }
    }

    fn get(&self, offset: u64, bytes: usize) -> u64 {
        let mut value = [0; 8];
        self.pci.read(offset, &mut value[..bytes]);
        u64::from_le_bytes(value)
    }

    fn set(&self, offset: u64, bytes: usize, value: u64) {
        self.pci.write(offset, &value.to_le_bytes()[..bytes]);
    }

    fn status(&self) -> u32 {
        u32::try_from(self.get(DEVICE_STATUS, 1)).unwrap()
    }

    fn set_status(&self, status: u32) {
        self.set(DEVICE_STATUS, 1, status.into());
    }

    fn isr(&self) -> u8 {
        u8::try_from(self.get(bar::ISR, 1)).unwrap()
    }

    fn level(&self) -> bool {
        self.world.level.load(Ordering::SeqCst)
    }

    fn raised(&self) -> Vec<u16> {
        std::mem::take(&mut *self.world.raised.lock().unwrap())
    }

    /// As a driver goes about it.
    fn agree(&self) {
        self.set_status(ACKNOWLEDGE | DRIVER);
        let mut offered = 0;
        for word in 0..2_u64 {
            self.set(DEVICE_FEATURE_SELECT, 4, word);
            offered |= self.get(DEVICE_FEATURE, 4) << (32 * word);
        }
        assert_ne!(offered & VERSION_1, 0);
        for word in 0..2_u64 {
            self.set(DRIVER_FEATURE_SELECT, 4, word);
            let mask = u64::from(u32::MAX);
            self.set(DRIVER_FEATURE, 4, offered >> (32 * word) & mask);
        }
        self.set_status(ACKNOWLEDGE | DRIVER | FEATURES_OK);
        assert_ne!(self.status() & FEATURES_OK, 0);
    }

    fn set_up_queue(&self, queue: u16, size: u16) {
        let at = 0x1_0000 * (u64::from(queue) + 1);
        self.set(QUEUE_SELECT, 2, queue.into());
        self.set(QUEUE_SIZE, 2, size.into());
        for (field, address) in [
            (QUEUE_DESC, at),
            (QUEUE_DRIVER, at + 0x4000),
            (QUEUE_DEVICE, at + 0x8000),
        ] {
            self.set(field, 4, address & 0xffff_ffff);
            self.set(field + 4, 4, address >> 32);
        }
        self.set(QUEUE_ENABLE, 2, 1);
        assert_eq!(self.get(QUEUE_ENABLE, 2), 1);
    }

    fn go(&self) {
        self.agree();
        self.set_up_queue(0, 32);
        self.set_up_queue(2, 16);
        self.set_status(ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    }

    fn map_queue(&self, queue: u16, vector: u64) -> u64 {
        self.set(QUEUE_SELECT, 2, queue.into());
        self.set(QUEUE_MSIX_VECTOR, 2, vector);
        self.get(QUEUE_MSIX_VECTOR, 2)
    }

    fn map_config(&self, vector: u64) -> u64 {
        self.set(CONFIG_MSIX_VECTOR, 2, vector);
        self.get(CONFIG_MSIX_VECTOR, 2)
    }

    fn tell(&self, event: Event) {
        match event {
            Event::Used(queue) => self.pci.notifier.used(queue),
            Event::Config => self.pci.notifier.config_changed(),
        }
    }
}

#[test]
fn a_driver_sets_queues_up_and_the_device_starts_with_them() {
    let test = Test::new();
    assert_eq!(test.get(NUM_QUEUES, 2), 3);
    test.go();
    assert_eq!(test.status() & (DRIVER_OK | NEEDS_RESET), DRIVER_OK);
    let asked = test.device.asked.lock().unwrap();
    let queues = &asked.setup.as_ref().unwrap().queues;
    let used: Vec<_> = queues.iter().map(Option::is_some).collect();
    assert_eq!(used, [true, false, true]);
    use virtio_queue::QueueT;
    let first = queues[0].as_ref().unwrap();
    assert_eq!(
        (first.size(), first.desc_table(), first.avail_ring()),
        (32, 0x1_0000, 0x1_4000)
    );
}

#[test]
fn a_queue_is_notified_at_its_own_offset_whatever_is_written_there() {
    let test = Test::new();
    test.go();
    for queue in [2_u16, 0] {
        test.set(QUEUE_SELECT, 2, queue.into());
        let offset =
            bar::NOTIFY + test.get(QUEUE_NOTIFY_OFF, 2) * u64::from(bar::NOTIFY_MULTIPLIER);
        test.set(offset, 2, queue.into());
        test.set(offset, 4, 0xffff_ffff);
    }
    // No queue there, or no offset of one.
    test.set(bar::NOTIFY + 12, 2, 3);
    test.set(bar::NOTIFY + 2, 2, 0);
    test.set(bar::NOTIFY + bar::NOTIFY_BYTES, 2, 0);
    assert_eq!(test.device.asked.lock().unwrap().notified, [2, 2, 0, 0]);
}

#[test]
fn a_vector_out_of_range_reads_back_as_none() {
    let test = Test::new();
    for vector in [u64::from(VECTORS), 0x7ff, 0x800, 0xfffe, NO_VECTOR] {
        assert_eq!(test.map_queue(1, 2), 2);
        assert_eq!(test.map_queue(1, vector), NO_VECTOR, "{vector:#x}");
        assert_eq!(test.map_config(3), 3);
        assert_eq!(test.map_config(vector), NO_VECTOR, "{vector:#x}");
    }
    assert_eq!(test.map_queue(3, 0), NO_VECTOR, "no such queue");
}

#[test]
fn a_reset_unmaps_all_vectors() {
    let test = Test::new();
    test.go();
    test.map_config(0);
    (0..3).for_each(|queue| assert_eq!(test.map_queue(queue, 1), 1));
    test.set_status(0);
    assert_eq!(test.status(), 0);
    assert_eq!(test.get(CONFIG_MSIX_VECTOR, 2), NO_VECTOR);
    for queue in 0..3 {
        test.set(QUEUE_SELECT, 2, queue);
        assert_eq!(test.get(QUEUE_MSIX_VECTOR, 2), NO_VECTOR);
    }
}

#[test]
fn with_msix_each_event_goes_to_its_vector_and_one_without_goes_nowhere() {
    let test = Test::new();
    test.pci.set_msix_enabled(true);
    test.go();
    test.map_config(3);
    test.map_queue(0, 1);
    test.map_queue(2, 1);
    for event in [
        Event::Used(0),
        Event::Used(1),
        Event::Config,
        Event::Used(2),
        Event::Used(9),
    ] {
        test.tell(event);
    }
    assert_eq!(test.raised(), [1, 3, 1]);
    test.map_config(NO_VECTOR);
    test.tell(Event::Config);
    assert!(test.raised().is_empty());
    assert!(!test.level(), "the pin is not used");
    assert_eq!(test.isr(), isr::CONFIG, "set before each change is told");
}

#[test]
fn without_msix_the_pin_is_asserted_until_the_status_is_read() {
    let test = Test::new();
    test.go();
    test.map_queue(0, 1);
    test.tell(Event::Used(0));
    test.tell(Event::Used(2));
    assert!(test.level());
    assert_eq!(test.world.changes.load(Ordering::SeqCst), 1);
    assert_eq!(test.isr(), isr::QUEUE);
    assert!(!test.level());
    assert_eq!(test.isr(), 0);
    test.tell(Event::Config);
    assert_eq!(test.isr(), isr::CONFIG);
    assert!(test.raised().is_empty());
}

#[test]
fn a_reset_takes_the_pin_back_and_ends_when_the_device_has_let_go() {
    let test = Test::with(|device| device.stops_slowly = true);
    test.go();
    test.tell(Event::Used(0));
    assert!(test.level());
    test.set_status(0);
    assert!(!test.level());
    assert_ne!(test.status(), 0, "the device still holds");
    // What it may say until then is nobody's, and nothing is written.
    test.tell(Event::Used(0));
    assert_eq!(test.map_queue(0, 1), NO_VECTOR);
    test.set_status(ACKNOWLEDGE);
    assert!(!test.level());
    test.device.let_go();
    assert_eq!(test.status(), 0);
    assert_eq!(test.isr(), 0);
    test.go();
    test.tell(Event::Used(0));
    assert!(test.level());
}

#[test]
fn a_reset_of_the_function_is_told_when_the_device_has_let_go() {
    let test = Test::with(|device| device.stops_slowly = true);
    test.go();
    let told = Arc::new(AtomicBool::new(false));
    let hold = Hold::new({
        let told = Arc::clone(&told);
        move || told.store(true, Ordering::SeqCst)
    });
    test.pci.reset(hold);
    assert!(!told.load(Ordering::SeqCst));
    test.device.let_go();
    assert!(told.load(Ordering::SeqCst));
}

#[test]
fn a_device_that_cannot_start_asks_for_a_reset_by_the_configuration_interrupt() {
    let test = Test::with(|device| device.fails = true);
    test.pci.set_msix_enabled(true);
    test.agree();
    test.map_config(2);
    test.set_up_queue(0, 16);
    test.set_status(ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    assert_ne!(test.status() & NEEDS_RESET, 0);
    assert_eq!(test.raised(), [2]);
}

#[test]
fn a_field_of_64_bits_is_written_as_one_or_as_two() {
    let test = Test::new();
    test.set(QUEUE_DESC, 8, 0x1234_5678_9abc_def0);
    assert_eq!(test.get(QUEUE_DESC, 8), 0x1234_5678_9abc_def0);
    test.set(QUEUE_DESC + 4, 4, 0x42);
    assert_eq!(test.get(QUEUE_DESC, 4), 0x9abc_def0);
    assert_eq!(test.get(QUEUE_DESC, 8), 0x42_9abc_def0);
}

#[test]
fn a_part_of_a_field_is_read_and_not_written() {
    let test = Test::new();
    test.set(QUEUE_SELECT, 2, 1);
    test.set(QUEUE_SELECT, 1, 0);
    test.set(QUEUE_SELECT + 1, 1, 7);
    assert_eq!(test.get(QUEUE_SELECT, 2), 1);
    assert_eq!(test.get(QUEUE_SIZE, 1), 16);
    assert_eq!(test.get(QUEUE_SIZE + 1, 1), 0);
    // From the middle of one field to the middle of another.
    assert_eq!(test.get(QUEUE_SELECT + 1, 2), 0x1000);
    // What follows the structure is nothing.
    assert_eq!(test.get(0x38, 8), 0);
    assert_eq!(test.get(0x3c, 8), 0);
}

#[test]
fn the_device_configuration_is_read_and_written_with_its_generation() {
    let test = Test::new();
    assert_eq!(test.get(bar::DEVICE + 4, 4), 0x0706_0504);
    test.set(bar::DEVICE + 5, 1, 0xaa);
    assert_eq!(test.get(bar::DEVICE + 4, 4), 0x0706_aa04);
    assert_eq!(test.get(bar::DEVICE + 0xffc, 8), 0);
    test.device.asked.lock().unwrap().generation = 0x1_07;
    assert_eq!(test.get(CONFIG_GENERATION, 1), 7);
}

#[test]
fn a_queue_is_enabled_once_and_by_1_alone() {
    let test = Test::new();
    test.agree();
    test.set_up_queue(0, 16);
    test.set(QUEUE_ENABLE, 2, 0);
    assert_eq!(test.get(QUEUE_ENABLE, 2), 1);
    test.set(QUEUE_SELECT, 2, 1);
    test.set(QUEUE_ENABLE, 2, 2);
    assert_eq!(test.get(QUEUE_ENABLE, 2), 0);
    test.set(QUEUE_SELECT, 2, 3);
    test.set(QUEUE_ENABLE, 2, 1);
    assert_eq!(test.get(QUEUE_ENABLE, 2), 0, "no such queue");
    assert_eq!(test.get(QUEUE_SIZE, 2), 0, "no such queue");
}

#[test]
fn more_queues_than_notifications_are_refused() {
    let device = Arc::new(Recorder::<TestMemory>::new(&[1; 4097]));
    let world = Arc::<World>::default();
    let pin = Pin(Arc::clone(&world));
    let error = Pci::new(device, memory(), world, pin).unwrap_err();
    assert_eq!(error, NewError::Queues { queues: 4097 });
}
