// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The block driver of the published crate `virtio-drivers` on our devices, in every way
//! to interrupt: its queues are its own, its interrupts are set up by our driver.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

mod driver_rig;
mod interop_rig {
    pub mod hal;
    pub mod theirs;
}

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use driver_rig::bells::Bells;
use driver_rig::load::pattern;
use driver_rig::{Function, Memory, Offer, Pin, Scratch, Wired, all, backing, block, mmio};
use ims_virtio::block::Block;
use ims_virtio::layout::msi::Layout;
use ims_virtio_driver::interrupts::{Accept, Mode};
use ims_virtio_driver::transport::{Mmio, Pci, Transport};
use interop_rig::hal::{MEMORY, Pages};
use interop_rig::theirs::Bridge;
use virtio_drivers::device::blk::{BlkReq, BlkResp, VirtIOBlk};
use virtio_drivers::transport::InterruptStatus;

/// Bytes of the disk.
const DISK: u64 = 256 << 10;
/// Sectors of a request.
const SECTORS: usize = 8;

/// The area of VIS is at one place: one test at a time.
static ONE: Mutex<()> = Mutex::new(());

struct Arrivals {
    bells: Arc<Bells>,
    pin: Arc<Pin>,
}

type Driver<T> = VirtIOBlk<Pages, Bridge<T>>;

/// Waits for the interrupt of a request, and for nothing else.
fn interrupted<T: Transport<Registers = Wired>>(
    arrivals: &Arrivals,
    mode: Mode,
    seen: &mut u64,
    driver: &mut Driver<T>,
    token: u16,
) {
    if mode == Mode::Single {
        assert!(arrivals.pin.wait(), "no interrupt");
        let status = driver.ack_interrupt();
        assert!(status.contains(InterruptStatus::QUEUE_INTERRUPT));
        assert!(arrivals.pin.wait_low());
    } else {
        assert!(arrivals.bells.bell(1).wait(seen), "no interrupt");
    }
    assert_eq!(driver.peek_used(), Some(token), "interrupted too early");
}

fn reads_and_writes<T: Transport<Registers = Wired>>(
    wire: impl FnOnce(Arc<Block>, &Memory, Arc<Bells>, Arc<Pin>) -> Wired,
    find: impl FnOnce(Wired) -> T,
    accept: Accept,
    mode: Mode,
) {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let scratch = Scratch::new(DISK);
    let backing = backing();
    let device = block(&scratch, &backing, 1);
    let arrivals = Arrivals {
        bells: Arc::new(Bells::new(2)),
        pin: Arc::new(Pin::default()),
    };
    let (bells, pin) = (Arc::clone(&arrivals.bells), Arc::clone(&arrivals.pin));
    let (bridge, chosen) = Bridge::new(find(wire(device, &MEMORY, bells, pin)), accept);
    let mut driver = Driver::new(bridge).unwrap();
    let shown = chosen.lock().unwrap().as_ref().unwrap().interrupts.mode();
    assert_eq!(shown, mode);
    assert_eq!(driver.capacity(), DISK / 512);

    let mut seen = 0;
    let pieces = DISK as usize / 512 / SECTORS;
    let data = |piece: usize| pattern(7, piece, 3);
    for piece in 0..pieces {
        let data = data(piece);
        let (mut request, mut response) = (BlkReq::default(), BlkResp::default());
        let at = piece * SECTORS;
        // SAFETY: request, data and response stay until the request is complete.
        let token = unsafe { driver.write_blocks_nb(at, &mut request, &data, &mut response) };
        let token = token.unwrap();
        interrupted(&arrivals, mode, &mut seen, &mut driver, token);
        // SAFETY: the same buffers as above.
        unsafe { driver.complete_write_blocks(token, &request, &data, &mut response) }.unwrap();
    }
    driver.flush().unwrap();
    let contents = scratch.contents();
    assert!((0..pieces).all(|piece| contents[piece * 4096..][..4096] == data(piece)));
    // What the flush, which polls, was told of.
    if mode == Mode::Single {
        assert!(arrivals.pin.wait());
        driver.ack_interrupt();
        assert!(arrivals.pin.wait_low());
    } else {
        assert!(arrivals.bells.bell(1).wait(&mut seen));
    }
    for piece in (0..pieces).rev() {
        let mut found = vec![0; 4096];
        let (mut request, mut response) = (BlkReq::default(), BlkResp::default());
        let at = piece * SECTORS;
        // SAFETY: request, data and response stay until the request is complete.
        let token = unsafe { driver.read_blocks_nb(at, &mut request, &mut found, &mut response) };
        let token = token.unwrap();
        interrupted(&arrivals, mode, &mut seen, &mut driver, token);
        // SAFETY: the same buffers as above.
        unsafe { driver.complete_read_blocks(token, &request, &mut found, &mut response) }.unwrap();
        assert!(found == data(piece), "piece {piece}");
    }
    let mut id = [0; 20];
    let length = driver.device_id(&mut id).unwrap();
    assert_eq!(&id[..length], b"a disk of the test");
    if mode == Mode::Single {
        assert_eq!(arrivals.bells.take_log(), HashMap::new());
    } else {
        assert_eq!(arrivals.pin.rises(), 0);
    }
}

fn on_mmio(offer: Offer, accept: Accept, mode: Mode) {
    reads_and_writes(
        |device, memory, bells, pin| mmio(device, memory, bells, pin, offer),
        |wired| Mmio::find(wired).unwrap(),
        accept,
        mode,
    );
}

fn on_pci(accept: Accept, mode: Mode) {
    reads_and_writes(
        |device, memory, bells, pin| Function::wired(device, memory, bells, pin, 2),
        |wired| Pci::find(wired).unwrap(),
        accept,
        mode,
    );
}

#[test]
fn virtio_drivers_works_with_one_interrupt() {
    on_mmio(Offer::nothing(), Accept::default(), Mode::Single);
}

#[test]
fn virtio_drivers_works_with_msi() {
    for layout in [Layout::CLEAR, Layout::KERNEL, Layout::TEXT] {
        let offer = Offer {
            msi: Some((layout, true)),
            ..Offer::nothing()
        };
        on_mmio(offer, all(layout), Mode::Msi);
    }
}

#[test]
fn virtio_drivers_works_with_vis() {
    let offer = Offer {
        vis: true,
        ..Offer::nothing()
    };
    on_mmio(offer, all(Layout::CLEAR), Mode::Vis);
}

#[test]
fn virtio_drivers_works_with_msix() {
    on_pci(all(Layout::CLEAR), Mode::Msix);
}

#[test]
fn virtio_drivers_works_with_the_pin_of_a_function() {
    on_pci(Accept::default(), Mode::Single);
}
