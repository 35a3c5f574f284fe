// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which message reaches which vCPU.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

use std::sync::Arc;

use ims::message::{Addressing, DeliveryMode, Destination};
use ims::sink::{Acceptance, Answer, CpuSink, Refusal};

use super::Vcpus;
use crate::kvm_message::Composer;
use crate::signal::Signal;
use crate::vm::recorder::{Recorder, Sent};

fn vcpus(addressing: Addressing) -> (Vcpus<Recorder>, Arc<Recorder>) {
    let vm = Arc::<Recorder>::default();
    let composer = Composer {
        addressing,
        device_ids: false,
    };
    (Vcpus::new(Signal::new(Arc::clone(&vm), composer)), vm)
}

fn physical(id: u32) -> Destination {
    Destination {
        id,
        logical: false,
        redirection_hint: false,
    }
}

const TAKEN: Answer = Answer::Accepted(Acceptance::HandedOver);
const NO_SUCH: Answer = Answer::Refused(Refusal::NoSuchCpu);

/// What KVM is given for vector 41h to this vCPU; `None` if nothing.
fn sent(addressing: Addressing, destination: Destination, mode: DeliveryMode) -> Option<Sent> {
    let (vcpus, vm) = vcpus(addressing);
    let answer = vcpus.deliver(destination, 0x41, mode);
    let sent = vm.take();
    match sent[..] {
        [] => assert_eq!(answer, NO_SUCH),
        [_] => assert_eq!(answer, TAKEN),
        _ => panic!("{sent:?}"),
    }
    sent.first().copied()
}

/// KVM reads destination 7:0 in address 19:12, and 31:8 in 63:40.
fn read_by_kvm(sent: Sent) -> u32 {
    let low = (sent.address >> 12) as u32 & 0xff;
    let high = (sent.address >> 40) as u32;
    assert_eq!(sent.address >> 32 & 0xff, 0);
    assert_eq!(sent.address & 0xfff0_0ff0, 0xfee0_0000);
    high << 8 | low
}

#[test]
fn each_vcpu_is_reached_that_its_guests_addressing_can_name_and_no_other() {
    let limits = [
        (Addressing::Xapic, 0xff),
        (Addressing::Extended, 0x7fff),
        (Addressing::X2apic, u32::MAX),
    ];
    let ids = [
        0,
        1,
        254,
        255,
        256,
        300,
        0x7fff,
        0x8000,
        0x1_0000,
        u32::MAX - 1,
    ];
    for (addressing, limit) in limits {
        for id in ids {
            let sent = sent(addressing, physical(id), DeliveryMode::Fixed);
            assert_eq!(sent.is_some(), id <= limit, "{addressing:?} {id:#x}");
            if let Some(sent) = sent {
                assert_eq!(read_by_kvm(sent), id, "{addressing:?}");
                assert_eq!(sent.data, 0x41);
            }
        }
    }
}

#[test]
fn logical_destinations_hints_and_modes_reach_kvm_as_they_are() {
    for addressing in [Addressing::Xapic, Addressing::Extended, Addressing::X2apic] {
        let destination = Destination {
            id: 0x0f,
            logical: true,
            redirection_hint: true,
        };
        let lowest = sent(addressing, destination, DeliveryMode::LowestPriority).unwrap();
        assert_eq!(lowest.address, 0xfee0_f00c, "{addressing:?}");
        assert_eq!(lowest.data, 0x141);
        let nmi = sent(addressing, physical(3), DeliveryMode::Nmi).unwrap();
        assert_eq!((nmi.address, nmi.data), (0xfee0_3000, 0x441));
    }
}

#[test]
fn a_clone_reaches_the_same_vcpus_and_counts_with_it() {
    let (vcpus, vm) = vcpus(Addressing::Xapic);
    let clone = vcpus.clone();
    assert_eq!(clone.deliver(physical(7), 0x55, DeliveryMode::Fixed), TAKEN);
    assert_eq!(vm.vectors(), [0x55]);
    assert_eq!(vcpus.signal().signalled().accepted, 1);
    assert!(vcpus.ready(physical(7)));
}
