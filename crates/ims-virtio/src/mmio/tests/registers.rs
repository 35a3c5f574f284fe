// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Registers that every virtio-mmio device has, and the single interrupt.

use super::*;
use crate::layout::features::{NOTIFICATION_DATA, RING_EVENT_IDX, RING_INDIRECT_DESC};
use crate::layout::mmio::{INTERRUPT_CONFIG, INTERRUPT_USED};
use crate::layout::status::NEEDS_RESET;

#[test]
fn a_device_says_what_it_is() {
    let options = MmioOptions {
        vendor: 0x1234_5678,
        ..MmioOptions::default()
    };
    let driver = Driver::new(Recorder::new(&[64]), options);
    let read = |offset| driver.read(offset);
    assert_eq!(read(mmio::MAGIC).to_le_bytes(), *b"virt");
    assert_eq!(read(mmio::VERSION), 2);
    assert_eq!(read(mmio::DEVICE_ID), 42);
    assert_eq!(read(mmio::VENDOR_ID), 0x1234_5678);
    assert_eq!(
        driver.offered(),
        VERSION_1 | RING_INDIRECT_DESC | RING_EVENT_IDX | 1
    );
    for offset in [0xb0, 0xb4, 0xb8, 0xbc] {
        driver.write(mmio::SHM_SEL, 0);
        assert_eq!(read(offset), u32::MAX, "no shared memory");
    }
    assert_eq!(driver.mmio.bytes(), 0x1000);
    assert_eq!(driver.mmio.mode(), Mode::Line);
}

#[test]
fn what_is_no_register_and_what_is_only_written_reads_as_zero() {
    let driver = Driver::plain();
    driver.agree(VERSION_1);
    driver.go();
    let known = [
        mmio::MAGIC,
        mmio::VERSION,
        mmio::DEVICE_ID,
        mmio::DEVICE_FEATURES,
        mmio::QUEUE_SIZE_MAX,
        mmio::QUEUE_READY,
        mmio::STATUS,
    ];
    let regions = 0xb0..=0xbc;
    for offset in (0..0x100).step_by(4) {
        if !known.contains(&offset) && !regions.contains(&offset) {
            assert_eq!(driver.read(offset), 0, "{offset:#x}");
        }
    }
    let before = driver.mmio.save();
    for offset in (0..0x100).step_by(4) {
        if [mmio::VENDOR_ID, 0x54, 0xc0, 0xd0, 0xe0, 0xf0].contains(&offset) {
            driver.write(offset, u32::MAX);
        }
    }
    assert_eq!(driver.mmio.save(), before);
}

#[test]
fn registers_are_accessed_by_aligned_32_bits_alone() {
    let driver = Driver::plain();
    for (offset, length) in [
        (0, 1),
        (0, 2),
        (0, 8),
        (0, 0),
        (2, 4),
        (1, 4),
        (0x70, 1),
        (0xfc, 8),
        (0xfe, 4),
        (0xfff, 4),
        (0x1000, 4),
        (u64::MAX, 8),
        (u64::MAX - 3, 4),
    ] {
        let mut into = vec![0xaa; length];
        driver.mmio.read(offset, &mut into);
        assert!(into.iter().all(|byte| *byte == 0), "{offset:#x} {length}");
        driver.mmio.write(offset, &vec![1; length]);
    }
    assert_eq!(driver.status(), 0);
}

#[test]
fn configuration_is_accessed_by_any_width_as_far_as_it_goes() {
    let driver = Driver::plain();
    let mut into = [0xaa; 40];
    driver.mmio.read(0x103, &mut into);
    let expected: Vec<u8> = (3..32).chain([0; 11]).collect();
    assert_eq!(into[..], expected);
    driver.mmio.write(0x101, &[7, 8, 9]);
    let mut into = [0; 8];
    driver.mmio.read(0x100, &mut into);
    assert_eq!(into, [0, 7, 8, 9, 4, 5, 6, 7]);
    driver.device.asked.lock().unwrap().generation = 3;
    assert_eq!(driver.read(mmio::CONFIG_GENERATION), 3);
    // Over the end of the page.
    driver.device.asked.lock().unwrap().config = vec![0x55; 0x2000];
    let mut into = [0xaa; 8];
    driver.mmio.read(0xffc, &mut into);
    assert_eq!(into, [0x55, 0x55, 0x55, 0x55, 0, 0, 0, 0]);
    driver.mmio.write(0xffe, &[1; 4]);
    let config = &driver.device.asked.lock().unwrap().config;
    assert_eq!(config[0xefe..0xf01], [1, 1, 0x55]);
}

#[test]
fn notifications_of_queues_that_are_reach_the_device() {
    let driver = Driver::plain();
    for queue in [0, 1, 2, 0xffff, 0x1_0000, 0x1_0001, u32::MAX] {
        driver.write(mmio::QUEUE_NOTIFY, queue);
    }
    assert_eq!(driver.device.asked.lock().unwrap().notified, [0, 1]);
}

