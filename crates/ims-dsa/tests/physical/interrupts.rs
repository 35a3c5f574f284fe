// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Masks, and what a client makes of messages.

use ims_dsa::front::map;
use ims_dsa::layout::Opcode;
use ims_dsa::physical::{Refusal, VectorKind};
use ims_vfio::dma::DmaError;
use rustix::io::Errno;

use crate::driver::{BASE, Rig, interrupting, recorded, until};

/// A message whose address and data belong together.
fn numbered(number: u32) -> (u64, u32) {
    let address = u64::from(number) << 32 | u64::from(!number & !3);
    (address, number)
}

#[test]
fn no_completion_interrupt_is_lost_or_torn_while_the_guest_masks_and_moves_it() {
    const EACH: u64 = 300;
    let rig = Rig::new();
    rig.enable(4, 4, 0);
    rig.program(9, numbered(0));
    let handle = rig.ims_handle(9);
    let entry = map::IMS + 9 * 16;
    let mut number = 0;
    for at in 0..EACH {
        for queue in 0..4 {
            let record = BASE + (queue * 64 + at % 64) * 32;
            until("room in the queue", || {
                rig.function.report().front.queues[queue as usize].occupancy < 16
            });
            let nothing = recorded(Opcode::NoOp, record);
            rig.submit(queue, 2 + at % 2, at, &interrupting(nothing, handle));
            match (at + queue) % 3 {
                0 => rig.write32(entry + 12, 1),
                1 => {
                    number += 1;
                    rig.program(9, numbered(number));
                }
                _ => {
                    // All of it at once, masked or not.
                    number += 1;
                    let (address, data) = numbered(number);
                    let mut bytes = [0; 16];
                    bytes[..8].copy_from_slice(&address.to_le_bytes());
                    bytes[8..12].copy_from_slice(&data.to_le_bytes());
                    rig.write(0, entry, &bytes);
                }
            }
        }
    }
    rig.write32(entry + 12, 0);
    let raises = || rig.vector(VectorKind::Ims, 9).raises;
    until("all completions", || raises().raised == 4 * EACH);
    until("all of them answered", || {
        raises().delivered + raises().coalesced == 4 * EACH
    });
    let messages = rig.client.messages();
    assert_eq!(messages.len() as u64, raises().delivered);
    assert_eq!(raises().refused, 0);
    assert!(messages.iter().all(|one| *one == numbered(one.1)), "torn");
    assert!(messages.is_sorted_by_key(|(_, data)| *data), "an old one");
    assert_eq!(rig.read32(entry + 12), 0, "none is left pending");
}

#[test]
fn a_guest_that_has_the_msix_table_masks_and_finds_the_pending_bit() {
    let rig = Rig::new();
    rig.enable(1, 1, 0);
    let handle = rig.msix_handle(2);
    let control = map::MSIX_TABLE + 2 * 16 + 12;
    rig.write32(control, 1);
    for number in 0..2 {
        let record = BASE + number * 32;
        let nothing = recorded(Opcode::NoOp, record);
        rig.submit(0, 0, number, &interrupting(nothing, handle));
        rig.record(record);
    }
    let raises = || rig.vector(VectorKind::MsiX, 2).raises;
    until("both are raised", || raises().raised == 2);
    assert_eq!(rig.eventfds.signals(2), 0);
    assert_eq!(rig.read64(map::MSIX_PENDING), 1 << 2);
    // Software cannot write it.
    rig.write64(map::MSIX_PENDING, 0);
    assert_eq!(rig.read64(map::MSIX_PENDING), 1 << 2);
    rig.write32(control, 0);
    assert_eq!(rig.eventfds.signals(2), 1);
    assert_eq!(rig.read64(map::MSIX_PENDING), 0);
    assert_eq!((raises().held, raises().coalesced), (1, 1));
}

#[test]
fn a_message_the_client_refuses_is_counted_with_its_reason() {
    let rig = Rig::new();
    rig.enable(1, 1, 0);
    rig.program(0, (0xdead_0000, 1));
    let handle = rig.ims_handle(0);
    *rig.client.refuses.lock().unwrap() = Some(Errno::FAULT);
    let nothing = recorded(Opcode::NoOp, BASE);
    rig.submit(0, 2, 0, &interrupting(nothing, handle));
    let raises = || rig.vector(VectorKind::Ims, 0).raises;
    until("refused", || raises().refused == 1);
    let reason = Refusal::Message(DmaError::Remote(Errno::FAULT));
    assert_eq!(raises().last_refusal, Some(reason));
    assert_eq!(raises().delivered, 0);
}
