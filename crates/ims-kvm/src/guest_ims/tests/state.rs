// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Saved here, restored there, and not trusted.

use super::bench::{ALICE, BOB, Bench, mask, program};
use crate::guest_ims::{RemapOptions, RemapState, RemapStateError};

#[test]
fn unit_and_store_go_on_elsewhere_with_faults_and_pending_interrupts() {
    let bench = Bench::enabled();
    let ims = bench.device(ALICE, 100);
    bench.grant(4, ALICE, 2, 0x44);
    bench.grant(5, BOB, 2, 0x45);
    program(&ims, 0, 4);
    program(&ims, 1, 5);
    program(&ims, 99, 4);
    mask(&ims, 99, true);
    let _ = (ims.port().raise(1), ims.port().raise(99));
    let _ = ims.port().raise(1);
    let (unit, store) = (bench.remap.save(), ims.save());
    assert_eq!(bench.remap.save(), unit, "saving takes nothing");
    assert_eq!(unit.faults.len(), 2);

    let other = Bench::new(RemapOptions::default());
    // Memory has been copied.
    other.grant(4, ALICE, 2, 0x44);
    let there = other.remap.store(ALICE, 100).unwrap();
    other.remap.restore(&unit).unwrap();
    there.restore(&store).unwrap();
    assert_eq!((other.remap.save(), there.save()), (unit, store));
    assert_eq!(other.vm.vectors(), []);
    assert_eq!(other.fault(), Some((0x26, ALICE.0, 5)));
    assert_eq!(other.fault(), Some((0x26, ALICE.0, 5)));
    assert_eq!(other.fault(), None);
    mask(&there, 99, false);
    let _ = there.port().raise(0);
    assert_eq!(other.vm.vectors(), [0x44, 0x44]);
}

#[test]
fn a_damaged_state_is_refused_and_changes_nothing() {
    let bench = Bench::enabled();
    let ims = bench.device(ALICE, 4);
    program(&ims, 0, 9);
    let _ = ims.port().raise(0);
    let state = bench.remap.save();
    /// A way to damage a state.
    type Damage = fn(&mut RemapState);
    let damages: [(Damage, RemapStateError); 4] = [
        (
            |state| state.table = 0x10,
            RemapStateError::Table { table: 0x10 },
        ),
        (
            |state| state.faults = state.faults.repeat(300),
            RemapStateError::Faults { faults: 300 },
        ),
        (
            |state| state.faults.push(0),
            RemapStateError::Fault { record: 0 },
        ),
        (
            |state| state.faults.push(1 << 127 | 0x13 << 96),
            RemapStateError::Fault {
                record: 1 << 127 | 0x13 << 96,
            },
        ),
    ];
    for (damage, error) in damages {
        let mut damaged = state.clone();
        damaged.enabled = false;
        damage(&mut damaged);
        assert_eq!(bench.remap.restore(&damaged), Err(error));
        assert_eq!(bench.remap.save(), state);
    }
}
