// SPDX-License-Identifier: Apache-2.0 OR MIT
use std::sync::Arc;

use zerocopy::IntoBytes;

use super::*;
use crate::client::InterruptTable;
use crate::memory::AddressSpace;
use crate::testing::{PAGE, Paged, Recorder, client, interrupting, recorded, transfer, with_flags};

mod hostile;
mod records;

struct Alone;

impl Surroundings for Alone {
    fn wait_before(&self) {}
    fn is_abandoned(&self) -> bool {
        false
    }
}

fn run_in(space: &Arc<Paged>, recorder: &Recorder, descriptor: &Descriptor) -> Option<Status> {
    let counters = Counters::default();
    let mut executor = Executor {
        engine: 3,
        interrupts: recorder,
        raiser: (),
        counters: &counters,
        capabilities: Capabilities::default(),
    };
    let work = Work {
        descriptor,
        errors: recorder,
        client: &client(7, Arc::clone(space)),
        portal: Portal {
            table: InterruptTable::Ims,
            limited: false,
        },
        limits: Limits {
            max_transfer_shift: 16,
            max_batch_shift: 6,
            ..Limits::default()
        },
        queue: 5,
        batch_index: None,
    };
    executor.run(&work, &Alone)
}

fn run(space: Paged, descriptor: &Descriptor) -> (Arc<Paged>, Recorder) {
    let (space, recorder) = (Arc::new(space), Recorder::default());
    run_in(&space, &recorder, descriptor);
    (space, recorder)
}

#[test]
fn success_is_recorded_only_on_request_and_errors_always() {
    let quiet = with_flags(
        Descriptor::new(Opcode::NoOp, Flags::NONE),
        Flags::RECORD_VALID,
    );
    let quiet = Descriptor {
        completion: U64::new(64),
        ..quiet
    };
    let (space, _) = run(Paged::new(1), &quiet);
    assert_eq!(space.record(64).status, 0);
    let (space, _) = run(Paged::new(1), &recorded(Opcode::NoOp, 64));
    assert_eq!(space.record(64).status, 1);
    let wrong = Descriptor {
        source: U64::new(1),
        ..quiet
    };
    let (space, recorder) = run(Paged::new(1), &wrong);
    assert_eq!(space.record(64).status, Status::ReservedNotZero.code());
    assert!(recorder.errors.lock().unwrap().is_empty());
}

#[test]
fn an_error_without_a_record_goes_to_the_log() {
    let (_, recorder) = run(Paged::new(1), &Descriptor::new(0x55u8, Flags::NONE));
    let errors = recorder.errors.lock().unwrap();
    let [error] = errors[..] else {
        panic!("{errors:?}")
    };
    assert_eq!(
        (error.status, error.opcode, error.queue),
        (Status::InvalidOpcode, 0x55, 5)
    );
    assert_eq!(error.pasid.map(crate::Pasid::get), Some(7));
}

#[test]
fn what_cannot_be_told_is_not_begun() {
    for (completion, status) in [
        (8 * PAGE, Status::RecordPageFault),
        (48, Status::RecordAlignment),
    ] {
        let fill = interrupting(transfer(Opcode::Fill, completion, u64::MAX, 256, 8), 1);
        let (space, recorder) = run(Paged::new(1), &fill);
        assert_eq!(space.get(256, 8), [0; 8]);
        assert_eq!(recorder.errors.lock().unwrap()[0].status, status);
        assert!(recorder.raised.lock().unwrap().is_empty());
    }
}

#[test]
fn invalid_flags_are_in_the_record() {
    let bad = with_flags(
        recorded(Opcode::NoOp, 64),
        Flags::BLOCK_ON_FAULT | Flags::FENCE,
    );
    let (space, _) = run(Paged::new(1), &bad);
    let record = space.record(64);
    assert_eq!((record.status, record.value.get()), (0x11, 3));
}

#[test]
fn a_write_fault_sets_bit_seven_and_says_where_and_how_far() {
    let mut space = Paged::new(4);
    space.read_only.insert(2);
    let (space, _) = run(
        space,
        &transfer(Opcode::MemoryMove, 64, 0, PAGE + 100, 0x1000),
    );
    let record = space.record(64);
    assert_eq!(record.status, 0x83);
    assert_eq!(record.completed.get(), 0x1000 - 100);
    assert_eq!(record.fault_address.get(), 2 * PAGE);
}

#[test]
fn a_move_that_went_backwards_says_so_at_a_fault() {
    let mut space = Paged::new(4);
    space.read_only.insert(2);
    // The destination begins within the source and ends 100 bytes into page 3.
    let backwards = transfer(Opcode::MemoryMove, 64, PAGE - 100, PAGE + 100, 0x2000);
    let (space, _) = run(space, &backwards);
    let record = space.record(64);
    assert_eq!(
        (record.status, record.result, record.completed.get()),
        (0x83, 1, 100)
    );
    assert_eq!(record.fault_address.get() / PAGE, 2);
}

#[test]
fn the_interrupt_comes_after_the_record_and_the_data() {
    let space = Arc::new(Paged::new(2));
    let seen = Arc::clone(&space);
    let recorder = Recorder::default();
    *recorder.on_raise.lock().unwrap() = Some(Box::new(move || {
        assert_eq!(seen.record(64).status, 1);
        assert_eq!(seen.get(PAGE, 8), [0xaa; 8]);
    }));
    let fill = transfer(Opcode::Fill, 64, 0xaaaa_aaaa_aaaa_aaaa, PAGE, 8);
    run_in(&space, &recorder, &interrupting(fill, 9));
    let raised = recorder.raised.lock().unwrap();
    let handle = Handle {
        table: InterruptTable::Ims,
        number: 9,
    };
    assert_eq!(raised[..], [(3, handle, crate::Pasid::new(7))]);
}

