// SPDX-License-Identifier: Apache-2.0 OR MIT
use super::*;
use crate::layout::command;
use proptest::prelude::*;
use rustix::event::{EventfdFlags, eventfd};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::{IoSlice, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use zerocopy::IntoBytes;

const LIMIT: usize = 1 << 20;

fn message(id: u16, body: &[u8]) -> Vec<u8> {
    let header = Header {
        id,
        command: command::REGION_WRITE,
        size: (HEADER + body.len()) as u32,
        flags: 0,
        error: 0,
    };
    [header.as_bytes(), body].concat()
}

fn send(socket: &UnixStream, bytes: &[u8], fds: usize) {
    let files: Vec<_> = (0..fds)
        .map(|_| eventfd(0, EventfdFlags::CLOEXEC).unwrap())
        .collect();
    let borrowed: Vec<_> = files.iter().map(AsFd::as_fd).collect();
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(KERNEL_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if fds > 0 {
        assert!(control.push(SendAncillaryMessage::ScmRights(&borrowed)));
    }
    let sent = sendmsg(
        socket,
        &[IoSlice::new(bytes)],
        &mut control,
        SendFlags::empty(),
    );
    assert_eq!(sent, Ok(bytes.len()));
}

/// Reads until the other side has closed: ids, bodies, descriptors of each.
fn receive(
    socket: &UnixStream,
    size: usize,
    fds: u32,
) -> Result<Vec<(u16, Vec<u8>, usize)>, StreamError> {
    let mut buffers = Buffers::new(size);
    let mut inbox = Inbox::default();
    let mut received = Vec::new();
    loop {
        match inbox.fill(socket.as_fd(), &mut buffers, fds)? {
            Read::Closed => return Ok(received),
            Read::Nothing => std::thread::yield_now(),
            Read::Some | Read::More => {}
        }
        while let Some(message) = inbox.next(LIMIT)? {
            received.push((message.header.id, message.body.to_vec(), message.fds.len()));
        }
        inbox.rest(&mut buffers);
    }
}

#[test]
fn descriptors_of_many_messages_read_at_once_stay_with_theirs() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let fds = [0, 0, 1, 0, 3, 2, 0, 0, 16, 0];
    for (id, count) in fds.into_iter().enumerate() {
        send(&theirs, &message(id as u16, &[id as u8; 24]), count);
    }
    drop(theirs);
    let received = receive(&ours, 64 << 10, 16).unwrap();
    let counts: Vec<_> = received.iter().map(|message| message.2).collect();
    assert_eq!(counts, fds);
}

#[test]
fn descriptors_that_came_with_any_byte_of_a_message_are_its_own() {
    let whole = message(7, &[1, 2, 3, 4]);
    for split in 1..whole.len() {
        for with_first in [true, false] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            send(&theirs, &message(6, &[]), 0);
            send(&theirs, &whole[..split], usize::from(with_first));
            send(&theirs, &whole[split..], usize::from(!with_first));
            send(&theirs, &message(8, &[]), 0);
            drop(theirs);
            let received = receive(&ours, 64 << 10, 16).unwrap();
            let counts: Vec<_> = received.iter().map(|m| (m.0, m.2)).collect();
            assert_eq!(counts, [(6, 0), (7, 1), (8, 0)]);
        }
    }
}

#[test]
fn as_many_descriptors_as_the_kernel_passes_are_all_received() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    send(&theirs, &message(1, &[]), KERNEL_FDS);
    drop(theirs);
    let received = receive(&ours, 4096, 253).unwrap();
    assert_eq!(received, [(1, Vec::new(), KERNEL_FDS)]);
}

#[test]
fn more_descriptors_than_agreed_are_an_error_even_if_sent_byte_by_byte() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let whole = message(1, &[]);
    for byte in &whole {
        send(&theirs, std::slice::from_ref(byte), 2);
    }
    assert_eq!(receive(&ours, 4096, 16), Err(StreamError::Descriptors(16)));
}

#[test]
fn sizes_that_cannot_be_are_errors_as_soon_as_the_header_is_there() {
    for (size, error) in [
        (0, StreamError::Short(0)),
        (15, StreamError::Short(15)),
        (
            LIMIT as u32 + 1,
            StreamError::Long {
                size: LIMIT as u32 + 1,
                limit: LIMIT,
            },
        ),
        (
            u32::MAX,
            StreamError::Long {
                size: u32::MAX,
                limit: LIMIT,
            },
        ),
    ] {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let header = Header {
            size,
            ..Header::default()
        };
        theirs.write_all(header.as_bytes()).unwrap();
        assert_eq!(receive(&ours, 4096, 16), Err(error));
    }
}

#[test]
fn an_idle_inbox_holds_no_buffer() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut buffers = Buffers::new(4096);
    let mut inbox = Inbox::default();
    for _ in 0..3 {
        send(&theirs, &message(1, &[0; 100_000][..50_000]), 0);
        loop {
            let _ = inbox.fill(ours.as_fd(), &mut buffers, 16).unwrap();
            if inbox.next(LIMIT).unwrap().is_some() {
                break;
            }
        }
        inbox.rest(&mut buffers);
        assert!(inbox.bytes.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_cutting_of_a_stream_gives_the_same_messages(
        bodies in prop::collection::vec((0usize..9000, 0usize..4), 1..20),
        cuts in prop::collection::vec(1usize..5000, 1..50),
        size in prop::sample::select(vec![64usize, 1000, 65536]),
    ) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let expected: Vec<_> = bodies
            .iter()
            .enumerate()
            .map(|(id, (length, fds))| (id as u16, vec![id as u8; *length], *fds))
            .collect();
        let sent = expected.clone();
        let sender = std::thread::spawn(move || {
            let mut cuts = cuts.into_iter().cycle();
            for (id, body, fds) in sent {
                let whole = message(id, &body);
                let first = cuts.next().unwrap().min(whole.len());
                send(&theirs, &whole[..first], fds);
                let mut rest = &whole[first..];
                while !rest.is_empty() {
                    let next = cuts.next().unwrap().min(rest.len());
                    send(&theirs, &rest[..next], 0);
                    rest = &rest[next..];
                }
            }
        });
        let received = receive(&ours, size, 16).unwrap();
        sender.join().unwrap();
        prop_assert_eq!(received, expected);
    }
}
