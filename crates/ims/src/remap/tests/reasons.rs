// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One request for each reason a unit of this crate can give.

use super::parts::{Bank, Cpus};
use crate::message::{Message, RequesterId};
use crate::remap::*;
use crate::sink::{Answer, MessageSink, Refusal};

const OWNER: RequesterId = RequesterId(0x1a00);
/// Requester 1A:00.0 only.
const OWNED: u128 = 0x4_1a00 << 64;
/// Requester 1A:00.1 only.
const STRANGERS: u128 = 0x4_1a01 << 64;

fn send(modes: Modes, entry: u128, address: u64, data: u32) -> (Answer, Option<Fault>) {
    let memory = WholeTable::boxed(16).unwrap();
    memory.write(1, entry).unwrap();
    let control = Control::new(memory, modes, 0, NoInvalidate).unwrap();
    let (cpus, bank) = (Cpus::default(), Bank::new(1));
    let unit = control.unit(&cpus, &bank);
    let answer = unit.send(OWNER, Message { address, data });
    assert_eq!(cpus.take(), []);
    (answer, unit.faults().take())
}

/// A remappable message for handle 1, with a subhandle.
const ONE: u64 = 0xfee0_0038;

#[test]
fn each_reason_has_its_request_and_fpd_hides_only_the_qualified() {
    let on = Modes::x2apic(16);
    let cases = [
        (0x20, on, 1, ONE, 0x1_0000, 0),
        (0x21, on, 1, ONE, 15, 16),
        (0x21, on, 1, 0xfeef_fffc, 0xffff, 0xfffe),
        (0x22, on, 0, ONE, 0, 1),
        (0x24, on, OWNED | 1 << 31 | 1, ONE, 0, 1),
        (0x24, on, 3 << 82 | 1, ONE, 0, 1),
        (0x25, on, 1, 0xfee0_0000, 0x41, 0),
        (0x25, on.with_compatibility(true), 1, 0xfee0_0000, 0x41, 0),
        (0x25, on.with_extended(false), 1, 0xfee0_0000, 0x41, 0),
        (0x26, on, STRANGERS | 1, ONE, 0, 1),
        (0x27, on, OWNED | 1 << 38 | 0x8001, ONE, 0, 1),
        (0x29, on, 1, 0xfed0_0000, 0, 0),
        (
            0x2a,
            on.with_extended(false).with_extended_required(true),
            1,
            ONE,
            0,
            0,
        ),
        (
            0x2b,
            on.with_remapping(false).with_remapping_required(true),
            1,
            ONE,
            0,
            0,
        ),
    ];
    for (code, modes, entry, address, data, index) in cases {
        let reason = FaultReason::from_code(code).unwrap();
        let refused = Answer::Refused(Refusal::Fault(reason));
        let fault = Fault {
            reason,
            requester: OWNER,
            index,
        };
        assert_eq!(send(modes, entry, address, data), (refused, Some(fault)));
        let hidden = entry | layout::FAULT_PROCESSING_DISABLED;
        let seen = (!reason.is_qualified()).then_some(fault);
        assert_eq!(send(modes, hidden, address, data), (refused, seen));
    }
}

#[test]
fn an_entry_that_cannot_be_fetched_is_23h_and_one_not_grown_to_is_22h() {
    struct Gone;
    impl EntryMemory for Gone {
        fn read(&self, _: u32) -> Option<u128> {
            None
        }
        fn write(&self, handle: u32, _: u128) -> Result<(), TableError> {
            Err(TableError::NoSuchEntry { handle })
        }
        fn grow(&self, count: u32) -> Result<u32, TableError> {
            Ok(count)
        }
        fn limit(&self) -> u32 {
            16
        }
    }
    fn reason(memory: impl EntryMemory) -> Answer {
        let control = Control::new(memory, Modes::x2apic(16), 0, NoInvalidate).unwrap();
        control.unit(Cpus::default(), Bank::new(0)).send(
            OWNER,
            Message {
                address: ONE,
                data: 0,
            },
        )
    }
    assert_eq!(
        reason(Gone),
        Answer::Refused(Refusal::Fault(FaultReason::EntryAccess))
    );
    let absent = Answer::Refused(Refusal::Fault(FaultReason::NotPresent));
    assert_eq!(reason(PairTable::new(16)), absent);
}

#[test]
fn the_requester_is_checked_before_the_entrys_reserved_bits() {
    let (answer, _) = send(Modes::x2apic(16), STRANGERS | 1 << 31 | 1, ONE, 0);
    assert_eq!(
        answer,
        Answer::Refused(Refusal::Fault(FaultReason::SourceId))
    );
}
