// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What sessions reach, and what they are refused.

use vm_memory::Bytes;

use super::*;

#[test]
fn an_access_crosses_from_one_map_into_the_next() {
    let dma = allowed();
    let (low, high) = (Ram::new(0x1000), Ram::new(0x1000));
    dma.map(map(0x10000, 0x1000, &low, 0)).unwrap();
    dma.map(map(0x11000, 0x1000, &high, 0)).unwrap();
    let session = dma.session().unwrap();
    session.write(0x10ffd, &[1, 2, 3, 4, 5]).unwrap();
    assert_eq!(low.bytes()[0xffd..], [1, 2, 3]);
    assert_eq!(high.bytes()[..3], [4, 5, 0]);
    let mut data = [0; 5];
    session.read(0x10ffd, &mut data).unwrap();
    assert_eq!(data, [1, 2, 3, 4, 5]);
}

#[test]
fn a_write_that_cannot_be_done_whole_does_nothing() {
    let dma = allowed();
    let ram = Ram::new(0x3000);
    dma.map(map(0x1000, 0x1000, &ram, 0)).unwrap();
    let mut read_only = map(0x2000, 0x1000, &ram, 0x1000);
    read_only.access = Access::READ;
    dma.map(read_only).unwrap();
    dma.map(map(u64::MAX - 0xf, 0x10, &ram, 0x2000)).unwrap();
    let session = dma.session().unwrap();
    let long = [0xff; 0x20];
    let table = [
        (0x1ff0, DmaError::Denied { address: 0x2000 }),
        (0x0ff0, DmaError::Unmapped { address: 0x0ff0 }),
        (u64::MAX - 0xf, DmaError::Wraps),
        (u64::MAX, DmaError::Wraps),
    ];
    for (address, error) in table {
        assert_eq!(session.write(address, &long), Err(error));
    }
    assert_eq!(
        session.read(0x2ff0, &mut [0; 0x20]),
        Err(DmaError::Unmapped { address: 0x3000 })
    );
    assert!(ram.bytes().iter().all(|byte| *byte == 0));
    // Up to the last byte of all is right.
    session.write(u64::MAX - 0xf, &long[..0x10]).unwrap();
    // And nothing is everywhere.
    session.write(0x9999_0000, &[]).unwrap();
    session.read(u64::MAX, &mut []).unwrap();
}

#[test]
fn nothing_begins_while_bus_mastering_is_off() {
    let dma = Dma::default();
    assert_eq!(dma.session().unwrap_err(), DmaError::Blocked);
    dma.allow();
    drop(dma.session().unwrap());
    dma.block(Hold::nobody());
    assert_eq!(dma.session().unwrap_err(), DmaError::Blocked);
}

#[test]
fn a_window_ends_with_its_map() {
    let dma = allowed();
    let ram = Ram::new(0x2000);
    dma.map(map(0x1000, 0x1000, &ram, 0)).unwrap();
    dma.map(map(0x2000, 0x1000, &ram, 0x1000)).unwrap();
    dma.map(by_message(0x3000, 0x1000)).unwrap();
    let session = dma.session().unwrap();
    let length = |address, length| {
        let window = session.window(address, length, Access::READ_WRITE);
        window.map(|window| (window.len(), window.slice().unwrap().len()))
    };
    assert_eq!(length(0x1ff0, 0x100), Ok((0x10, 0x10)));
    assert_eq!(length(0x1000, 0x10), Ok((0x10, 0x10)));
    assert_eq!(length(0x2fff, usize::MAX), Ok((1, 1)));
    let error = DmaError::NoMemory { address: 0x3000 };
    assert_eq!(length(0x3000, 8), Err(error));
}

#[test]
fn a_completion_word_is_stored_with_release_through_a_window() {
    let dma = allowed();
    let ram = Ram::new(0x1000);
    dma.map(map(0x1000, 0x1000, &ram, 0)).unwrap();
    let session = dma.session().unwrap();
    let window = session.window(0x1008, 8, Access::WRITE).unwrap();
    let slice = window.slice().unwrap();
    slice
        .store(0x0102_0304_0506_0708_u64, 0, Ordering::Release)
        .unwrap();
    assert_eq!(ram.bytes()[8..16], 0x0102_0304_0506_0708_u64.to_ne_bytes());
}

#[test]
fn memory_that_went_away_is_an_error_and_not_zeros() {
    let dma = allowed();
    let ram = Ram::new(0x1000);
    dma.map(map(0x1000, 0x1000, &ram, 0)).unwrap();
    let session = dma.session().unwrap();
    let window = session.window(0x1000, 8, Access::READ).unwrap();
    assert_eq!(window.check(), Ok(()));
    ram.lost.store(true, Ordering::Relaxed);
    let lost = DmaError::Lost { address: 0x1000 };
    assert_eq!(window.check(), Err(lost));
    assert_eq!(session.read(0x1000, &mut [0; 8]), Err(lost));
    assert_eq!(session.write(0x1000, &[0; 8]), Err(lost));
}

#[test]
fn a_range_that_is_mapped_anew_leads_to_its_new_memory() {
    let dma = allowed();
    let (old, new) = (Ram::new(0x1000), Ram::new(0x1000));
    dma.map(map(0x1000, 0x1000, &old, 0)).unwrap();
    let session = dma.session().unwrap();
    session.write(0x1000, &[1]).unwrap();
    dma.unmap(0x1000, 0x1000, Hold::nobody()).unwrap();
    let unmapped = DmaError::Unmapped { address: 0x1000 };
    assert_eq!(session.write(0x1000, &[2]), Err(unmapped));
    dma.map(map(0x1000, 0x1000, &new, 0)).unwrap();
    session.write(0x1000, &[3]).unwrap();
    assert_eq!((old.bytes()[0], new.bytes()[0]), (1, 3));
}

#[test]
fn a_pinned_session_lends_many_maps_at_once() {
    let dma = allowed();
    let ram = Ram::new(0x100 * 300);
    for page in 0..300 {
        dma.map(map(page * 0x100, 0x100, &ram, page * 0x100))
            .unwrap();
    }
    let pinned = dma.session().unwrap().pinned();
    let slices: Vec<_> = (0..300)
        .chain((0..300).rev())
        .map(|page| pinned.window(page * 0x100, 0x200, Access::WRITE).unwrap())
        .collect();
    for (at, slice) in slices.iter().take(300).enumerate() {
        assert_eq!(slice.len(), 0x100);
        slice.copy_from(&[u8::try_from(at % 251).unwrap(); 0x100]);
    }
    let bytes = ram.bytes();
    assert!((0..300).all(|page| usize::from(bytes[page * 0x100 + 7]) == page % 251));
    assert_eq!(pinned.check(), Ok(()));
    let above = pinned.window(300 * 0x100, 1, Access::READ);
    assert_eq!(
        above.map(|slice| slice.len()),
        Err(DmaError::Unmapped {
            address: 300 * 0x100
        })
    );
    ram.lost.store(true, Ordering::Relaxed);
    assert_eq!(pinned.check(), Err(DmaError::Lost { address: 0 }));
}

#[test]
fn sessions_move_between_threads_and_pinned_ones_are_shared() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    send::<Session>();
    send::<Pinned>();
    sync::<Pinned>();
    sync::<Dma>();
}
