// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Slots and entries, from the guest's first write to a vCPU.

use ims::domain::Raised;
use ims::sink::Acceptance;

use super::bench::{ALICE, Bench, mask, program, read32};
use crate::guest_ims::layout::SLOTS;
use crate::lines::Target;

#[test]
fn thousands_of_slots_each_reach_the_vcpu_and_vector_of_their_entry() {
    let bench = Bench::enabled();
    let ims = bench.device(ALICE, 20_000);
    for entry in 0..200u16 {
        bench.grant(entry.into(), ALICE, u32::from(entry) * 3, 50 + entry as u8);
    }
    let port = ims.port();
    for slot in (0..20_000u32).step_by(61) {
        let entry = (slot % 200) as u16;
        program(&ims, slot.into(), entry);
        let sent = Raised::Sent(Acceptance::HandedOver);
        assert_eq!(port.raise(slot), sent);
        let [message] = bench.vm.take()[..] else {
            panic!("one message")
        };
        assert_eq!(message.data, 50 + u32::from(entry));
        let id = u64::from(entry) * 3;
        let address = 0xfee0_0000 | (id & 0xff) << 12 | (id >> 8) << 40;
        assert_eq!(message.address, address);
    }
    assert_eq!(bench.remap.fault_counts().total(), 0);
    assert!(ims.bar_bytes().is_power_of_two() && ims.bar_bytes() >= SLOTS + 20_000 * 16);
}

#[test]
fn what_is_raised_under_a_mask_is_pending_for_the_guest_and_sent_once() {
    let bench = Bench::enabled();
    let ims = bench.device(ALICE, 4);
    bench.grant(9, ALICE, 1, 0x41);
    program(&ims, 2, 9);
    mask(&ims, 2, true);
    let port = ims.port();
    assert_eq!(port.raise(2), Raised::Held);
    assert_eq!(port.raise(2), Raised::Met);
    assert_eq!(read32(&ims, SLOTS + 2 * 16 + 12), 3);
    assert_eq!(bench.vm.vectors(), []);
    mask(&ims, 2, false);
    assert_eq!(bench.vm.vectors(), [0x41]);
    assert_eq!(read32(&ims, SLOTS + 2 * 16 + 12), 0);
    let counts = port.counts(2).unwrap();
    assert!(counts.add_up(0), "{counts:?}");
    assert_eq!((counts.raised, counts.handed_over), (2, 1));
}

#[test]
fn a_disabled_store_keeps_what_is_raised() {
    let bench = Bench::enabled();
    let ims = bench.device(ALICE, 70);
    bench.grant(1, ALICE, 1, 0x41);
    program(&ims, 69, 1);
    ims.write(0x18, &0u64.to_le_bytes());
    assert!(!ims.enabled());
    let _ = ims.port().raise(69);
    assert!(ims.port().is_pending(69));
    assert_eq!(bench.vm.vectors(), []);
    ims.write(0x18, &[1]);
    assert_eq!(bench.vm.vectors(), [0x41]);
}

#[test]
fn an_eventfd_raises_its_slot_and_never_becomes_a_route() {
    let bench = Bench::enabled();
    let ims = bench.device(ALICE, 4);
    bench.grant(1, ALICE, 1, 0x41);
    program(&ims, 3, 1);
    let target: &dyn Target = &ims.port();
    target.raise(3);
    assert_eq!(bench.vm.vectors(), [0x41]);
    assert_eq!(target.message(3), None);
    target.raise(4);
    assert_eq!(ims.port().strays(), 1);
}

#[test]
fn a_reset_device_forgets_its_slots_and_the_unit_keeps_its_table() {
    let bench = Bench::enabled();
    let (ims, other) = (bench.device(ALICE, 4), bench.device(ALICE, 4));
    bench.grant(1, ALICE, 1, 0x41);
    program(&ims, 3, 1);
    program(&other, 3, 1);
    ims.reset();
    assert!(!ims.enabled());
    assert_eq!(read32(&ims, SLOTS + 3 * 16), 0);
    assert_eq!(ims.port().raise(3), Raised::Held);
    let _ = other.port().raise(3);
    assert_eq!(bench.vm.vectors(), [0x41]);
}
