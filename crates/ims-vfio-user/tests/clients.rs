// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Many clients at once: nobody waits for another.
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

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use device::TestDevice;
use ims_vfio::Device;
use ims_vfio::irqs::Lines;
use ims_vfio::layout::region;
use ims_vfio_user::layout::{Header, command, flag};
use ims_vfio_user::{Limits, Server};
use peer::{OFFER, PATIENCE, Peer, Place, map, memory, write_body};
use zerocopy::IntoBytes;

fn small() -> TestDevice {
    TestDevice::with_lines(Lines::msix(4))
}

/// Round trips of a client while others do `disturb`.
fn is_served_beside(name: &str, disturb: impl FnOnce(&mut Peer, &Arc<AtomicBool>)) {
    let (theirs, ours) = (Place::new(&format!("{name}-theirs")), Place::new(name));
    let server = Server::start(Limits::default()).unwrap();
    server.listen(&theirs.0, Arc::new(small())).unwrap();
    server.listen(&ours.0, Arc::new(small())).unwrap();
    let mut other = Peer::agreed(&theirs.0);
    let stop = Arc::new(AtomicBool::new(false));
    disturb(&mut other, &stop);
    let mut peer = Peer::agreed(&ours.0);
    let begun = Instant::now();
    for round in 0..500u32 {
        peer.write_region(0, 0, &round.to_le_bytes()).unwrap();
        assert_eq!(peer.read_region(0, 0, 4).unwrap(), round.to_le_bytes());
    }
    assert!(begun.elapsed() < PATIENCE);
    stop.store(true, Ordering::Relaxed);
}

#[test]
fn a_client_that_sends_half_a_message_delays_nobody() {
    is_served_beside("half", |other, _| {
        other.raw(&[1, 0, 9, 0, 200], &[]);
    });
}

#[test]
fn a_client_that_reads_no_replies_delays_nobody_and_is_held_back() {
    is_served_beside("deaf", |other, _| {
        other.socket.set_nonblocking(true).unwrap();
        let body = [
            &0u64.to_le_bytes()[..],
            &0u32.to_le_bytes(),
            &4096u32.to_le_bytes(),
        ]
        .concat();
        let header = Header {
            command: command::REGION_READ,
            size: 32,
            ..Header::default()
        };
        let bytes = [header.as_bytes(), &body].concat();
        // Until nothing more goes: far more answers than the server would keep.
        let begun = Instant::now();
        let mut asked = 0;
        while asked < 100_000 && begun.elapsed() < PATIENCE {
            if other.try_raw(&bytes, &[]).is_err() {
                break;
            }
            asked += 1;
        }
        assert!(asked < 100_000, "it is held back");
        // And when it reads, it has every answer.
        other.socket.set_nonblocking(false).unwrap();
        for _ in 0..asked {
            assert_eq!(other.receive().unwrap().body.len(), 16 + 4096);
        }
    });
}

#[test]
fn a_device_that_panics_loses_its_client_and_the_others_go_on() {
    let (theirs, ours) = (Place::new("panics"), Place::new("panics-not"));
    let server = Server::start(Limits::default()).unwrap();
    server.listen(&theirs.0, Arc::new(small())).unwrap();
    server.listen(&ours.0, Arc::new(small())).unwrap();
    let mut beside = Peer::agreed(&ours.0);
    let mut peer = Peer::agreed(&theirs.0);
    peer.command(
        command::REGION_WRITE,
        0,
        &write_body(0, device::PANICS, &[0]),
        &[],
    );
    assert!(peer.is_closed());
    assert!(beside.read_region(0, 0, 4).is_ok());
    assert!(Peer::agreed(&theirs.0).read_region(0, 0, 4).is_ok());
}

#[test]
fn a_client_that_floods_delays_nobody() {
    is_served_beside("flood", |other, stop| {
        let socket = other.socket.try_clone().unwrap();
        let stop = Arc::clone(stop);
        thread::spawn(move || {
            let mut flood = Peer::on(socket);
            while !stop.load(Ordering::Relaxed) {
                let body = write_body(0, 0, &[1; 8]);
                let header = Header {
                    id: 1,
                    command: command::REGION_WRITE,
                    size: 40,
                    flags: flag::NO_REPLY,
                    error: 0,
                };
                let bytes = [header.as_bytes(), &body].concat();
                if flood.try_raw(&bytes.repeat(100), &[]).is_err() {
                    return;
                }
            }
        });
    });
}

