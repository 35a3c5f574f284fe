// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a slot cannot reach, and how the guest and the VMM learn of it.

use ims::domain::Raised;
use ims::message::{Compatibility, DeliveryMode, Destination, Trigger};
use ims::remap::FaultReason;
use ims::sink::{Acceptance, Refusal};

use super::bench::{ALICE, BOB, Bench, Ims, SIZE, TABLE, program};
use crate::guest_ims::RemapOptions;
use crate::guest_ims::layout::remap::{FAULT_STATUS, FAULTS, OVERFLOW};
use crate::guest_ims::layout::{self, SLOTS};

fn fault(reason: FaultReason) -> Raised {
    Raised::Refused(Refusal::Fault(reason))
}

/// Slot 0 names vCPU 5 and vector 61h itself.
fn direct(ims: &Ims) {
    let message = Compatibility {
        destination: Destination {
            id: 5,
            logical: false,
            redirection_hint: false,
        },
        delivery: DeliveryMode::Fixed,
        trigger: Trigger::Edge,
        vector: 0x61,
    };
    let message = message.encode(ims::message::Addressing::Xapic).unwrap();
    ims.write(SLOTS, &message.address.to_le_bytes());
    ims.write(SLOTS + 8, &u64::from(message.data).to_le_bytes());
}

#[test]
fn a_slot_that_names_another_devices_entry_faults_and_delivers_nothing() {
    let bench = Bench::enabled();
    let (alice, bob) = (bench.device(ALICE, 4), bench.device(BOB, 4));
    bench.grant(7, ALICE, 1, 0x41);
    program(&alice, 0, 7);
    program(&bob, 3, 7);
    assert_eq!(bob.port().raise(3), fault(FaultReason::SourceId));
    assert_eq!(bench.vm.vectors(), []);
    assert_eq!(bench.fault(), Some((0x26, BOB.0, 7)));
    assert_eq!(bench.fault(), None);
    let sent = Raised::Sent(Acceptance::HandedOver);
    assert_eq!(alice.port().raise(0), sent);
    assert_eq!(bench.vm.vectors(), [0x41]);
    let counts = bench.remap.fault_counts();
    assert_eq!((counts.of(FaultReason::SourceId), counts.total()), (1, 1));
    assert_eq!(bench.read(FAULTS), 1);
    assert_eq!(bob.port().counts(3).unwrap().refused, 1);
}

#[test]
fn a_slot_that_names_a_vcpu_directly_faults_unless_the_vmm_allows_it() {
    let bench = Bench::enabled();
    let ims = bench.device(ALICE, 4);
    direct(&ims);
    let blocked = fault(FaultReason::CompatibilityBlocked);
    assert_eq!(ims.port().raise(0), blocked);
    assert_eq!(bench.fault(), Some((0x25, ALICE.0, 0)));
    assert_eq!(bench.vm.vectors(), []);

    let bench = Bench::new(RemapOptions {
        compatibility: true,
        ..RemapOptions::default()
    });
    let ims = bench.device(ALICE, 4);
    direct(&ims);
    for _ in 0..2 {
        let sent = Raised::Sent(Acceptance::HandedOver);
        assert_eq!(ims.port().raise(0), sent);
        assert_eq!(bench.vm.vectors(), [0x61]);
        // Off the first time, on the second.
        bench.enable();
    }
}

#[test]
fn while_the_unit_is_off_nothing_passes() {
    let bench = Bench::new(RemapOptions::default());
    let ims = bench.device(ALICE, 4);
    bench.grant(1, ALICE, 1, 0x41);
    program(&ims, 1, 1);
    direct(&ims);
    for slot in [0, 1] {
        let off = fault(FaultReason::RemappingRequired);
        assert_eq!(ims.port().raise(slot), off);
        assert_eq!(bench.fault(), Some((0x2b, ALICE.0, 0)));
    }
    assert_eq!(bench.vm.vectors(), []);
}

#[test]
fn entries_that_are_absent_beyond_or_nonsense_fault_each_with_its_reason() {
    let bench = Bench::enabled();
    let ims = bench.device(ALICE, 8);
    let port = ims.port();
    let raise = |entry| {
        program(&ims, 0, entry);
        port.raise(0)
    };
    assert_eq!(raise(3), fault(FaultReason::NotPresent));
    assert_eq!(raise(256), fault(FaultReason::IndexBeyondTable));
    bench.grant(3, ALICE, 1, 0x41);
    // All but FPD, which would keep it out of the records.
    bench.store(TABLE + 3 * 16, !2);
    assert_eq!(raise(3), fault(FaultReason::EntryReserved));
    // Posted, to somewhere in guest memory.
    bench.store(TABLE + 3 * 16, 1 << 15 | 1);
    assert_eq!(raise(3), fault(FaultReason::DescriptorAccess));
    for (reason, index) in [(0x22, 3), (0x21, 256), (0x24, 3), (0x27, 3)] {
        assert_eq!(bench.fault(), Some((reason, ALICE.0, index)));
    }
    assert_eq!(bench.vm.vectors(), []);
}

#[test]
fn a_table_where_no_memory_is_faults() {
    let bench = Bench::enabled();
    let ims = bench.device(ALICE, 4);
    program(&ims, 0, 255);
    // The last, the one behind, the end of all addresses.
    for base in [0xf000, 0x1_0000, !0xfff] {
        bench.write(layout::remap::CONTROL, 0);
        bench.write(layout::remap::TABLE, base | SIZE);
        bench.write(layout::remap::CONTROL, 1);
        let reason = if base == 0xf000 {
            FaultReason::NotPresent
        } else {
            FaultReason::EntryAccess
        };
        assert_eq!(ims.port().raise(0), fault(reason));
    }
}

#[test]
fn faults_beyond_the_records_are_counted_and_said_to_be_lost() {
    let bench = Bench::enabled();
    let ims = bench.device(ALICE, 4);
    program(&ims, 0, 1);
    for _ in 0..40 {
        let _ = ims.port().raise(0);
    }
    assert_eq!(bench.read(FAULTS), 40);
    assert_ne!(bench.read(FAULT_STATUS) & OVERFLOW, 0);
    let mut taken = 0;
    while bench.fault().is_some() {
        taken += 1;
    }
    assert!((16..=17).contains(&taken), "{taken}");
    bench.write(FAULT_STATUS, OVERFLOW);
    assert_eq!(bench.read(FAULT_STATUS), 0);
    let _ = ims.port().raise(0);
    assert_eq!(bench.fault(), Some((0x22, ALICE.0, 1)));
}
