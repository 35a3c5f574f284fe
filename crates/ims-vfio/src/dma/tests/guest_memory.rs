// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A session as memory of the rust-vmm family.

use std::sync::atomic::Ordering;

use vm_memory::{Bytes, GuestAddress, GuestMemory, GuestMemoryError, Permissions};

use super::*;

fn at(address: u64) -> GuestAddress {
    GuestAddress(address)
}

fn pinned(dma: &Dma) -> Pinned {
    dma.session().unwrap().pinned()
}

/// Two maps side by side, from two memories; then one that may only be read.
fn three_maps() -> (Dma, Arc<Ram>, Arc<Ram>) {
    let dma = allowed();
    let (low, high) = (Ram::new(0x1000), Ram::new(0x2000));
    dma.map(map(0x1000, 0x1000, &low, 0)).unwrap();
    dma.map(map(0x2000, 0x1000, &high, 0x1000)).unwrap();
    let read_only = Map {
        access: Access::READ,
        ..map(0x3000, 0x1000, &high, 0)
    };
    dma.map(read_only).unwrap();
    (dma, low, high)
}

#[test]
fn a_range_over_two_maps_is_two_slices_and_one_access() {
    let (dma, low, high) = three_maps();
    let memory = pinned(&dma);
    let bytes: Vec<u8> = (0..=255).collect();
    memory.write_slice(&bytes, at(0x1f80)).unwrap();
    assert_eq!(low.bytes()[0xf80..], bytes[..128]);
    assert_eq!(high.bytes()[0x1000..0x1080], bytes[128..]);
    let mut back = vec![0; 256];
    memory.read_slice(&mut back, at(0x1f80)).unwrap();
    assert_eq!(back, bytes);
    let lengths: Vec<_> = memory
        .get_slices(at(0x1f80), 256, Permissions::ReadWrite)
        .unwrap()
        .map(|slice| slice.unwrap().len())
        .collect();
    assert_eq!(lengths, [128, 128]);
}

#[test]
fn a_word_is_loaded_and_stored_whole() {
    let (dma, low, _high) = three_maps();
    let memory = pinned(&dma);
    memory
        .store(0x1234_5678_u32, at(0x1010), Ordering::Release)
        .unwrap();
    assert_eq!(low.bytes()[0x10..0x14], 0x1234_5678_u32.to_ne_bytes());
    let back: u32 = memory.load(at(0x1010), Ordering::Acquire).unwrap();
    assert_eq!(back, 0x1234_5678);
    // Not where it would be in two maps.
    assert!(memory.load::<u32>(at(0x1ffe), Ordering::Acquire).is_err());
}

#[test]
fn what_may_only_be_read_is_not_written() {
    let (dma, _low, high) = three_maps();
    high.fill(7);
    let memory = pinned(&dma);
    assert!(memory.check_range(at(0x3000), 0x1000, Permissions::Read));
    assert!(!memory.check_range(at(0x3000), 1, Permissions::Write));
    assert!(!memory.check_range(at(0x2fff), 2, Permissions::ReadWrite));
    assert!(memory.check_range(at(0x2fff), 2, Permissions::Read));
    let denied = memory.write_slice(&[1], at(0x3000)).unwrap_err();
    let GuestMemoryError::IOError(error) = denied else {
        panic!("{denied}");
    };
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
    assert_eq!(high.bytes()[0], 7);
}

#[test]
fn what_is_not_mapped_is_an_error_where_it_begins() {
    let (dma, ..) = three_maps();
    let memory = pinned(&dma);
    assert!(!memory.check_range(at(0x3fff), 2, Permissions::Read));
    assert!(!memory.check_range(at(0), 1, Permissions::Read));
    assert!(memory.check_range(at(0), 0, Permissions::Read));
    let mut slices = memory
        .get_slices(at(0x3ff0), 0x20, Permissions::Read)
        .unwrap();
    assert_eq!(slices.next().unwrap().unwrap().len(), 0x10);
    let error = slices.next().unwrap().unwrap_err();
    assert!(
        matches!(error, GuestMemoryError::InvalidGuestAddress(there) if there == at(0x4000)),
        "{error}"
    );
    assert!(slices.next().is_none(), "nothing comes after an error");
}

#[test]
fn a_range_above_the_last_address_is_an_error() {
    let dma = allowed();
    let ram = Ram::new(0x1000);
    dma.map(map(u64::MAX - 0xfff, 0x1000, &ram, 0)).unwrap();
    let memory = pinned(&dma);
    assert!(memory.check_range(at(u64::MAX - 0xfff), 0x1000, Permissions::Read));
    let mut slices = memory
        .get_slices(at(u64::MAX), 2, Permissions::Read)
        .unwrap();
    assert_eq!(slices.next().unwrap().unwrap().len(), 1);
    let error = slices.next().unwrap().unwrap_err();
    assert!(matches!(error, GuestMemoryError::GuestAddressOverflow));
}

#[test]
fn memory_that_only_the_client_has_is_none() {
    let dma = allowed();
    dma.map(by_message(0x1000, 0x1000)).unwrap();
    let error = pinned(&dma).read_slice(&mut [0], at(0x1000)).unwrap_err();
    assert!(matches!(error, GuestMemoryError::HostAddressNotAvailable));
}

#[test]
fn a_stop_is_answered_when_the_memory_is_let_go_and_none_is_had_before() {
    let (dma, ..) = three_maps();
    let memory = pinned(&dma);
    memory.write_slice(&[1], at(0x1000)).unwrap();
    let told = super::Told::default();
    dma.block(told.hold());
    assert!(!memory.check_range(at(0x1000), 1, Permissions::Read));
    assert_eq!(told.times(), 0);
    drop(memory);
    assert_eq!(told.times(), 1);
}
