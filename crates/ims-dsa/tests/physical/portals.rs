// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Descriptors through all kinds of portals, and the interrupts that follow.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ims_dsa::layout::{Opcode, Status};
use ims_dsa::physical::VectorKind;

use crate::driver::{BASE, Rig, interrupting, memory_move, recorded, until};

const MESSAGE: (u64, u32) = (0xfee0_1000, 0x4321);
const SUCCESS: u8 = Status::Success as u8;

#[test]
fn each_of_the_four_portals_takes_descriptors_and_chooses_the_table() {
    let rig = Rig::new();
    rig.enable(1, 2, 0);
    rig.program(3, MESSAGE);
    let (ims, msix) = (rig.ims_handle(3), rig.msix_handle(5));
    rig.ram.put(0x2000, &[0x5a; 256]);
    for page in 0..4u64 {
        let handle = if page < 2 { msix } else { ims };
        let record = BASE + 0x100 + page * 32;
        let target = 0x3000 + page * 0x100;
        let copy = memory_move(record, BASE + 0x2000, BASE + target, 256);
        rig.submit(0, page, page, &interrupting(copy, handle));
        assert_eq!(rig.record(record).status, SUCCESS);
        assert_eq!(rig.ram.get(target, 256), [0x5a; 256]);
    }
    until("MSI-X", || rig.eventfds.signals(5) == 2);
    until("messages", || rig.client.messages() == [MESSAGE; 2]);
    let delivered = |kind, index| rig.vector(kind, index).raises.delivered;
    // A signal is counted after it was seen.
    until("counted", || {
        delivered(VectorKind::Ims, 3) == 2 && delivered(VectorKind::MsiX, 5) == 2
    });
    until("the engines' count", || {
        rig.function.report().engines.unwrap().interrupts == 4
    });
    assert_eq!(rig.function.report().front.queues[0].submitted, 4);
}

#[test]
fn a_record_is_in_memory_before_its_message_arrives() {
    let rig = Rig::new();
    rig.enable(1, 4, 0);
    rig.program(0, MESSAGE);
    let handle = rig.ims_handle(0);
    let missing = Arc::<AtomicU32>::default();
    let (ram, told) = (rig.ram.clone(), missing.clone());
    let arrived = AtomicU32::new(0);
    *rig.client.look.lock().unwrap() = Some(Box::new(move |_, _| {
        let messages = arrived.fetch_add(1, Ordering::SeqCst) + 1;
        let records = (0..200).filter(|at| ram.get(at * 32, 1) != [0]).count();
        if (records as u32) < messages {
            told.fetch_add(1, Ordering::SeqCst);
        }
    }));
    for number in 0..200 {
        let record = BASE + number * 32;
        let nothing = recorded(Opcode::NoOp, record);
        until("room in the queue", || {
            rig.function.report().front.queues[0].occupancy < 16
        });
        rig.submit(0, 3, number, &interrupting(nothing, handle));
    }
    until("all messages", || rig.client.messages().len() == 200);
    assert_eq!(missing.load(Ordering::SeqCst), 0);
}
