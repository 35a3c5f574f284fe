// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A client's files behind a device's maps.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ims_vfio::Hold;
use ims_vfio::dma::{Access, Dma, DmaError, Map};
use ims_vfio_user::memory::Files;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::io::{dup, pread};

const PAGE: u64 = 0x1000;

#[test]
fn a_device_writes_through_page_maps_into_one_file_until_they_are_gone() {
    let (files, dma) = (Files::default(), Dma::default());
    dma.allow();
    let file = memfd_create("guest", MemfdFlags::CLOEXEC).unwrap();
    ftruncate(&file, 64 * PAGE).unwrap();
    // Addresses in the order opposite to the file's, as a translation may have it.
    for page in 0..64 {
        let fd = dup(&file).unwrap();
        let offset = (63 - page) * PAGE;
        let memory = files.backing(fd, offset, PAGE, Access::READ_WRITE);
        dma.map(Map {
            address: page * PAGE,
            size: PAGE,
            access: Access::READ_WRITE,
            memory: Some(memory.unwrap()),
        })
        .unwrap();
    }
    assert_eq!(files.mappings(), 1);
    let session = dma.session().unwrap();
    session.write(PAGE - 2, &[1, 2, 3, 4]).unwrap();
    let (mut end, mut start) = ([0; 2], [0; 2]);
    pread(&file, &mut end, 64 * PAGE - 2).unwrap();
    pread(&file, &mut start, 62 * PAGE).unwrap();
    assert_eq!((end, start), ([1, 2], [3, 4]));
    let told = Arc::new(AtomicU32::new(0));
    let hold = Hold::new({
        let told = Arc::clone(&told);
        move || {
            told.fetch_add(1, Ordering::SeqCst);
        }
    });
    dma.unmap_all(hold);
    assert_eq!(told.load(Ordering::SeqCst), 0);
    drop(session);
    assert_eq!(told.load(Ordering::SeqCst), 1);
    assert_eq!(files.mappings(), 0);
}

#[test]
fn a_device_that_copies_from_a_file_cut_short_is_told_so() {
    let (files, dma) = (Files::default(), Dma::default());
    dma.allow();
    let file = memfd_create("guest", MemfdFlags::CLOEXEC).unwrap();
    ftruncate(&file, 4 * PAGE).unwrap();
    let memory = files.backing(dup(&file).unwrap(), 0, 4 * PAGE, Access::READ_WRITE);
    dma.map(Map {
        address: 0,
        size: 4 * PAGE,
        access: Access::READ_WRITE,
        memory: Some(memory.unwrap()),
    })
    .unwrap();
    let session = dma.session().unwrap();
    session.write(0, &[7; 16]).unwrap();
    ftruncate(&file, 0).unwrap();
    let lost = DmaError::Lost { address: 8 };
    assert_eq!(session.read(8, &mut [0; 8]), Err(lost));
    assert_eq!(session.write(8, &[0; 8]), Err(lost));
}
