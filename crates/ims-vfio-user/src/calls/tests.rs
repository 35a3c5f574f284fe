// SPDX-License-Identifier: Apache-2.0 OR MIT
use super::*;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

struct Peer {
    calls: Calls,
    socket: UnixStream,
    events: Arc<Events>,
}

fn peer(twin_socket: bool, limits: Limits) -> Peer {
    let (ours, socket) = UnixStream::pair().unwrap();
    let events = Arc::new(Events::new().unwrap());
    let agreed = Agreed {
        minor: 0,
        msg_fds: 1,
        data_xfer_size: 64,
        twin_socket,
        write_multiple: false,
    };
    let outbox = Arc::new(Outbox::new(Arc::new(ours.into()), 1 << 20));
    let calls = Calls::new(outbox, &agreed, limits, 1, Arc::clone(&events));
    Peer {
        calls,
        socket,
        events,
    }
}

impl Peer {
    fn receive(&mut self) -> (Header, DmaAccess, Vec<u8>) {
        let mut header = Header::default();
        self.socket.read_exact(header.as_mut_bytes()).unwrap();
        let mut access = DmaAccess::default();
        self.socket.read_exact(access.as_mut_bytes()).unwrap();
        let mut data = vec![0; header.size as usize - HEADER - size_of::<DmaAccess>()];
        self.socket.read_exact(&mut data).unwrap();
        (header, access, data)
    }

    fn write(&self, address: u64, data: &[u8]) -> Receiver<Result<(), Errno>> {
        let (sender, receiver) = channel();
        let then: WriteThen = Box::new(move |answer| sender.send(answer).unwrap());
        self.calls.write(address, data, then);
        receiver
    }

    fn read(&self, address: u64, length: usize) -> Receiver<Result<Vec<u8>, Errno>> {
        let (sender, receiver) = channel();
        let then: ReadThen =
            Box::new(move |answer| sender.send(answer.map(<[u8]>::to_vec)).unwrap());
        self.calls.read(address, length, then);
        receiver
    }
}

#[test]
fn many_are_outstanding_and_answers_may_come_in_any_order() {
    let mut peer = peer(false, Limits::default());
    let first = peer.write(0x1000, &[1, 2, 3]);
    let second = peer.read(0x2000, 4);
    let (write, access, data) = peer.receive();
    assert_eq!(
        (access.address, access.count, &data[..]),
        (0x1000, 3, &[1, 2, 3][..])
    );
    let (read, access, _) = peer.receive();
    assert_ne!(read.id, write.id);
    let body = [access.as_bytes(), &[9, 8, 7, 6]].concat();
    assert_eq!(peer.calls.answer(&read.reply(body.len()), &body), Ok(()));
    assert_eq!(second.recv().unwrap(), Ok(vec![9, 8, 7, 6]));
    assert!(first.try_recv().is_err());
    assert_eq!(peer.calls.answer(&write.refusal(14), &[]), Ok(()));
    assert_eq!(first.recv().unwrap(), Err(Errno::FAULT));
    assert!(!peer.events.unanswered().any());
}

#[test]
fn what_is_longer_than_a_message_goes_in_several() {
    let mut peer = peer(false, Limits::default());
    let data: Vec<u8> = (0..150).collect();
    let written = peer.write(0x8000, &data);
    let mut got = Vec::new();
    for expected in [0x8000, 0x8040, 0x8080] {
        let (header, access, piece) = peer.receive();
        assert_eq!(access.address, expected);
        got.extend(piece);
        peer.calls.answer(&header.reply(0), &[]).unwrap();
    }
    assert_eq!(got, data);
    assert_eq!(written.recv().unwrap(), Ok(()));
}

#[test]
fn replies_nobody_asked_for_are_told_apart() {
    let mut peer = peer(false, Limits::default());
    let header = Header::default().reply(0);
    assert_eq!(peer.calls.answer(&header, &[]), Err(Unasked));
    // Another command's, too short, and twice.
    let read = peer.read(0, 8);
    let (header, access, _) = peer.receive();
    let other = Header {
        command: command::DMA_WRITE,
        ..header.reply(0)
    };
    assert_eq!(peer.calls.answer(&other, &[]), Err(Unasked));
    assert_eq!(read.recv().unwrap(), Err(Errno::PROTO));
    assert_eq!(
        peer.calls.answer(&header.reply(0), access.as_bytes()),
        Err(Unasked)
    );
    let read = peer.read(0, 8);
    let (header, access, _) = peer.receive();
    assert_eq!(
        peer.calls.answer(&header.reply(16), access.as_bytes()),
        Err(Unasked)
    );
    assert_eq!(read.recv().unwrap(), Err(Errno::PROTO));
}

#[test]
fn a_client_that_does_not_answer_is_waited_for_only_so_long() {
    let limits = Limits {
        answer: Duration::from_secs(5),
        outstanding: 2,
        ..Limits::default()
    };
    let mut peer = peer(false, limits);
    let now = Instant::now();
    let (first, second) = (peer.write(0, &[1]), peer.write(0, &[2]));
    assert_eq!(peer.write(0, &[3]).recv().unwrap(), Err(Errno::AGAIN));
    peer.calls.expire(now);
    assert!(first.try_recv().is_err());
    peer.calls.expire(now + Duration::from_secs(60));
    assert_eq!(first.recv().unwrap(), Err(Errno::TIMEDOUT));
    assert_eq!(second.recv().unwrap(), Err(Errno::TIMEDOUT));
    // The answers come after all, and make room.
    for _ in 0..2 {
        let (header, ..) = peer.receive();
        assert_eq!(peer.calls.answer(&header.reply(0), &[]), Ok(()));
    }
    let _third = peer.write(0, &[3]);
    assert_eq!(peer.receive().2, [3]);
}

#[test]
fn a_range_that_is_taken_back_fails_what_is_on_its_way_there() {
    for twin in [false, true] {
        let peer = peer(twin, Limits::default());
        let read = peer.read(0x1ff8, 8);
        let write = peer.write(0x1000, &[1]);
        let other = peer.write(0x2000, &[1]);
        peer.calls.abandon(Some(0x1000..0x2000));
        assert_eq!(read.recv().unwrap(), Err(Errno::CANCELED));
        if twin {
            // The client may take it after the answer by the other socket.
            assert!(write.try_recv().is_err());
        } else {
            assert_eq!(write.recv().unwrap(), Err(Errno::CANCELED));
        }
        assert!(other.try_recv().is_err());
    }
}

#[test]
fn after_the_client_is_gone_everything_fails() {
    let peer = peer(false, Limits::default());
    let write = peer.write(0, &[1]);
    peer.calls.close();
    assert_eq!(write.recv().unwrap(), Err(Errno::NOTCONN));
    assert_eq!(peer.read(0, 1).recv().unwrap(), Err(Errno::NOTCONN));
    assert_eq!(peer.calls.post(0, &[1]), Err(Errno::NOTCONN));
    assert!(!peer.events.unanswered().any());
}
