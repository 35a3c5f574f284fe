// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Changes of way: nothing is lost.

use vm_memory::{Bytes, GuestAddress};

use super::*;
use crate::layout::features::VIS;
use crate::layout::mmio::{INTERRUPT_CONFIG, INTERRUPT_USED};
use crate::layout::vis::{self, header, register};

#[test]
fn what_the_line_was_asserted_for_is_told_by_messages() {
    let driver = Driver::with_msi(Layout::CLEAR, 3, false);
    driver.agree(VERSION_1 | driver.layout.feature);
    driver.go();
    for vector in 0..3 {
        driver.configure(vector, 0x100 + vector);
    }
    driver.used(1);
    assert!(driver.pin.is_high());
    driver.command(Command::Enable);
    assert!(!driver.pin.is_high());
    assert_eq!(driver.interrupt_status(), 0);
    assert_eq!(
        driver.inbox.take(),
        [0x101, 0x102],
        "it is not said which queue"
    );
}

#[test]
fn what_masked_vectors_kept_goes_to_the_line() {
    for (vector, bits) in [
        (0, INTERRUPT_CONFIG),
        (1, INTERRUPT_USED),
        (2, INTERRUPT_USED),
    ] {
        let driver = Driver::with_msi(Layout::CLEAR, 3, false);
        driver.go_with_msi(3);
        driver.select(vector);
        driver.command(Command::Mask);
        driver.config();
        driver.used(0);
        driver.used(1);
        assert_eq!(driver.inbox.take().len(), 2);
        driver.command(Command::Disable);
        assert_eq!(driver.interrupt_status(), bits);
        assert!(driver.pin.is_high());
        // And it is not told again by messages.
        driver.write(mmio::INTERRUPT_ACK, bits);
        driver.command(Command::Enable);
        driver.command(Command::Unmask);
        assert_eq!(driver.inbox.take(), [0_u32; 0]);
        driver.used(0);
        assert_eq!(driver.inbox.take(), [0x101]);
    }
}

#[test]
fn a_kept_interrupt_whose_vector_is_no_events_any_more_is_not_lost() {
    let driver = Driver::with_msi(Layout::CLEAR, 2, true);
    driver.go_with_msi(2);
    driver.select(1);
    driver.command(Command::Mask);
    driver.write(mmio::QUEUE_SEL, 0);
    driver.command(Command::MapQueue);
    driver.used(0);
    driver.select(0);
    driver.command(Command::MapQueue);
    driver.command(Command::Disable);
    assert_eq!(driver.interrupt_status(), INTERRUPT_USED | INTERRUPT_CONFIG);
}

#[test]
fn a_driver_or_a_device_without_messages_has_the_line() {
    let both = MmioOptions {
        msi: Some(offer(Layout::CLEAR, 3, false)),
        vis: Some(crate::vis::Offer { vectors: 3 }),
        ..MmioOptions::default()
    };
    for options in [both, MmioOptions::default()] {
        let driver = Driver::new(Recorder::new(&[64, 16]), options);
        driver.agree(VERSION_1);
        driver.command(Command::Enable);
        driver.storage(0x10000);
        driver.vis(vis::Command::Enable);
        driver.go();
        assert_eq!(driver.mmio.mode(), Mode::Line);
        driver.used(0);
        assert_eq!(driver.interrupt_status(), INTERRUPT_USED);
        assert!(driver.pin.is_high());
    }
}

impl Driver {
    fn with_both() -> Self {
        let options = MmioOptions {
            msi: Some(offer(Layout::CLEAR, 3, false)),
            vis: Some(crate::vis::Offer { vectors: 3 }),
            ..MmioOptions::default()
        };
        let driver = Self::new(Recorder::new(&[64, 16]), options);
        driver.agree(VERSION_1 | VIS | driver.layout.feature);
        driver
    }

    fn vis(&self, command: vis::Command) {
        self.write(register::COMMAND, command.with(0));
    }

    /// The last command's error.
    fn vis_error(&self) -> u32 {
        self.read(register::STATE) >> vis::state::ERROR_SHIFT & 0xff
    }

