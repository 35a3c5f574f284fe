// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Saving and restoring.

use vm_memory::{Bytes, GuestAddress};

use super::*;
use crate::layout::NO_VECTOR;
use crate::layout::features::VIS;
use crate::layout::mmio::{INTERRUPT_CONFIG, INTERRUPT_USED};
use crate::layout::vis::{self, register};
use crate::negotiation;

fn options() -> MmioOptions {
    MmioOptions {
        msi: Some(offer(Layout::CLEAR, 3, true)),
        vis: Some(crate::vis::Offer { vectors: 3 }),
        ..MmioOptions::default()
    }
}

fn fresh() -> Driver {
    Driver::new(Recorder::new(&[64, 16]), options())
}

/// Its memory as it was, too.
fn restored(from: &Driver) -> Driver {
    let driver = fresh();
    let mut bytes = vec![0; crate::recorder::MEMORY as usize];
    from.memory.read_slice(&mut bytes, GuestAddress(0)).unwrap();
    driver.memory.write_slice(&bytes, GuestAddress(0)).unwrap();
    let state = from.mmio.save();
    driver.mmio.restore(&state).unwrap();
    assert_eq!(driver.mmio.save(), state);
    driver
}

fn started() -> Driver {
    let driver = fresh();
    driver.agree(VERSION_1 | VIS | driver.layout.feature);
    driver.go();
    driver
}

#[test]
fn a_device_on_the_line_goes_on_where_it_was() {
    let driver = started();
    driver.config();
    let other = restored(&driver);
    assert!(other.pin.is_high());
    assert_eq!(other.interrupt_status(), INTERRUPT_CONFIG);
    assert_eq!(other.device.asked.lock().unwrap().starts, 1);
    other.write(mmio::INTERRUPT_ACK, INTERRUPT_CONFIG);
    other.used(1);
    assert_eq!(other.interrupt_status(), INTERRUPT_USED);
}

#[test]
fn vectors_go_on_where_they_were() {
    let driver = started();
    for vector in 0..2 {
        driver.configure(vector, 0x100 + vector);
    }
    driver.command(Command::Mask);
    driver.command(Command::MapConfig);
    driver.select(0);
    driver.command(Command::MapQueue);
    driver.command(Command::Enable);
    driver.config();
    let other = restored(&driver);
    assert!(other.enabled());
    other.used(1);
    assert_eq!(other.inbox.take(), [0x100]);
    other.select(1);
    other.command(Command::Unmask);
    assert_eq!(other.inbox.take(), [0x101], "it was kept");
}

#[test]
fn storage_goes_on_where_it_was() {
    let driver = started();
    driver.storage(0x10000);
    driver.write(register::COMMAND, vis::Command::Enable.with(0));
    let other = restored(&driver);
    assert_eq!(other.mmio.mode(), Mode::Vis);
    other.used(0);
    assert_eq!(other.inbox.take(), [0x201]);
}

#[test]
fn a_device_that_was_not_started_is_not() {
    let driver = fresh();
    driver.agree(VERSION_1);
    let other = restored(&driver);
    assert_eq!(other.device.asked.lock().unwrap().starts, 0);
    other.used(0);
    assert_eq!(other.interrupt_status(), 0);
    other.go();
}

/// A change that makes a state damaged, and whether an error is the one for it.
type Damage = (fn(&mut MmioState), fn(RestoreError) -> bool);

#[test]
fn damaged_states_are_refused_and_change_nothing() {
    let driver = started();
    driver.configure(1, 7);
    driver.command(Command::Enable);
    let good = driver.mmio.save();
    let damages: [Damage; 14] = [
        (
            |state| state.negotiation.status = 7,
            |error| {
                matches!(
                    error,
                    RestoreError::Negotiation(negotiation::RestoreError::Status { .. })
                )
            },
        ),
        (
            |state| state.msi = None,
            |error| error == RestoreError::Offers,
        ),
        (
            |state| state.vis = None,
            |error| error == RestoreError::Offers,
        ),
        (
            |state| state.mode = Mode::Vis,
            |error| error == RestoreError::Mode { mode: Mode::Vis },
        ),
        (
            |state| state.negotiation.driver_features = VERSION_1,
            |error| error == RestoreError::Mode { mode: Mode::Msi },
        ),
        (
            |state| state.vis.as_mut().unwrap().area = Some(crate::vis::AreaState::default()),
            |error| error == RestoreError::Mode { mode: Mode::Msi },
        ),
        (
            |state| state.interrupt_status = 1,
            |error| error == RestoreError::InterruptStatus { status: 1 },
        ),
        (
            |state| (state.mode, state.interrupt_status) = (Mode::Line, 4),
            |error| error == RestoreError::InterruptStatus { status: 4 },
        ),
        (
            |state| {
                (state.mode, state.interrupt_status) = (Mode::Line, 1);
                state.negotiation.status = 11;
            },
            |error| error == RestoreError::InterruptStatus { status: 1 },
        ),
        (
            |state| state.vis.as_mut().unwrap().error = 77,
            |error| matches!(error, RestoreError::Vis(_)),
        ),
        (
            |state| state.msi.as_mut().unwrap().vectors.truncate(2),
            |error| {
                matches!(
                    error,
                    RestoreError::Msi(crate::msi::RestoreError::Vectors {
                        saved: 2,
                        vectors: 3
                    })
                )
            },
        ),
        (
            |state| state.msi.as_mut().unwrap().map.push(0),
            |error| {
                matches!(
                    error,
                    RestoreError::Msi(crate::msi::RestoreError::Map {
                        saved: 4,
                        events: 3
                    })
                )
            },
        ),
        (
            |state| state.msi.as_mut().unwrap().map[2] = 3,
            |error| error == RestoreError::Msi(crate::msi::RestoreError::Vector { vector: 3 }),
        ),
        (
            |state| state.msi.as_mut().unwrap().selected = NO_VECTOR - 1,
            |error| {
                matches!(
                    error,
                    RestoreError::Msi(crate::msi::RestoreError::Vector { .. })
                )
            },
        ),
    ];
    for (number, (damage, is_right)) in damages.into_iter().enumerate() {
        let other = fresh();
        let before = other.mmio.save();
        let mut state = good.clone();
        damage(&mut state);
        let error = other.mmio.restore(&state).unwrap_err();
        assert!(is_right(error), "{number}: {error}");
        assert_eq!(other.mmio.save(), before);
        assert_eq!(other.device.asked.lock().unwrap().starts, 0);
    }
    let mut unmapped = Driver::with_msi(Layout::CLEAR, 3, false).mmio.save();
    unmapped.msi.as_mut().unwrap().map[0] = 1;
    let other = Driver::with_msi(Layout::CLEAR, 3, false);
    let error = other.mmio.restore(&unmapped).unwrap_err();
    assert!(matches!(error, RestoreError::Msi(_)), "the map is fixed");
    assert!(matches!(
        driver.mmio.restore(&good),
        Err(RestoreError::Negotiation(negotiation::RestoreError::Busy))
    ));
}
