// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Saved, restored, and not trusted.

use std::sync::atomic::Ordering::SeqCst;

use super::bench::{
    ENABLED, FUNCTION_MASKED, guest, mask, message, pending, program, running, set_control,
};
use crate::domain::Raised;
use crate::msix::{MsixState, RestoreError};
use crate::sink::Acceptance;

#[test]
fn a_saved_state_is_the_same_when_restored_elsewhere() {
    let (mut msix, _) = running(67);
    mask(&mut msix, 66, true);
    mask(&mut msix, 0, true);
    let _ = (msix.port().raise(66), msix.port().raise(0));
    for control in [0, ENABLED, FUNCTION_MASKED, ENABLED | FUNCTION_MASKED] {
        set_control(&mut msix, control);
        let state = msix.save();
        assert_eq!(state.message_control, control | 66);
        let (mut other, sink) = guest(67);
        other.restore(&state).unwrap();
        assert_eq!(other.save(), state);
        assert_eq!(other.capability(), msix.capability());
        assert_eq!(sink.taken(), [], "all that is pending is masked");
    }
}

#[test]
fn what_is_pending_in_a_state_is_delivered_once_when_nothing_holds_it_back() {
    let (mut msix, _) = running(3);
    mask(&mut msix, 1, true);
    assert_eq!(msix.port().raise(1), Raised::Held);
    let (mut other, sink) = guest(3);
    other.restore(&msix.save()).unwrap();
    assert_eq!(pending(&other), [1]);
    mask(&mut other, 1, false);
    assert_eq!(sink.taken(), [message(1)]);
    assert_eq!(pending(&other), []);
    let counts = other.port().counts(1).unwrap();
    assert_eq!((counts.raised, counts.held), (1, 1));
    assert!(counts.add_up(1));
}

#[test]
fn a_restored_vector_delivers_without_another_write_of_the_guest() {
    let (msix, _) = running(3);
    let (mut other, sink) = guest(3);
    other.restore(&msix.save()).unwrap();
    assert_eq!(other.port().raise(2), Raised::Sent(Acceptance::Fresh));
    assert_eq!(sink.taken(), [message(2)]);
}

#[test]
fn what_a_busy_sink_had_left_is_sent_by_the_restore() {
    let (msix, sink) = running(3);
    sink.busy.store(true, SeqCst);
    assert_eq!(msix.port().raise(2), Raised::Held);
    let (mut other, sink) = guest(3);
    other.restore(&msix.save()).unwrap();
    assert_eq!(sink.taken(), [message(2)]);
    assert_eq!(pending(&other), []);
}

#[test]
fn a_restore_replaces_all_there_was_and_drops_what_was_pending() {
    let (mut msix, sink) = running(2);
    let state = msix.save();
    mask(&mut msix, 0, true);
    program(&mut msix, 1, message(99), true);
    let _ = (msix.port().raise(0), msix.port().raise(1));
    msix.restore(&state).unwrap();
    assert_eq!(msix.save(), state);
    assert_eq!(sink.taken(), []);
    for vector in 0..2 {
        let counts = msix.port().counts(vector).unwrap();
        assert_eq!((counts.raised, counts.dropped), (1, 1));
    }
}

#[test]
fn a_damaged_state_is_refused_and_changes_nothing() {
    let entries = |saved| RestoreError::Entries { saved, vectors: 67 };
    let words = |saved| RestoreError::PendingWords { saved, expected: 2 };
    let beyond = RestoreError::PendingBeyond { vectors: 67 };
    let control = |control| RestoreError::MessageControl {
        control,
        table_size: 66,
    };
    let vector = |vector, control| RestoreError::VectorControl { vector, control };
    /// A way to damage a state.
    type Damage = fn(&mut MsixState);
    let damages: [(Damage, RestoreError); 11] = [
        (|state| state.entries.truncate(66), entries(66)),
        (|state| state.entries.push(Default::default()), entries(68)),
        (|state| *state = MsixState::default(), entries(0)),
        (|state| state.pending.truncate(1), words(1)),
        (|state| state.pending.push(0), words(3)),
        (|state| state.pending[1] |= 1 << 3, beyond),
        (|state| state.pending[1] |= 1 << 63, beyond),
        (
            |state| state.message_control = 1 << 15 | 67,
            control(1 << 15 | 67),
        ),
        (
            |state| state.message_control = 1 << 11 | 66,
            control(1 << 11 | 66),
        ),
        (|state| state.entries[66].vector_control = 2, vector(66, 2)),
        (
            |state| state.entries[0].vector_control = 1 << 31 | 1,
            vector(0, 1 << 31 | 1),
        ),
    ];
    let (mut msix, sink) = running(67);
    mask(&mut msix, 5, true);
    let _ = msix.port().raise(5);
    let before = msix.save();
    let (fresh, _) = guest(67);
    for (damage, expected) in damages {
        let mut state = fresh.save();
        damage(&mut state);
        assert_eq!(msix.restore(&state), Err(expected));
        assert_eq!(msix.save(), before, "{expected}");
    }
    assert_eq!(msix.port().counts(5).unwrap().dropped, 0);
    assert_eq!(sink.taken(), []);
    assert_eq!(msix.port().raise(6), Raised::Sent(Acceptance::Fresh));
}

#[test]
fn a_full_last_word_of_pending_bits_is_no_damage() {
    let (mut msix, _) = guest(64);
    let mut state = msix.save();
    state.pending[0] = u64::MAX;
    msix.restore(&state).unwrap();
    assert_eq!(msix.save(), state);
}