#[test]
fn an_invalid_handle_means_no_work_no_interrupt_and_a_log_entry() {
    let fill = interrupting(transfer(Opcode::Fill, 64, u64::MAX, PAGE, 8), 0x8000);
    let (space, recorder) = run(Paged::new(2), &fill);
    assert_eq!(space.record(64).status, 0x19);
    assert_eq!(space.get(PAGE, 8), [0; 8]);
    assert!(recorder.raised.lock().unwrap().is_empty());
    assert_eq!(
        recorder.errors.lock().unwrap()[0].status,
        Status::InvalidHandle
    );
}

#[test]
fn a_refused_descriptor_still_raises_its_valid_interrupt() {
    let bad = interrupting(transfer(Opcode::Fill, 64, 0, PAGE, 0), 4);
    let (space, recorder) = run(Paged::new(2), &bad);
    assert_eq!(space.record(64).status, 0x13);
    assert_eq!(recorder.raised.lock().unwrap().len(), 1);
}

#[test]
fn a_handle_revoked_between_check_and_raise_is_reported() {
    let (space, recorder) = (Arc::new(Paged::new(1)), Recorder::default());
    recorder.revoked.lock().unwrap().insert(4);
    run_in(
        &space,
        &recorder,
        &interrupting(recorded(Opcode::NoOp, 64), 4),
    );
    assert_eq!(space.record(64).status, 1);
    assert_eq!(
        recorder.errors.lock().unwrap()[0].status,
        Status::InvalidHandle
    );
}

#[test]
fn a_false_predicate_is_told_by_status_result_and_position() {
    let space = Paged::new(2);
    space.put(PAGE + 5, &[1]);
    let compare = transfer(Opcode::Compare, 64, PAGE, 256, 16);
    let (space, _) = run(space, &with_flags(compare, Flags::CHECK_RESULT));
    let record = space.record(64);
    assert_eq!(
        (record.status, record.result, record.completed.get()),
        (2, 1, 5)
    );
    let expected = Descriptor {
        extra: U64::new(1),
        ..with_flags(compare, Flags::CHECK_RESULT)
    };
    run_in(&space, &Recorder::default(), &expected);
    assert_eq!((space.record(64).status, space.record(64).result), (1, 1));
}

/// Puts a batch's descriptors at page 1 and runs it.
fn batch(space: Paged, descriptors: &[Descriptor]) -> (Arc<Paged>, Recorder) {
    for (at, descriptor) in (0..).zip(descriptors) {
        space.put(PAGE + at * 64, descriptor.as_bytes());
    }
    run(
        space,
        &transfer(
            Opcode::Batch,
            64,
            PAGE,
            0,
            u32::try_from(descriptors.len()).unwrap(),
        ),
    )
}

#[test]
fn a_batch_executes_its_descriptors_and_counts_them() {
    let fill = transfer(Opcode::Fill, 128, 0x0101_0101_0101_0101, 2 * PAGE, 64);
    let copy = with_flags(
        transfer(Opcode::MemoryMove, 160, 2 * PAGE, 3 * PAGE, 64),
        Flags::FENCE,
    );
    let (space, _) = batch(Paged::new(4), &[fill, copy]);
    assert_eq!(space.get(3 * PAGE, 64), [1; 64]);
    let record = space.record(64);
    assert_eq!((record.status, record.completed.get()), (1, 2));
    assert_eq!((space.record(128).status, space.record(160).status), (1, 1));
}

#[test]
fn a_fence_after_a_failure_abandons_the_rest() {
    let bad = recorded(Opcode::Batch, 128);
    let fine = recorded(Opcode::NoOp, 160);
    let fenced = with_flags(recorded(Opcode::NoOp, 192), Flags::FENCE);
    let last = recorded(Opcode::NoOp, 224);
    let (space, _) = batch(Paged::new(2), &[bad, fine, fenced, last]);
    let record = space.record(64);
    assert_eq!((record.status, record.completed.get()), (5, 2));
    let each = [128, 160, 192, 224].map(|at| space.record(at).status);
    assert_eq!(each, [0x10, 1, 0, 0]);
}

#[test]
fn a_false_predicate_stops_a_batch_at_the_fence() {
    let compare = with_flags(
        Descriptor {
            extra: U64::new(1),
            ..transfer(Opcode::Compare, 128, 512, 1024, 8)
        },
        Flags::CHECK_RESULT,
    );
    let fenced = with_flags(recorded(Opcode::NoOp, 192), Flags::FENCE);
    let (space, _) = batch(Paged::new(2), &[compare, fenced]);
    assert_eq!((space.record(64).status, space.record(128).status), (5, 2));
    assert_eq!(space.record(192).status, 0);
}

#[test]
fn a_list_that_cannot_be_read_ends_the_batch_there() {
    let space = Paged::new(1);
    let first = PAGE - 128;
    space.put(first, recorded(Opcode::NoOp, 128).as_bytes());
    space.put(first + 64, recorded(Opcode::NoOp, 160).as_bytes());
    let (space, _) = run(space, &transfer(Opcode::Batch, 64, first, 0, 3));
    let record = space.record(64);
    assert_eq!((record.status, record.completed.get()), (6, 2));
    assert_eq!(record.fault_address.get(), PAGE);
    assert_eq!(space.record(160).status, 1);
}

#[test]
fn descriptors_of_a_batch_without_a_record_are_logged_with_their_index() {
    let bad = Descriptor::new(0x55u8, Flags::NONE);
    let (_, recorder) = batch(Paged::new(2), &[recorded(Opcode::NoOp, 128), bad]);
    assert_eq!(recorder.errors.lock().unwrap()[0].batch_index, Some(1));
}
