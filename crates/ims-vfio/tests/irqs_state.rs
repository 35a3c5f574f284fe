// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Saved states, also such as nobody saved.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    unreachable_pub,
    dead_code,
    reason = "tests"
)]

mod irqs_common;

use ims_vfio::irqs::{
    Irqs, IrqsState, Kind, Lines, Payload, PinState, SetIrqs, StateError, TriggerError, VectorState,
};
use irqs_common::world::{drain, make, pair};
use proptest::prelude::*;

const LINES: Lines = Lines {
    intx: true,
    msi: 3,
    msix: 70,
    err: false,
    req: true,
};

fn device() -> Irqs {
    let (irqs, _) = make(LINES, Some(70));
    irqs.emulated(0..2).unwrap();
    irqs
}

fn vector(vector: u32, kind: Kind) -> VectorState {
    VectorState {
        vector,
        kind,
        cookie: None,
        triggered: true,
        owed: false,
    }
}

fn good() -> IrqsState {
    IrqsState {
        lines: LINES,
        pin: PinState {
            asserted: true,
            masked: true,
        },
        msi: vec![vector(0, Kind::Plain), vector(2, Kind::Plain)],
        msix: vec![
            vector(1, Kind::Emulated),
            VectorState {
                cookie: Some(5),
                owed: true,
                ..vector(69, Kind::Backed)
            },
        ],
    }
}

#[test]
fn a_state_comes_back_as_it_was_also_as_text() {
    let irqs = device();
    irqs.restore(&good()).unwrap();
    assert_eq!(irqs.save(), good());
    let text = serde_json::to_string(&irqs.save()).unwrap();
    assert_eq!(serde_json::from_str::<IrqsState>(&text).unwrap(), good());
    assert!(serde_json::from_str::<IrqsState>(&text.replace("masked", "unmasked")).is_err());
}

#[test]
fn what_contradicts_the_device_or_itself_is_refused_and_changes_nothing() {
    type Bend = fn(&mut IrqsState);
    let bends: [(Bend, StateError); 9] = [
        (|state| state.lines.msix -= 1, StateError::Lines),
        (|state| state.lines.err = true, StateError::Lines),
        (
            |state| state.msix[1].vector = 70,
            StateError::OutOfRange {
                vector: 70,
                count: 70,
            },
        ),
        (
            |state| state.msi[1].vector = u32::MAX,
            StateError::OutOfRange {
                vector: u32::MAX,
                count: 3,
            },
        ),
        (
            |state| state.msi[1].vector = 0,
            StateError::Order { vector: 0 },
        ),
        (
            |state| state.msix.reverse(),
            StateError::Order { vector: 1 },
        ),
        (
            |state| state.msix[0].kind = Kind::Backed,
            StateError::Kind {
                vector: 1,
                have: Kind::Emulated,
                state: Kind::Backed,
            },
        ),
        (
            |state| state.msix[0].cookie = Some(1),
            StateError::Cookie { vector: 1 },
        ),
        (
            |state| state.msix[1].triggered = false,
            StateError::Owed { vector: 69 },
        ),
    ];
    let irqs = device();
    irqs.restore(&good()).unwrap();
    for (bend, wanted) in bends {
        let mut state = good();
        state.pin = PinState::default();
        bend(&mut state);
        assert_eq!(irqs.restore(&state), Err(wanted));
        assert_eq!(irqs.save(), good());
    }
    let (bare, _) = make(
        Lines {
            intx: false,
            ..LINES
        },
        Some(70),
    );
    let mut state = good();
    state.lines.intx = false;
    assert_eq!(bare.restore(&state), Err(StateError::Pin));
}

#[test]
fn a_client_that_enables_the_pin_finds_it_unmasked_and_is_told_that_it_is_asserted() {
    let irqs = device();
    irqs.restore(&good()).unwrap();
    let (fd, client) = pair();
    let header = SetIrqs {
        argsz: 20,
        flags: 0x24,
        index: 0,
        start: 0,
        count: 1,
    };
    irqs.set(header, Payload::Triggers(vec![Some(fd)])).unwrap();
    assert_eq!(drain(&client), 1);
}

#[test]
fn disabling_what_was_never_enabled_ends_the_wait_for_triggers() {
    let irqs = device();
    irqs.restore(&good()).unwrap();
    let disable = SetIrqs {
        argsz: 20,
        flags: 0x21,
        index: 2,
        start: 0,
        count: 0,
    };
    irqs.set(disable, Payload::None).unwrap();
    assert_eq!(irqs.trigger(2, 1), Err(TriggerError::NoTrigger));
    assert!(!irqs.save().msix.iter().any(|one| one.triggered));
}

fn any_vector() -> impl Strategy<Value = VectorState> {
    let number = prop_oneof![0..80_u32, any::<u32>()];
    let kind = prop_oneof![Just(Kind::Backed), Just(Kind::Emulated), Just(Kind::Plain)];
    let flags = any::<(bool, bool)>();
    (number, kind, prop::option::of(any::<u64>()), flags).prop_map(
        |(vector, kind, cookie, (triggered, owed))| VectorState {
            vector,
            kind,
            cookie,
            triggered,
            owed,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_state_is_taken_whole_or_refused_whole(
        msi in prop::collection::vec(any_vector(), 0..3),
        msix in prop::collection::vec(any_vector(), 0..6),
        sort: bool,
        asserted: bool,
        masked: bool,
    ) {
        let mut state = IrqsState { lines: LINES, pin: PinState { asserted, masked }, msi, msix };
        if sort {
            state.msix.sort_by_key(|one| one.vector);
            for one in &mut state.msix {
                one.vector %= LINES.msix;
                one.triggered |= one.owed;
                one.kind = if one.vector < 2 { Kind::Emulated } else { Kind::Backed };
                if one.vector < 2 { one.cookie = None; }
            }
            state.msi.clear();
        }
        let irqs = device();
        irqs.restore(&good()).unwrap();
        match irqs.restore(&state) {
            Err(_) => prop_assert_eq!(irqs.save(), good()),
            Ok(()) => {
                let idle = |one: &VectorState| one.cookie.is_none() && !one.triggered;
                state.msi.retain(|one| !idle(one));
                state.msix.retain(|one| !idle(one));
                prop_assert_eq!(irqs.save(), state);
            }
        }
        irqs.reset();
    }
}
