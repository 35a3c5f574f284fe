// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What operations with results of their own leave in the completion record.
use super::*;

#[test]
fn a_dif_error_and_the_tags_to_go_on_with_are_in_the_record() {
    let space = Paged::new(4);
    let insert = Descriptor {
        tail: U64::from_bytes([1, 0, 0, 0, 0, 0, 2, 0]),
        ..transfer(Opcode::DifInsert, 64, PAGE, 2 * PAGE, 1024)
    };
    let (space, _) = run(space, &insert);
    let record = space.record(64);
    assert_eq!((record.status, record.result), (1, 0));
    assert_eq!(
        (record.value.get(), record.tail.get()),
        (0, 0x0002_0000_0000_0003)
    );
    // The second block's application tag, of which a bit is expected otherwise.
    space.put(2 * PAGE + 520 + 514, &[0, 3]);
    let check = Descriptor {
        seed_address: insert.tail,
        ..transfer(Opcode::DifCheck, 96, 2 * PAGE, 0, 1040)
    };
    run_in(&space, &Recorder::default(), &check);
    let record = space.record(96);
    assert_eq!((record.status, record.result), (9, 2));
    assert_eq!(
        (record.completed.get(), record.fault_address.get()),
        (520, 0)
    );
    assert_eq!(
        (record.value.get(), record.tail.get()),
        (0x0002_0000_0000_0002, 0)
    );
}

#[test]
fn the_size_of_a_delta_record_is_in_the_completion_record() {
    let space = Paged::new(4);
    space.put(2 * PAGE + 80, &[1; 24]);
    let create = Descriptor {
        extra: U64::new(3 * PAGE),
        seed_address: U64::new(80),
        ..transfer(Opcode::CreateDelta, 64, PAGE, 2 * PAGE, 256)
    };
    let (space, _) = run(space, &create);
    let record = space.record(64);
    assert_eq!((record.status, record.result), (1, 1));
    assert_eq!((record.completed.get(), record.value.get()), (0, 30));
    let apply = Descriptor {
        extra: record.value,
        ..transfer(Opcode::ApplyDelta, 96, 3 * PAGE, PAGE, 256)
    };
    run_in(&space, &Recorder::default(), &apply);
    assert_eq!(space.record(96).status, 1);
    assert_eq!(space.get(PAGE, 256), space.get(2 * PAGE, 256));
    // An offset that does not increase stops it, in the second entry.
    space.put(3 * PAGE + 10, &[10, 0]);
    run_in(&space, &Recorder::default(), &apply);
    let record = space.record(96);
    assert_eq!((record.status, record.completed.get()), (7, 10));
}
