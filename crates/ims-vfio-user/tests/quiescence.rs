// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What takes memory away is answered when nobody can touch it any more, and nobody
//! does afterwards. And an interrupt follows its data.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

mod device;
mod peer;

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use device::{Served, TestDevice};
use ims_vfio::layout::{irq, irq_set, region};
use ims_vfio::{Device, Hold};
use ims_vfio_user::Server;
use ims_vfio_user::layout::{command, flag};
use peer::{PATIENCE, Peer, Place, map, memory, set, unmap, write_body};
use rustix::event::{EventfdFlags, eventfd};
use zerocopy::IntoBytes;

const PAGE: usize = 0x1000;
const BUS_MASTER: [u8; 2] = [6, 0];
const POISON: u8 = 0xee;

struct Serving {
    device: Arc<TestDevice>,
    peer: Peer,
    place: Place,
    file: OwnedFd,
    _server: Server,
}

fn serve(name: &str, device: TestDevice) -> Serving {
    let Served {
        device,
        server,
        place,
    } = device::serve(name, device);
    let mut peer = Peer::agreed(&place.0);
    let file = memory(4 * PAGE as u64);
    peer.map(
        map(0x1000, 2 * PAGE as u64, 0),
        Some(file.try_clone().unwrap()),
    )
    .unwrap();
    peer.map(
        map(0x8000, PAGE as u64, 3 * PAGE as u64),
        Some(file.try_clone().unwrap()),
    )
    .unwrap();
    peer.write_region(region::CONFIG, 4, &BUS_MASTER).unwrap();
    Serving {
        device,
        peer,
        place,
        file,
        _server: server,
    }
}

/// Work in the middle of a copy into the first page, until it is told to go on.
fn in_mid_copy(device: &Arc<TestDevice>) -> (mpsc::Sender<()>, JoinHandle<()>) {
    let (go_on, told) = mpsc::channel();
    let (inside, is_inside) = mpsc::channel();
    let device = Arc::clone(device);
    let worker = thread::spawn(move || {
        let session = device.function().dma.session().unwrap();
        let window = session
            .window(0x1000, PAGE, ims_vfio::dma::Access::WRITE)
            .unwrap();
        let window = window.slice().unwrap();
        window.copy_from(&vec![1u8; PAGE / 2]);
        inside.send(()).unwrap();
        let _ = told.recv();
        window
            .subslice(PAGE / 2, PAGE / 2)
            .unwrap()
            .copy_from(&vec![2u8; PAGE / 2]);
    });
    is_inside.recv().unwrap();
    (go_on, worker)
}

/// Whether a reply comes within a moment.
fn answered_soon(peer: &mut Peer) -> bool {
    peer.socket
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let mut byte = [0];
    let peeked = rustix::net::recv(&peer.socket, &mut byte[..], rustix::net::RecvFlags::PEEK);
    peer.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    peeked.is_ok()
}

fn poison(file: &OwnedFd) {
    rustix::io::pwrite(file, &vec![POISON; 4 * PAGE], 0).unwrap();
}

fn assert_poisoned(file: &OwnedFd) {
    let mut bytes = vec![0; 4 * PAGE];
    rustix::io::pread(file, &mut bytes, 0).unwrap();
    assert!(
        bytes.iter().all(|byte| *byte == POISON),
        "memory was touched afterwards"
    );
}

/// Asks with `ask` while work is in mid-copy; the answer comes when the work is
/// done and not before, and nothing is touched after it.
fn is_answered_when_quiet(serving: &mut Serving, ask: impl FnOnce(&mut Peer)) {
    let (go_on, worker) = in_mid_copy(&serving.device);
    ask(&mut serving.peer);
    assert!(
        !answered_soon(&mut serving.peer),
        "answered while the copy went on"
    );
    go_on.send(()).unwrap();
    let reply = serving.peer.receive().unwrap();
    assert_eq!(reply.header.flags, flag::REPLY);
    poison(&serving.file);
    worker.join().unwrap();
    thread::sleep(Duration::from_millis(20));
    assert_poisoned(&serving.file);
}