#[test]
fn a_client_whose_reset_hangs_delays_nobody() {
    let (theirs, ours) = (Place::new("hangs"), Place::new("hangs-not"));
    let server = Server::start(Limits::default()).unwrap();
    let hangs = Arc::new(small().keeping_resets());
    server
        .listen(&theirs.0, Arc::clone(&hangs) as Arc<dyn Device>)
        .unwrap();
    server.listen(&ours.0, Arc::new(small())).unwrap();
    let mut stuck = Peer::agreed(&theirs.0);
    stuck.command(command::DEVICE_RESET, 0, &[], &[]);
    // What it sends meanwhile is kept up to a limit and then left in its socket.
    stuck.socket.set_nonblocking(true).unwrap();
    let body = write_body(0, 0, &[3; 8]);
    let mut sent = 0;
    while sent < 100_000 {
        let header = Header {
            id: 1,
            command: command::REGION_WRITE,
            size: 40,
            flags: flag::NO_REPLY,
            error: 0,
        };
        let bytes = [header.as_bytes(), &body].concat();
        if rustix::net::send(&stuck.socket, &bytes, rustix::net::SendFlags::NOSIGNAL).is_err() {
            break;
        }
        sent += 1;
    }
    assert!(sent < 100_000, "it is held back");
    let mut peer = Peer::agreed(&ours.0);
    assert!(peer.read_region(0, 0, 4).is_ok());
    hangs.busy.lock().unwrap().clear();
    stuck.socket.set_nonblocking(false).unwrap();
    assert_eq!(
        stuck.receive().unwrap().header.command,
        command::DEVICE_RESET
    );
    assert_eq!(stuck.read_region(0, 0, 8).unwrap(), [3; 8]);
}

#[test]
fn a_device_keeps_its_state_for_the_next_client_and_one_waits_for_the_other() {
    let place = Place::new("next");
    let server = Server::start(Limits::default()).unwrap();
    let device = Arc::new(small());
    server
        .listen(&place.0, Arc::clone(&device) as Arc<dyn Device>)
        .unwrap();
    let mut first = Peer::agreed(&place.0);
    first.write_region(0, 0, b"kept").unwrap();
    first.map(map(0, 0x1000, 0), Some(memory(0x1000))).unwrap();
    let path = place.0.clone();
    let second = thread::spawn(move || {
        let mut second = Peer::connect(&path);
        second.agree(0, OFFER);
        second.read_region(0, 0, 4).unwrap()
    });
    thread::sleep(Duration::from_millis(50));
    assert!(!second.is_finished());
    drop(first);
    assert_eq!(second.join().unwrap(), b"kept");
    assert_eq!(device.function().dma.maps(), 0);
}

#[test]
fn a_client_can_come_by_a_socket_that_is_handed_over() {
    let server = Server::start(Limits::default()).unwrap();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let id = server.adopt(ours.into(), Arc::new(small()));
    let mut peer = Peer::on(theirs);
    peer.agree(0, OFFER);
    assert!(peer.read_region(0, 0, 4).is_ok());
    server.remove(id);
    assert!(peer.is_closed());
}

#[test]
fn a_removed_device_is_gone_and_its_path_free() {
    let place = Place::new("removed");
    let server = Server::start(Limits::default()).unwrap();
    let id = server.listen(&place.0, Arc::new(small())).unwrap();
    let mut peer = Peer::agreed(&place.0);
    server.remove(id);
    assert!(peer.is_closed());
    assert!(!place.0.exists());
    server.listen(&place.0, Arc::new(small())).unwrap();
    assert!(Peer::agreed(&place.0).read_region(0, 0, 4).is_ok());
}

#[test]
fn a_server_that_is_told_to_stop_finishes_what_is_in_flight() {
    let place = Place::new("stop");
    let server = Server::start(Limits::default()).unwrap();
    let device = Arc::new(small().keeping_resets());
    server
        .listen(&place.0, Arc::clone(&device) as Arc<dyn Device>)
        .unwrap();
    let mut peer = Peer::agreed(&place.0);
    peer.command(command::DEVICE_RESET, 0, &[], &[]);
    peer.command(command::REGION_WRITE, 0, &write_body(0, 0, &[1]), &[]);
    let begun = Instant::now();
    while device.busy.lock().unwrap().is_empty() {
        assert!(begun.elapsed() < PATIENCE);
        thread::yield_now();
    }
    // Long enough for the server to have read the second command.
    thread::sleep(Duration::from_millis(50));
    let stopping = thread::spawn(move || server.stop());
    thread::sleep(Duration::from_millis(50));
    assert!(!stopping.is_finished());
    device.busy.lock().unwrap().clear();
    assert_eq!(
        peer.receive().unwrap().header.command,
        command::DEVICE_RESET
    );
    assert_eq!(
        peer.receive().unwrap().header.command,
        command::REGION_WRITE
    );
    assert!(peer.is_closed());
    stopping.join().unwrap();
}

#[test]
fn a_client_that_answers_nothing_is_waited_for_only_so_long() {
    let place = Place::new("silent");
    let limits = Limits {
        answer: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = Server::start(limits).unwrap();
    let device = Arc::new(small());
    server
        .listen(&place.0, Arc::clone(&device) as Arc<dyn Device>)
        .unwrap();
    let mut peer = Peer::agreed(&place.0);
    peer.map(map(0, 0x1000, 0), None).unwrap();
    peer.write_region(region::CONFIG, 4, &[6, 0]).unwrap();
    let session = device.function().dma.session().unwrap();
    let error = session.write(0, &[1]).unwrap_err();
    assert_eq!(error.errno(), rustix::io::Errno::TIMEDOUT);
}
