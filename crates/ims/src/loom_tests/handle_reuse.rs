// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Free and reuse of a remap handle against a raise that read the old entry.

use loom::thread;

use super::bench::raise;
use super::remapped::{NEW, OLD, STRANGER, remapped};
use crate::remap::{FaultReason, Source, Target};

/// Clears handle 0, waits, and binds it anew for a stranger.
fn reuse(target: Target) {
    let (mut bench, mut control, two) = remapped();
    let (port, mut raiser) = (bench.port.clone(), bench.raiser());
    bench.start(thread::spawn(move || raise(&port, &mut raiser)));
    control.clear(0).unwrap();
    bench.grace.wait();
    // The old vector is given to somebody else here, if it is quiet.
    let (early, _) = two.pending();
    control.release(0).unwrap();
    assert_eq!(control.allocate(), Ok(0));
    control.bind(0, Source::exactly(STRANGER), target).unwrap();
    bench.finish();
    let (old, new) = two.pending();
    assert_eq!(early, old, "an old raise at what was given away");
    assert!(!new, "the old owner's raise at the new owner's target");
    let counts = control.faults().counts();
    let blocked = counts.of(FaultReason::NotPresent) + counts.of(FaultReason::SourceId);
    assert_eq!(
        blocked,
        u64::from(!old),
        "blocked if not delivered, and said so"
    );
    assert_eq!(counts.total(), blocked, "blocked for another reason");
}

#[test]
fn loom_a_raise_of_a_freed_handle_never_reaches_its_next_owners_target() {
    loom::model(|| reuse(NEW));
}

#[test]
fn loom_a_raise_of_a_freed_handle_is_no_raise_of_its_next_owner_at_the_same_target() {
    loom::model(|| reuse(OLD));
}