#[test]
fn an_unmap_waits_for_the_copy_into_its_range() {
    let mut serving = serve("unmap", TestDevice::new());
    is_answered_when_quiet(&mut serving, |peer| {
        peer.command(
            command::DMA_UNMAP,
            0,
            unmap(0x1000, 2 * PAGE as u64).as_bytes(),
            &[],
        );
    });
    let session = serving.device.function().dma.session().unwrap();
    assert!(session.write(0x1000, &[0]).is_err());
    assert!(session.write(0x8000, &[0]).is_ok());
}

#[test]
fn an_unmap_does_not_wait_for_a_copy_elsewhere() {
    let mut serving = serve("elsewhere", TestDevice::new());
    let (go_on, worker) = in_mid_copy(&serving.device);
    assert_eq!(serving.peer.unmap(0x8000, PAGE as u64), Ok(()));
    drop(go_on);
    worker.join().unwrap();
}

#[test]
fn a_reset_waits_for_all_copies() {
    let mut serving = serve("reset-quiet", TestDevice::new());
    is_answered_when_quiet(&mut serving, |peer| {
        peer.command(command::DEVICE_RESET, 0, &[], &[]);
    });
    assert!(serving.device.function().dma.session().is_err());
}

#[test]
fn bus_mastering_goes_off_when_all_copies_are_done() {
    let mut serving = serve("master", TestDevice::new());
    is_answered_when_quiet(&mut serving, |peer| {
        let body = write_body(region::CONFIG, 4, &[2, 0]);
        peer.command(command::REGION_WRITE, 0, &body, &[]);
    });
    assert!(serving.device.function().dma.session().is_err());
    serving
        .peer
        .write_region(region::CONFIG, 4, &BUS_MASTER)
        .unwrap();
    serving
        .device
        .function()
        .dma
        .session()
        .unwrap()
        .write(0x1000, &[7])
        .unwrap();
}

#[test]
fn a_function_level_reset_waits_for_all_copies() {
    let mut serving = serve("flr", TestDevice::new());
    let pcie = (0x40..0x100u64)
        .step_by(4)
        .find(|at| serving.peer.read_region(region::CONFIG, *at, 1).unwrap() == [0x10])
        .unwrap();
    is_answered_when_quiet(&mut serving, |peer| {
        let body = write_body(region::CONFIG, pcie + 8, &0x8000u16.to_le_bytes());
        peer.command(command::REGION_WRITE, 0, &body, &[]);
    });
    assert!(serving.device.function().dma.session().is_err());
}

#[test]
fn a_reset_waits_for_what_the_device_says_it_waits_for() {
    let device = TestDevice::new().keeping_resets();
    let mut serving = serve("reset-device", device);
    serving.peer.command(command::DEVICE_RESET, 0, &[], &[]);
    // Commands behind it wait, and nothing is lost.
    serving.peer.command(command::DEVICE_RESET, 0, &[], &[]);
    assert!(!answered_soon(&mut serving.peer));
    for _ in 0..2 {
        let begun = Instant::now();
        let held: Vec<Hold> = loop {
            let held = std::mem::take(&mut *serving.device.busy.lock().unwrap());
            if !held.is_empty() {
                break held;
            }
            assert!(begun.elapsed() < PATIENCE);
            thread::yield_now();
        };
        assert_eq!(held.len(), 1, "one at a time");
        drop(held);
        assert_eq!(
            serving.peer.receive().unwrap().header.command,
            command::DEVICE_RESET
        );
    }
}

