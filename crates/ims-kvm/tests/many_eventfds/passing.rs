// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the two processes hand each other: guest memory, eventfds, and at the end
//! how often each was written.

use std::fs::File;
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use ims_kvm::machine::Machine;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use vm_memory::mmap::MmapRegion;
use vm_memory::{FileOffset, VolatileMemory, VolatileSlice};
use vmm_sys_util::eventfd::EventFd;

/// Linux takes so many descriptors with a message.
const AT_ONCE: usize = 253;

/// The words of pending bits, as the writer has them mapped.
pub struct Words(MmapRegion<()>);

impl Words {
    pub fn slice(&self) -> VolatileSlice<'_> {
        self.0.as_volatile_slice()
    }
}

fn send(socket: &UnixStream, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); 4096];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)));
    let sent = sendmsg(
        socket,
        &[IoSlice::new(bytes)],
        &mut control,
        SendFlags::empty(),
    )
    .unwrap();
    assert_eq!(sent, bytes.len());
}

fn receive(socket: &UnixStream, bytes: &mut [u8], descriptors: &mut Vec<OwnedFd>) {
    let mut space = [MaybeUninit::uninit(); 4096];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let slices = &mut [IoSliceMut::new(bytes)];
    let received = recvmsg(socket, slices, &mut control, RecvFlags::WAITALL).unwrap();
    assert_eq!(received.bytes, bytes.len());
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            descriptors.extend(fds);
        }
    }
}

/// Sends guest memory's file, and where the words of pending bits are in it.
pub fn memory(socket: &UnixStream, machine: &Machine) {
    let offset = machine.words_memory();
    send(
        socket,
        &offset.to_le_bytes(),
        &[machine.memory_file().as_fd()],
    );
}

pub fn take_memory(socket: &UnixStream) -> Words {
    let (mut offset, mut files) = ([0; 8], Vec::new());
    receive(socket, &mut offset, &mut files);
    let file = File::from(files.pop().unwrap());
    let offset = FileOffset::new(file, u64::from_le_bytes(offset));
    Words(MmapRegion::from_file(offset, super::SOURCES as usize * 8).unwrap())
}

pub fn eventfds(socket: &UnixStream, eventfds: &[Arc<EventFd>]) {
    for some in eventfds.chunks(AT_ONCE) {
        let descriptors: Vec<_> = some
            .iter()
            // SAFETY: the eventfds stay open while they are borrowed: `some` is.
            .map(|eventfd| unsafe { BorrowedFd::borrow_raw(eventfd.as_raw_fd()) })
            .collect();
        send(socket, &[0], &descriptors);
    }
}

pub fn take_eventfds(socket: &UnixStream, count: u32) -> Vec<EventFd> {
    let mut descriptors = Vec::new();
    while descriptors.len() < count as usize {
        receive(socket, &mut [0], &mut descriptors);
    }
    let eventfd = |fd: OwnedFd| {
        // SAFETY: a descriptor that nobody else owns.
        unsafe { EventFd::from_raw_fd(fd.into_raw_fd()) }
    };
    descriptors.into_iter().map(eventfd).collect()
}

/// Whether the other end has asked the writer to stop.
pub fn told_to_stop(socket: &mut UnixStream) -> bool {
    socket.set_nonblocking(true).unwrap();
    let told = socket.read(&mut [0]);
    socket.set_nonblocking(false).unwrap();
    match told {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::WouldBlock => false,
        Err(error) => panic!("{error}"),
    }
}

/// Asks the writer to stop, and takes what it counted.
pub fn stop_and_take_counts(mut socket: &UnixStream, count: u32) -> Vec<u64> {
    socket.write_all(&[0]).unwrap();
    let mut bytes = vec![0; count as usize * 8];
    socket.read_exact(&mut bytes).unwrap();
    let counts = bytes.chunks_exact(8);
    counts
        .map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
        .collect()
}
