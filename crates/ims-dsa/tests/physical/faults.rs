// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Memory that is not there, or not yet.

use ims_dsa::layout::{Flags, Status, WRITE_FAULT};

use crate::driver::{BASE, HOLE, Rig, flagged, memory_move, until};
use crate::memory::{PAGE, Ram};

const PAGE_FAULT: u8 = Status::PageFault as u8;
const SUCCESS: u8 = Status::Success as u8;

#[test]
fn a_descriptor_stops_at_a_page_that_is_not_mapped_and_says_how_far_it_got() {
    let rig = Rig::new();
    rig.enable(1, 1, 0);
    let end = BASE + 64 * PAGE;
    rig.ram.put(0x1000, &[7; 8192]);
    let copy = memory_move(BASE, BASE + 0x1000, end - PAGE, 8192);
    rig.submit(0, 0, 0, &copy);
    let record = rig.record(BASE);
    assert_eq!(record.status, PAGE_FAULT | WRITE_FAULT);
    assert_eq!(record.fault_address.get(), end);
    assert_eq!(record.completed.get(), PAGE as u32);
    assert_eq!(
        rig.ram.get(63 * PAGE, PAGE as usize),
        vec![7; PAGE as usize]
    );
    let nothing_there = memory_move(BASE + 32, HOLE, BASE + 0x1000, 64);
    rig.submit(0, 0, 1, &nothing_there);
    let record = rig.record(BASE + 32);
    assert_eq!((record.status, record.completed.get()), (PAGE_FAULT, 0));
    assert_eq!(record.fault_address.get(), HOLE);
}

#[test]
fn a_descriptor_that_may_block_goes_on_when_the_page_is_mapped() {
    let rig = Rig::new();
    // Block on fault is on in WQCFG.
    rig.enable(1, 1, 1 << 1);
    rig.ram.put(0x1000, &[9; 4096]);
    let copy = memory_move(BASE, BASE + 0x1000, HOLE, 4096);
    rig.submit(0, 0, 0, &flagged(copy, Flags::BLOCK_ON_FAULT));
    until("an engine has taken it", || {
        rig.function.report().front.queues[0].occupancy == 0
    });
    assert_eq!(rig.peek(BASE).status, 0);
    let late = Ram::new(1);
    rig.endpoint.function().dma.map(late.map(HOLE)).unwrap();
    assert_eq!(rig.record(BASE).status, SUCCESS);
    assert_eq!(late.all(), vec![9; 4096]);
}