    /// An area at `at` with three vectors, 0x200 and on as their data.
    pub(super) fn storage(&self, at: u64) {
        let put = |offset: u64, value: u32| {
            self.memory
                .write_obj(value, GuestAddress(at + offset))
                .unwrap();
        };
        let (messages, map, gates) = (header::BYTES, 0x100, 0x140);
        for (field, value) in [
            (header::VECTORS, 3),
            (header::QUEUES, 2),
            (header::CONFIG_VECTOR, 0),
            (header::GATE_SHIFT, 2),
            (header::MESSAGES, messages as u32),
            (header::MAP, map as u32),
            (header::GATES, gates as u32),
            (header::LENGTH, 0x180),
        ] {
            put(field, value);
        }
        for vector in 0..3 {
            let message = messages + u64::from(vector) * 16;
            let data = 0x200 + vector;
            put(message, address(data) as u32);
            put(message + 4, (address(data) >> 32) as u32);
            put(message + 8, data);
            put(gates + u64::from(vector) * 4, 0);
        }
        put(map, 1);
        put(map + 4, 2);
        self.write(register::ADDRESS_LOW, at as u32);
        self.write(register::ADDRESS_HIGH, (at >> 32) as u32);
    }
}

#[test]
fn one_of_msi_and_storage_is_enabled() {
    let driver = Driver::with_both();
    driver.storage(0x10000);
    driver.command(Command::Enable);
    driver.vis(vis::Command::Enable);
    assert_eq!(driver.mmio.mode(), Mode::Msi);
    assert_eq!(driver.vis_error(), vis::Error::Command as u32);
    driver.command(Command::Disable);
    driver.vis(vis::Command::Enable);
    assert_eq!((driver.mmio.mode(), driver.vis_error()), (Mode::Vis, 0));
    driver.command(Command::Enable);
    driver.command(Command::Disable);
    assert_eq!(driver.mmio.mode(), Mode::Vis);
    assert!(!driver.enabled());
    driver.vis(vis::Command::Disable);
    assert_eq!(driver.mmio.mode(), Mode::Line);
}

#[test]
fn storage_sends_each_events_message_and_falls_back_to_the_line() {
    let driver = Driver::with_both();
    driver.storage(0x10000);
    driver.go();
    driver.used(0);
    driver.config();
    driver.vis(vis::Command::Enable);
    assert!(!driver.pin.is_high());
    assert_eq!(
        driver.inbox.take(),
        [0x200, 0x201, 0x202],
        "what the line was for"
    );
    driver.used(1);
    driver.config();
    assert_eq!(driver.inbox.take(), [0x202, 0x200]);
    driver.write(mmio::INTERRUPT_ACK, 3);
    // Masked in memory, and disabled before it is unmasked.
    driver
        .memory
        .write_obj(vis::MASK, GuestAddress(0x10140 + 4))
        .unwrap();
    driver.used(0);
    assert_eq!(
        (driver.inbox.take(), driver.interrupt_status()),
        (vec![], 0)
    );
    driver.vis(vis::Command::Disable);
    assert_eq!(driver.interrupt_status(), INTERRUPT_USED | INTERRUPT_CONFIG);
    driver.write(mmio::INTERRUPT_ACK, 3);
    driver.used(0);
    assert!(driver.pin.is_high());
}

#[test]
fn a_reset_ends_storage() {
    let driver = Driver::with_both();
    let fresh = {
        let options = MmioOptions {
            msi: Some(offer(Layout::CLEAR, 3, false)),
            vis: Some(crate::vis::Offer { vectors: 3 }),
            ..MmioOptions::default()
        };
        Driver::new(Recorder::new(&[64, 16]), options).mmio.save()
    };
    driver.storage(0x10000);
    driver.vis(vis::Command::Enable);
    driver.go();
    driver.write(mmio::STATUS, 0);
    assert_eq!(driver.mmio.mode(), Mode::Line);
    assert_eq!(driver.mmio.save(), fresh);
    driver.used(0);
    assert_eq!(
        (driver.inbox.take(), driver.interrupt_status()),
        (vec![], 0)
    );
}

#[test]
fn an_area_outside_memory_leaves_the_line() {
    let driver = Driver::with_both();
    driver.go();
    for at in [crate::recorder::MEMORY, u64::MAX - 63, 0x10001] {
        driver.write(register::ADDRESS_LOW, at as u32);
        driver.write(register::ADDRESS_HIGH, (at >> 32) as u32);
        driver.vis(vis::Command::Enable);
        assert_ne!(driver.vis_error(), 0);
        assert_eq!(driver.mmio.mode(), Mode::Line);
    }
    driver.used(0);
    assert_eq!(driver.interrupt_status(), INTERRUPT_USED);
}