#[test]
fn a_lost_clients_memory_is_untouched_once_the_next_client_is_served() {
    let Serving {
        device,
        peer,
        place,
        file,
        _server,
    } = serve("lost", TestDevice::new());
    let (go_on, worker) = in_mid_copy(&device);
    drop(peer);
    // The next client waits as long as work uses the memory of the last one.
    let mut next = Peer::connect(&place.0);
    next.command(command::VERSION, 0, &[0; 4], &[]);
    assert!(!answered_soon(&mut next));
    go_on.send(()).unwrap();
    assert_eq!(next.receive().unwrap().header.flags, flag::REPLY);
    poison(&file);
    worker.join().unwrap();
    assert_eq!(device.function().dma.maps(), 0);
    assert_poisoned(&file);
}

#[test]
fn who_waits_for_a_client_that_unmaps_is_let_go() {
    let mut serving = serve("abandon", TestDevice::new());
    serving
        .peer
        .map(map(0x10_0000, PAGE as u64, 0), None)
        .unwrap();
    let device = Arc::clone(&serving.device);
    let worker = thread::spawn(move || {
        let session = device.function().dma.session().unwrap();
        session.read(0x10_0000, &mut [0; 4]).unwrap_err().errno()
    });
    let read = serving.peer.receive().unwrap();
    // A client that answers nothing before its own command is answered.
    assert_eq!(serving.peer.unmap(0x10_0000, PAGE as u64), Ok(()));
    assert_eq!(worker.join().unwrap(), rustix::io::Errno::CANCELED);
    // Its late answer is no offence.
    serving.peer.raw(read.header.refusal(14).as_bytes(), &[]);
    assert!(serving.peer.read_region(0, 0, 4).is_ok());
}

#[test]
fn an_interrupt_waits_for_the_answer_to_the_data_it_announces() {
    let mut serving = serve("order", TestDevice::new());
    serving
        .peer
        .map(map(0x10_0000, PAGE as u64, 0), None)
        .unwrap();
    let trigger = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
    let by_eventfd = irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER;
    serving
        .peer
        .set_irqs(
            set(by_eventfd, irq::MSIX, 0, 1),
            &[],
            &[trigger.try_clone().unwrap()],
        )
        .unwrap();
    let device = Arc::clone(&serving.device);
    let worker = thread::spawn(move || {
        let function = device.function();
        function
            .dma
            .session()
            .unwrap()
            .write(0x10_0000, b"done")
            .unwrap();
        function.irqs.trigger(irq::MSIX, 0).unwrap();
    });
    let write = serving.peer.receive().unwrap();
    thread::sleep(Duration::from_millis(50));
    assert!(
        rustix::io::read(&trigger, &mut [0; 8]).is_err(),
        "before its data"
    );
    let (access, _) = write.access();
    serving.peer.reply(&write, access.as_bytes());
    worker.join().unwrap();
    assert!(rustix::io::read(&trigger, &mut [0; 8]).is_ok());
}

/// Workers write without pause while the client maps, poisons what it has unmapped,
/// and looks.
#[test]
fn under_load_no_page_is_touched_between_its_unmap_and_its_next_map() {
    let mut serving = serve("load", TestDevice::new());
    serving.peer.unmap(0x1000, 2 * PAGE as u64).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let written = Arc::new(AtomicU64::new(0));
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let (device, stop) = (Arc::clone(&serving.device), Arc::clone(&stop));
            let written = Arc::clone(&written);
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let Ok(session) = device.function().dma.session() else {
                        continue;
                    };
                    if session.write(0x1000, &[0x55; PAGE]).is_ok() {
                        written.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    let begun = Instant::now();
    let mut rounds = 0;
    while rounds < 200 || written.load(Ordering::Relaxed) == 0 {
        assert!(begun.elapsed() < PATIENCE);
        let file = serving.file.try_clone().unwrap();
        serving
            .peer
            .map(map(0x1000, PAGE as u64, 0), Some(file))
            .unwrap();
        serving.peer.unmap(0x1000, PAGE as u64).unwrap();
        poison(&serving.file);
        thread::yield_now();
        assert_poisoned(&serving.file);
        rounds += 1;
    }
    stop.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.join().unwrap();
    }
}
