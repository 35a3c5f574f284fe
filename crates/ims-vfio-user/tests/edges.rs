// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The server is told once of what there is to read. Here all is there before it
//! looks, and nothing comes afterwards that would tell it again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod device;
mod peer;

use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use device::{TestDevice, VECTORS};
use ims_vfio::layout::{irq, irq_set};
use ims_vfio_user::layout::{HEADER, Header, RegionAccess, Version, command, flag};
use ims_vfio_user::{Limits, Server};
use peer::{OFFER, Peer, Place, set, write_body};
use rustix::event::{EventfdFlags, eventfd};
use zerocopy::IntoBytes;

/// A client that has sent VERSION and waits for nothing, and the server's end.
fn eager() -> (Peer, UnixStream) {
    let (socket, theirs) = UnixStream::pair().unwrap();
    let mut peer = Peer::on(socket);
    let body = [Version::default().as_bytes(), OFFER].concat();
    peer.command(command::VERSION, 0, &body, &[]);
    (peer, theirs)
}

fn adopt(theirs: UnixStream) -> Server {
    let server = Server::start(Limits::default()).unwrap();
    server.adopt(theirs.into(), Arc::new(TestDevice::new()));
    server
}

#[test]
fn messages_behind_descriptors_are_read() {
    let (mut peer, theirs) = eager();
    let flags = irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER;
    let mut sent = vec![1];
    for vector in 0..u32::from(VECTORS) {
        let trigger = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        let set = set(flags, irq::MSIX, vector, 1);
        sent.push(peer.command(command::DEVICE_SET_IRQS, 0, set.as_bytes(), &[trigger]));
        if vector % 3 == 0 {
            let body = write_body(0, 0, &[7; 4]);
            sent.push(peer.command(command::REGION_WRITE, 0, &body, &[]));
        }
    }
    let _server = adopt(theirs);
    for id in sent {
        let reply = peer.receive().expect("a reply");
        assert_eq!((reply.header.id, reply.header.flags), (id, flag::REPLY));
    }
}

#[test]
fn what_takes_several_reads_is_all_executed() {
    const WRITES: u32 = 3000;
    let (mut peer, theirs) = eager();
    let mut bytes = Vec::new();
    for value in 0..WRITES {
        let body = write_body(0, 8, &value.to_le_bytes());
        let header = Header {
            id: 77,
            command: command::REGION_WRITE,
            size: u32::try_from(HEADER + body.len()).unwrap(),
            flags: flag::NO_REPLY,
            error: 0,
        };
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(&body);
    }
    assert!(bytes.len() > 64 << 10, "one read takes it");
    peer.raw(&bytes, &[]);
    let access = RegionAccess {
        offset: 8,
        region: 0,
        count: 4,
    };
    peer.command(command::REGION_READ, 0, access.as_bytes(), &[]);
    let _server = adopt(theirs);
    assert_eq!(peer.receive().unwrap().header.command, command::VERSION);
    let reply = peer.receive().expect("a reply");
    assert_eq!(reply.body[16..], (WRITES - 1).to_le_bytes());
}

#[test]
fn a_client_that_sends_no_more_is_answered_and_let_go() {
    let (mut peer, theirs) = eager();
    let last = peer.command(command::DEVICE_RESET, 0, &[], &[]);
    peer.socket.shutdown(Shutdown::Write).unwrap();
    let _server = adopt(theirs);
    assert_eq!(peer.receive().unwrap().header.command, command::VERSION);
    assert_eq!(peer.receive().unwrap().header.id, last);
    assert!(peer.is_closed());
}

#[test]
fn clients_that_send_and_leave_at_once_do_not_keep_the_device() {
    let place = Place::new("leave");
    let server = Server::start(Limits::default()).unwrap();
    server
        .listen(&place.0, Arc::new(TestDevice::new()))
        .unwrap();
    for _ in 0..100 {
        let mut peer = Peer::connect(&place.0);
        let body = [Version::default().as_bytes(), OFFER].concat();
        peer.command(command::VERSION, 0, &body, &[]);
    }
    let mut peer = Peer::agreed(&place.0);
    assert_eq!(peer.read_region(0, 0, 4), Ok(vec![0; 4]));
}
