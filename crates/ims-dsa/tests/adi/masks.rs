// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The MSI-X table and its pending bits, where a client passes them on.

use ims_dsa::adi::AdiConfig;
use ims_dsa::front::map::{MSIX_PENDING, MSIX_TABLE};
use ims_vfio::Hold;
use ims_vfio::layout::region;

use crate::guest::{Guest, RAM, copy, drain, fired, wait};
use crate::parent;

const RECORD: u64 = RAM + 0x1000;
const ENABLE: u16 = 1 << 15;
const FUNCTION_MASK: u16 = 1 << 14;

fn control(vector: u64) -> u64 {
    MSIX_TABLE + vector * 16 + 12
}

/// Writes message control of the MSI-X capability.
fn msix(guest: &Guest, bits: u16) {
    let byte = |at: u64| {
        let mut byte = [0];
        guest.endpoint.read(region::CONFIG, at, &mut byte).unwrap();
        u64::from(byte[0])
    };
    let mut at = byte(0x34);
    while byte(at) != 0x11 {
        at = byte(at + 1);
    }
    guest.config(at + 2, &bits.to_le_bytes(), Hold::nobody());
}

/// A guest whose descriptors interrupt by vector 1, and how to have one do so.
fn raising() -> (Guest, Vec<std::os::fd::OwnedFd>, impl Fn(&Guest)) {
    let parent = parent();
    let (guest, triggers) = Guest::enabled(&parent.compose(AdiConfig::default()).unwrap());
    let handle = guest.handle(1);
    let raise = move |guest: &Guest| {
        // The parent lives as long as somebody raises.
        let before = parent.usage().engines.interrupts;
        guest.submit(0, before, &copy(RAM, RAM + 64, 8, RECORD, Some(handle)));
        wait("the raise", || parent.usage().engines.interrupts > before);
    };
    (guest, triggers, raise)
}

#[test]
fn an_entry_that_is_never_stored_to_masks_nothing_and_reads_as_after_a_reset() {
    let (guest, triggers, raise) = raising();
    assert_eq!(guest.read32(control(1)), 1);
    raise(&guest);
    fired(&triggers[1]);
}

#[test]
fn a_masked_vector_is_pending_in_its_slot_and_comes_once_when_unmasked() {
    let (guest, triggers, raise) = raising();
    guest.write32(MSIX_TABLE + 16, 0xfee0_1000);
    guest.write32(MSIX_TABLE + 24, 0x41);
    raise(&guest);
    raise(&guest);
    assert_eq!(guest.read32(MSIX_PENDING), 0b10, "masked since it is shown");
    assert_eq!(drain(&triggers[1]), 0);
    assert!(guest.vector(1).masked);
    guest.write32(control(1), 0);
    fired(&triggers[1]);
    wait("the sum", || guest.adds_up(1));
    assert_eq!(drain(&triggers[1]), 0, "once");
    assert_eq!(guest.read32(MSIX_PENDING), 0);
    assert_eq!(guest.read32(MSIX_TABLE + 16), 0xfee0_1000);
    assert_eq!(guest.read32(MSIX_TABLE + 24), 0x41);
    assert_eq!(guest.read32(control(1)), 0);
    raise(&guest);
    fired(&triggers[1]);
    let vector = guest.vector(1);
    assert_eq!((vector.raised, vector.held, vector.coalesced), (3, 1, 1));
}

#[test]
fn the_emulated_vector_keeps_its_interrupt_until_it_is_unmasked() {
    let (guest, triggers, _raise) = raising();
    guest.write32(control(0), 1);
    let command = 1 << 31 | 4 << 20;
    for _ in 0..2 {
        guest.write32(ims_dsa::layout::registers::CMD, command);
        wait("the command", || !guest.command_status().active());
        guest.write32(ims_dsa::layout::registers::INTCAUSE, u32::MAX);
    }
    wait("the pending bit", || guest.read32(MSIX_PENDING) == 1);
    assert_eq!(drain(&triggers[0]), 0);
    guest.write32(control(0), 0);
    assert_eq!(drain(&triggers[0]), 1);
    assert_eq!(guest.read32(MSIX_PENDING), 0);
    let vector = guest.vector(0);
    assert_eq!((vector.raised, vector.held, vector.coalesced), (2, 1, 1));
}

#[test]
fn the_function_mask_and_msix_being_off_hold_every_vector() {
    let (guest, triggers, raise) = raising();
    for held in [ENABLE | FUNCTION_MASK, 0] {
        msix(&guest, ENABLE);
        msix(&guest, held);
        raise(&guest);
        assert_eq!(guest.read32(MSIX_PENDING), 0b10);
        assert_eq!(drain(&triggers[1]), 0);
        msix(&guest, ENABLE);
        fired(&triggers[1]);
    }
    // A masked entry stays so under a function that is not.
    guest.write32(control(1), 1);
    msix(&guest, ENABLE | FUNCTION_MASK);
    msix(&guest, ENABLE);
    raise(&guest);
    assert_eq!(guest.read32(MSIX_PENDING), 0b10);
    guest.write32(control(1), 0);
    fired(&triggers[1]);
}

#[test]
fn a_revocation_and_a_new_trigger_leave_the_mask_and_a_reset_takes_it() {
    let (guest, _triggers, raise) = raising();
    guest.write32(control(1), 1);
    raise(&guest);
    assert_eq!(guest.device.revoke_handles(), 1);
    let again = guest.trigger(1);
    assert_eq!(guest.read32(MSIX_PENDING) & 2, 2, "kept without an entry");
    guest.write32(control(1), 0);
    assert_eq!(drain(&again), 1);
    guest.write32(control(1), 1);
    guest.endpoint.reset(Hold::nobody());
    let fresh = guest.trigger(1);
    assert!(!guest.vector(1).masked);
    assert_eq!(guest.read32(MSIX_TABLE), 0);
    assert_eq!(drain(&fresh), 0);
}