#[test]
fn a_notification_may_carry_where_the_driver_is() {
    let mut device = Recorder::new(&[64, 16]);
    device.features |= NOTIFICATION_DATA;
    let driver = Driver::new(device, MmioOptions::default());
    driver.write(mmio::QUEUE_NOTIFY, 0x8007_0001);
    driver.write(mmio::QUEUE_NOTIFY, 0x8007_0002);
    assert_eq!(driver.device.asked.lock().unwrap().notified, [1]);
}

#[test]
fn the_single_interrupt_says_what_it_is_for_until_it_is_acknowledged() {
    let driver = Driver::plain();
    driver.agree(VERSION_1);
    driver.go();
    driver.used(1);
    driver.used(0);
    assert!(driver.pin.is_high());
    assert_eq!(driver.interrupt_status(), INTERRUPT_USED);
    driver.config();
    assert_eq!(driver.interrupt_status(), INTERRUPT_USED | INTERRUPT_CONFIG);
    driver.write(mmio::INTERRUPT_ACK, INTERRUPT_USED | !3);
    assert!(driver.pin.is_high());
    assert_eq!(driver.interrupt_status(), INTERRUPT_CONFIG);
    driver.write(mmio::INTERRUPT_ACK, u32::MAX);
    assert!(!driver.pin.is_high());
    driver.write(mmio::INTERRUPT_ACK, u32::MAX);
    driver.used(0);
    assert_eq!(driver.pin.risen.load(Ordering::Relaxed), 2);
}

#[test]
fn nobody_is_told_before_driver_ok_and_after_a_reset() {
    let driver = Driver::plain();
    driver.agree(VERSION_1);
    driver.used(0);
    driver.config();
    assert_eq!(driver.interrupt_status(), 0);
    driver.go();
    assert!(!driver.pin.is_high());
    driver.used(0);
    driver.write(mmio::STATUS, 0);
    assert!(!driver.pin.is_high());
    driver.used(0);
    assert_eq!((driver.interrupt_status(), driver.status()), (0, 0));
    assert!(!driver.pin.is_high());
}

#[test]
fn a_device_that_does_not_start_interrupts_for_its_configuration() {
    let mut device = Recorder::new(&[64]);
    device.fails = true;
    let driver = Driver::new(device, MmioOptions::default());
    driver.agree(VERSION_1);
    driver.queue(0, 8);
    driver.write(mmio::STATUS, 15);
    assert_eq!(driver.status(), 15 | NEEDS_RESET);
    assert_eq!(driver.interrupt_status(), INTERRUPT_CONFIG);
    assert!(driver.pin.is_high());
}

#[test]
fn a_reset_is_done_when_the_device_has_let_go() {
    let mut device = Recorder::new(&[64, 16]);
    device.stops_slowly = true;
    let driver = Driver::new(device, MmioOptions::default());
    driver.agree(VERSION_1);
    driver.go();
    driver.write(mmio::STATUS, 0);
    assert_eq!(driver.status(), 15);
    driver.write(mmio::STATUS, 1);
    driver.mmio.write(0x100, &[0xff]);
    driver.used(0);
    driver.device.let_go();
    assert_eq!(driver.status(), 0);
    assert_eq!(driver.interrupt_status(), 0);
    let fresh = Driver::plain();
    assert_eq!(driver.mmio.save(), fresh.mmio.save());
    assert_eq!(driver.device.asked.lock().unwrap().config[0], 0);
    driver.agree(VERSION_1);
    driver.go();
    driver.mmio.reset(Hold::nobody());
    assert_eq!(driver.status(), 15);
    driver.device.let_go();
    assert_eq!(driver.status(), 0);
}

#[test]
fn a_posted_acknowledgement_leaves_what_came_after_the_last_read() {
    for posted in [false, true] {
        let options = MmioOptions {
            posted,
            ..MmioOptions::default()
        };
        let driver = Driver::new(Recorder::new(&[64, 64]), options);
        driver.agree(VERSION_1);
        driver.go();
        let notifier = driver.mmio.notifier();
        notifier.used(0);
        let bits = driver.read(mmio::INTERRUPT_STATUS);
        assert_eq!(bits, INTERRUPT_USED);
        // The driver has written its acknowledgement and looked into the ring.
        notifier.used(0);
        notifier.config_changed();
        driver.write(mmio::INTERRUPT_ACK, bits);
        let left = if posted { INTERRUPT_USED } else { 0 };
        let bits = driver.read(mmio::INTERRUPT_STATUS);
        assert_eq!(bits, left | INTERRUPT_CONFIG);
        driver.write(mmio::INTERRUPT_ACK, bits);
        assert_eq!(driver.read(mmio::INTERRUPT_STATUS), 0);
    }
}
