// SPDX-License-Identifier: Apache-2.0 OR MIT
//! MSI as its driver sees it.

use super::*;
use crate::layout::NO_VECTOR;
use crate::layout::mmio::INTERRUPT_USED;
use crate::layout::msi::Notification;

const LAYOUTS: [Layout; 3] = [Layout::KERNEL, Layout::TEXT, Layout::CLEAR];

#[test]
fn every_event_has_its_vector_in_all_layouts() {
    for layout in LAYOUTS {
        let driver = Driver::with_msi(layout, 3, false);
        assert_eq!(driver.offered() & layout.feature, layout.feature);
        assert_eq!(driver.read(layout.vectors), 3);
        assert_eq!(driver.read(layout.state), 0);
        driver.go_with_msi(3);
        assert_eq!(driver.read(layout.state), layout.enabled);
        assert_eq!(driver.mmio.mode(), Mode::Msi);
        for (tell, data) in [
            (&(|| driver.used(1)) as &dyn Fn(), 0x102),
            (&|| driver.used(0), 0x101),
            (&|| driver.config(), 0x100),
        ] {
            tell();
            assert_eq!(driver.inbox.take(), [data]);
        }
        driver.write(mmio::INTERRUPT_ACK, 3);
        assert_eq!(driver.interrupt_status(), 0);
        assert_eq!(driver.pin.risen.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn the_state_register_says_what_the_layout_says() {
    assert_eq!(
        (Layout::KERNEL.enabled, Layout::KERNEL.sharing),
        (1 << 31, 1 << 30)
    );
    assert_eq!((Layout::TEXT.enabled, Layout::TEXT.sharing), (1, 2));
    for layout in LAYOUTS {
        let driver = Driver::with_msi(layout, 2, true);
        assert_eq!(driver.read(layout.state), layout.sharing);
        driver.agree(VERSION_1 | layout.feature);
        driver.command(Command::Enable);
        assert_eq!(driver.read(layout.state), layout.sharing | layout.enabled);
        driver.command(Command::Disable);
        assert_eq!(driver.read(layout.state), layout.sharing);
    }
}

#[test]
fn shared_vectors_are_mapped_by_the_driver() {
    let driver = Driver::with_msi(Layout::CLEAR, 2, true);
    driver.go_with_msi(2);
    driver.used(0);
    driver.config();
    assert_eq!(driver.inbox.take(), [0_u32; 0], "nothing is mapped yet");
    driver.select(0);
    driver.command(Command::MapConfig);
    driver.select(1);
    for queue in [0, 1, 2, u32::MAX] {
        driver.write(mmio::QUEUE_SEL, queue);
        driver.command(Command::MapQueue);
    }
    driver.used(0);
    driver.used(1);
    driver.config();
    assert_eq!(driver.inbox.take(), [0x101, 0x101, 0x100]);
    driver.select(NO_VECTOR);
    driver.write(mmio::QUEUE_SEL, 0);
    driver.command(Command::MapQueue);
    driver.command(Command::MapConfig);
    driver.used(0);
    driver.config();
    driver.used(1);
    assert_eq!(driver.inbox.take(), [0x101]);
}

#[test]
fn vectors_of_their_own_are_not_mapped() {
    let driver = Driver::with_msi(Layout::CLEAR, 4, false);
    driver.go_with_msi(4);
    driver.select(3);
    driver.command(Command::MapConfig);
    driver.write(mmio::QUEUE_SEL, 0);
    driver.command(Command::MapQueue);
    driver.used(0);
    driver.config();
    assert_eq!(driver.inbox.take(), [0x101, 0x100]);
}

#[test]
fn a_masked_vector_keeps_one_interrupt_and_unmasking_sends_it() {
    let driver = Driver::with_msi(Layout::CLEAR, 3, false);
    driver.go_with_msi(3);
    driver.select(1);
    driver.command(Command::Mask);
    driver.used(0);
    driver.used(0);
    driver.used(1);
    assert_eq!(driver.inbox.take(), [0x102]);
    // A message changed under the mask is the one that is sent.
    driver.configure(1, 0x777);
    assert_eq!(driver.inbox.take(), [0_u32; 0]);
    driver.command(Command::Unmask);
    assert_eq!(driver.inbox.take(), [0x777]);
    driver.command(Command::Unmask);
    assert_eq!(driver.inbox.take(), [0_u32; 0]);
}

#[test]
fn a_vector_without_a_message_keeps_its_interrupt_until_it_has_one() {
    let driver = Driver::with_msi(Layout::CLEAR, 3, false);
    driver.agree(VERSION_1 | driver.layout.feature);
    driver.command(Command::Enable);
    driver.go();
    driver.used(1);
    driver.select(2);
    driver.command(Command::Unmask);
    assert_eq!(driver.inbox.take(), [0_u32; 0]);
    driver.configure(2, 5);
    assert_eq!(driver.inbox.take(), [5]);
}

#[test]
fn a_vector_that_is_not_is_not_selected() {
    let driver = Driver::with_msi(Layout::CLEAR, 3, false);
    driver.go_with_msi(3);
    driver.select(1);
    for other in [3, 4, 0x8000_0000, NO_VECTOR - 1] {
        driver.select(other);
    }
    driver.command(Command::Mask);
    driver.used(0);
    assert_eq!(driver.inbox.take(), [0_u32; 0], "1 is still selected");
    driver.select(NO_VECTOR);
    driver.command(Command::Unmask);
    driver.command(Command::Configure);
    assert_eq!(driver.inbox.take(), [0_u32; 0]);
    driver.select(1);
    driver.command(Command::Unmask);
    assert_eq!(driver.inbox.take(), [0x101]);
}

#[test]
fn commands_without_the_feature_are_ignored() {
    let driver = Driver::with_msi(Layout::CLEAR, 3, false);
    let before = driver.mmio.save();
    for value in 0..10 {
        driver.write(driver.layout.command, value);
    }
    assert_eq!(driver.mmio.save(), before);
    driver.agree(VERSION_1);
    driver.configure(1, 7);
    driver.command(Command::Enable);
    assert!(!driver.enabled());
    driver.go();
    driver.used(0);
    assert_eq!(driver.interrupt_status(), INTERRUPT_USED);
    assert_eq!(driver.inbox.take(), [0_u32; 0]);
}

#[test]
fn a_reset_takes_messages_masks_and_map_away() {
    for sharing in [false, true] {
        let driver = Driver::with_msi(Layout::CLEAR, 3, sharing);
        let fresh = driver.mmio.save();
        driver.go_with_msi(3);
        driver.select(2);
        driver.command(Command::MapConfig);
        driver.command(Command::Mask);
        driver.config();
        driver.used(1);
        driver.inbox.take();
        driver.write(mmio::STATUS, 0);
        assert_eq!(driver.mmio.save(), fresh);
        assert!(!driver.enabled());
        assert_eq!(driver.inbox.take(), [0_u32; 0]);
    }
}

/// As the driver published in 2020 does.
#[test]
fn enabling_where_disabling_was_meant_does_no_harm() {
    let driver = Driver::with_msi(Layout::KERNEL, 3, false);
    driver.go_with_msi(3);
    driver.select(1);
    driver.command(Command::Mask);
    driver.used(0);
    driver.command(Command::Enable);
    driver.command(Command::Enable);
    assert!(driver.enabled());
    assert_eq!(
        (driver.inbox.take(), driver.interrupt_status()),
        (vec![], 0)
    );
    driver.command(Command::Unmask);
    assert_eq!(driver.inbox.take(), [0x101], "kept, and once");
    driver.write(mmio::STATUS, 0);
    assert!(!driver.enabled());
}

#[test]
fn what_a_busy_sink_did_not_take_is_sent_when_it_is_ready() {
    let driver = Driver::with_msi(Layout::CLEAR, 3, false);
    driver.go_with_msi(3);
    driver.inbox.busy.store(true, Ordering::Relaxed);
    driver.used(0);
    driver.config();
    driver.inbox.busy.store(false, Ordering::Relaxed);
    driver.mmio.retry();
    assert_eq!(driver.inbox.take(), [0x100, 0x101]);
    driver.mmio.retry();
    assert_eq!(driver.inbox.take(), [0_u32; 0]);
}

#[test]
fn queues_are_notified_at_offsets_of_their_own_as_the_register_says() {
    let offsets = Notification {
        base: 0x1000,
        multiplier: 4,
    };
    let msi = crate::msi::Offer {
        notification: Some(offsets),
        ..offer(Layout::CLEAR, 3, false)
    };
    let options = MmioOptions {
        msi: Some(msi),
        ..MmioOptions::default()
    };
    let driver = Driver::new(Recorder::new(&[64, 16]), options);
    let feature = Layout::CLEAR.notification_feature;
    assert_eq!(driver.offered() & feature, feature);
    let read = Notification::from_value(driver.read(mmio::QUEUE_NOTIFY));
    assert_eq!(read, offsets);
    driver.write(read.offset(1), 0xdead);
    driver.write(read.offset(0), 1);
    driver.write(read.offset(2), 0);
    driver.write(mmio::QUEUE_NOTIFY, 1);
    assert_eq!(driver.device.asked.lock().unwrap().notified, [1, 0, 1]);
}
