// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A unit over a table that somebody else programs.

use super::parts::{Bank, Cpus};
use crate::message::{DeliveryMode, Destination, Remappable, RequesterId};
use crate::remap::*;
use crate::sink::{Acceptance, Answer, MessageSink, Refusal};

#[test]
fn what_somebody_else_programs_is_followed_and_a_short_table_faults() {
    let (cpus, bank) = (Cpus::default(), Bank::new(0));
    let table = PairTable::new(4);
    table.grow(4).unwrap();
    let owner = RequesterId(0x77);
    let entry = Entry {
        source: Source::exactly(owner),
        fpd: false,
        target: Target::Remapped {
            destination: Destination {
                id: 0x1_0000,
                logical: false,
                redirection_hint: false,
            },
            vector: 0x51,
            delivery: DeliveryMode::Fixed,
            trigger_level: false,
        },
    };
    // More entries than there are.
    let modes = Modes::x2apic(1024);
    let mut foreign = Foreign::new(table, modes.with_remapping(false), 0);
    foreign.set_modes(modes.with_remapping(false).with_remapping_required(true));
    let unit = foreign.unit(&cpus, &bank);
    let message = |handle| {
        Remappable {
            handle,
            subhandle: None,
        }
        .encode()
    };
    let refused = |reason| Answer::Refused(Refusal::Fault(reason));
    let off = refused(FaultReason::RemappingRequired);
    assert_eq!(unit.send(owner, message(1)), off);
    foreign.set_modes(modes);
    let absent = refused(FaultReason::NotPresent);
    assert_eq!(unit.send(owner, message(1)), absent);
    let bits = entry.encode(modes.apic_mode()).unwrap().0;
    foreign.memory().write(1, bits).unwrap();
    let taken = Answer::Accepted(Acceptance::HandedOver);
    assert_eq!(unit.send(owner, message(1)), taken);
    assert_eq!(cpus.take().len(), 1);
    let stranger = refused(FaultReason::SourceId);
    assert_eq!(unit.send(RequesterId(0x78), message(1)), stranger);
    let beyond = refused(FaultReason::EntryAccess);
    assert_eq!(unit.send(owner, message(900)), beyond);
    assert_eq!(cpus.take(), []);
    assert_eq!(foreign.faults().counts().total(), 4);
}
