// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Saved, restored, and not trusted.

use super::bench::{guest, mask, message, program};
use crate::guest::{RestoreError, SlotState, StoreState};

#[test]
fn a_state_lists_only_what_is_not_as_after_reset() {
    let (mut store, _) = guest(65_536);
    store.set_enabled(true);
    program(&mut store, 60_000, message(60_000), false);
    mask(&mut store, 7, true);
    let _ = store.port().raise(9);
    let state = store.save();
    let at = |slot, message, control| SlotState {
        slot,
        message,
        control,
    };
    assert_eq!(
        state,
        StoreState {
            slots: 65_536,
            enabled: true,
            programmed: vec![at(9, Default::default(), 3), at(60_000, message(60_000), 0)],
        }
    );
    let (mut other, sink) = guest(65_536);
    other.restore(&state).unwrap();
    assert_eq!(other.save(), state);
    assert_eq!(sink.taken(), []);
    program(&mut other, 9, message(9), false);
    assert_eq!(sink.taken(), [message(9)]);
    let _ = other.port().raise(60_000);
    assert_eq!(sink.taken(), [message(60_000)]);
}

#[test]
fn a_damaged_state_is_refused_and_changes_nothing() {
    /// A way to damage a state.
    type Damage = fn(&mut StoreState);
    let damages: [(Damage, RestoreError); 7] = [
        (
            |state| state.slots = 99,
            RestoreError::Slots {
                saved: 99,
                slots: 100,
            },
        ),
        (
            |state| *state = StoreState::default(),
            RestoreError::Slots {
                saved: 0,
                slots: 100,
            },
        ),
        (
            |state| state.programmed[1].slot = 100,
            RestoreError::Slot { slot: 100 },
        ),
        (
            |state| state.programmed[1].slot = u32::MAX,
            RestoreError::Slot { slot: u32::MAX },
        ),
        (
            |state| state.programmed[1].slot = 3,
            RestoreError::Slot { slot: 3 },
        ),
        (
            |state| state.programmed.swap(0, 1),
            RestoreError::Slot { slot: 3 },
        ),
        (
            |state| state.programmed[0].control = 4,
            RestoreError::Control {
                slot: 3,
                control: 4,
            },
        ),
    ];
    let (mut store, sink) = guest(100);
    program(&mut store, 3, message(3), false);
    program(&mut store, 70, message(70), false);
    let _ = store.port().raise(70);
    let state = store.save();
    for (damage, error) in damages {
        let mut damaged = state.clone();
        damaged.enabled = true;
        damage(&mut damaged);
        assert_eq!(store.restore(&damaged), Err(error));
        assert_eq!(store.save(), state);
    }
    assert_eq!(sink.taken(), []);
}
