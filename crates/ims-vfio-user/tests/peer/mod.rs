// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A client that says exactly what a test wants it to say, sound or not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test"
)]
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test uses its own part of it"
)]

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ims_vfio_user::layout::{
    DmaAccess, DmaMap, DmaUnmap, HEADER, Header, RegionAccess, SetIrqs, Version, command, flag,
};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use zerocopy::{FromBytes, IntoBytes};

/// Longer than anything here takes, shorter than a test harness's patience.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What QEMU offers.
pub const OFFER: &[u8] = b"{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":1048576,\
    \"write_multiple\":true}}\0";

/// A message as it came.
#[derive(Debug)]
pub struct Message {
    pub header: Header,
    pub body: Vec<u8>,
    pub fds: Vec<OwnedFd>,
}

/// One end of a connection.
pub struct Peer {
    pub socket: UnixStream,
    next: u16,
}

/// A path for a socket, removed with this.
pub struct Place(pub PathBuf);

impl Place {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ims-{name}-{}.sock", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Peer {
    /// Connects; says nothing yet.
    pub fn connect(path: &Path) -> Self {
        Self::on(UnixStream::connect(path).unwrap())
    }

    /// On a socket that is connected.
    pub fn on(socket: UnixStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { socket, next: 1 }
    }

    /// Connects and agrees on version 0.0.
    pub fn agreed(path: &Path) -> Self {
        let mut peer = Self::connect(path);
        peer.agree(0, OFFER);
        peer
    }

    /// Agrees on a version; returns the answer.
    pub fn agree(&mut self, minor: u16, text: &[u8]) -> Message {
        let version = Version { major: 0, minor };
        let body = [version.as_bytes(), text].concat();
        self.command(command::VERSION, 0, &body, &[]);
        let answer = self.receive().expect("an answer to the version");
        assert_eq!(answer.header.flags, flag::REPLY);
        answer
    }

    /// Sends a command; returns its id.
    pub fn command(&mut self, command: u16, flags: u32, body: &[u8], fds: &[OwnedFd]) -> u16 {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        let header = Header {
            id,
            command,
            size: u32::try_from(HEADER + body.len()).unwrap(),
            flags,
            error: 0,
        };
        self.raw(&[header.as_bytes(), body].concat(), fds);
        id
    }

    /// Sends bytes, with descriptors beside the first.
    pub fn raw(&mut self, bytes: &[u8], fds: &[OwnedFd]) {
        self.try_raw(bytes, fds).unwrap();
    }

    /// The same, if the server still listens.
    pub fn try_raw(&mut self, bytes: &[u8], fds: &[OwnedFd]) -> rustix::io::Result<()> {
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
        }
        let mut sent = 0;
        while sent < bytes.len() {
            let rest = [IoSlice::new(&bytes[sent..])];
            sent += sendmsg(&self.socket, &rest, &mut control, SendFlags::NOSIGNAL)?;
            control.clear();
        }
        Ok(())
    }

    /// The next message; `None` if the server has closed.
    pub fn receive(&mut self) -> Option<Message> {
        let mut fds = Vec::new();
        let header = self.read(HEADER, &mut fds)?;
        let header = Header::read_from_bytes(&header).unwrap();
        let body = self.read(header.size as usize - HEADER, &mut fds)?;
        Some(Message { header, body, fds })
    }

    fn read(&mut self, length: usize, fds: &mut Vec<OwnedFd>) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        let mut read = 0;
        while read < length {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut room = [IoSliceMut::new(&mut bytes[read..])];
            let got = recvmsg(
                &self.socket,
                &mut room,
                &mut control,
                RecvFlags::CMSG_CLOEXEC,
            );
            let got = match got {
                Ok(got) => got.bytes,
                Err(rustix::io::Errno::CONNRESET) => 0,
                Err(errno) => panic!("the server says nothing: {errno}"),
            };
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(more) = message {
                    fds.extend(more);
                }
            }
            if got == 0 {
                return None;
            }
            read += got;
        }
        Some(bytes)
    }

    /// Sends a command and takes its reply: the body, or the errno.
    pub fn call(&mut self, command: u16, body: &[u8], fds: &[OwnedFd]) -> Result<Message, u32> {
        let id = self.command(command, 0, body, fds);
        let reply = self.receive().expect("a reply");
        assert_eq!((reply.header.id, reply.header.command), (id, command));
        assert_eq!(reply.header.flags & flag::TYPE, flag::REPLY);
        if reply.header.flags & flag::ERROR != 0 {
            assert_eq!(reply.header.size as usize, HEADER);
            Err(reply.header.error)
        } else {
            Ok(reply)
        }
    }

    pub fn read_region(&mut self, region: u32, offset: u64, count: u32) -> Result<Vec<u8>, u32> {
        let access = RegionAccess {
            offset,
            region,
            count,
        };
        let reply = self.call(command::REGION_READ, access.as_bytes(), &[])?;
        let (echoed, data) = RegionAccess::read_from_prefix(&reply.body).unwrap();
        assert_eq!(echoed, access);
        Ok(data.to_vec())
    }

    pub fn write_region(&mut self, region: u32, offset: u64, data: &[u8]) -> Result<(), u32> {
        let body = write_body(region, offset, data);
        let reply = self.call(command::REGION_WRITE, &body, &[])?;
        assert_eq!(reply.body, &body[..size_of::<RegionAccess>()]);
        Ok(())
    }

    pub fn post(&mut self, region: u32, offset: u64, data: &[u8]) {
        let body = write_body(region, offset, data);
        self.command(command::REGION_WRITE, flag::NO_REPLY, &body, &[]);
    }

    pub fn set_irqs(&mut self, set: SetIrqs, bytes: &[u8], fds: &[OwnedFd]) -> Result<(), u32> {
        let body = [set.as_bytes(), bytes].concat();
        self.call(command::DEVICE_SET_IRQS, &body, fds).map(drop)
    }

    pub fn map(&mut self, map: DmaMap, fd: Option<OwnedFd>) -> Result<(), u32> {
        let fds: Vec<_> = fd.into_iter().collect();
        self.call(command::DMA_MAP, map.as_bytes(), &fds).map(drop)
    }

    pub fn unmap(&mut self, address: u64, size: u64) -> Result<(), u32> {
        self.call(command::DMA_UNMAP, unmap(address, size).as_bytes(), &[])
            .map(drop)
    }

    /// Answers one of the server's commands.
    pub fn reply(&mut self, to: &Message, body: &[u8]) {
        let header = to.header.reply(body.len());
        self.raw(&[header.as_bytes(), body].concat(), &[]);
    }

    /// Whether the server has closed the connection, after whatever it still says.
    pub fn is_closed(&mut self) -> bool {
        while self.receive().is_some() {}
        true
    }
}

impl Message {
    /// Where the server's command wants to read or write, and what.
    pub fn access(&self) -> (DmaAccess, &[u8]) {
        DmaAccess::read_from_prefix(&self.body).unwrap()
    }
}

pub fn write_body(region: u32, offset: u64, data: &[u8]) -> Vec<u8> {
    let access = RegionAccess {
        offset,
        region,
        count: u32::try_from(data.len()).unwrap(),
    };
    [access.as_bytes(), data].concat()
}

pub fn map(address: u64, size: u64, offset: u64) -> DmaMap {
    DmaMap {
        argsz: 32,
        flags: 3,
        offset,
        address,
        size,
    }
}

pub fn unmap(address: u64, size: u64) -> DmaUnmap {
    DmaUnmap {
        argsz: 24,
        flags: 0,
        address,
        size,
    }
}

pub fn set(flags: u32, index: u32, start: u32, count: u32) -> SetIrqs {
    SetIrqs {
        argsz: 20,
        flags,
        index,
        start,
        count,
    }
}

/// A file of `size` bytes that exists in memory only.
pub fn memory(size: u64) -> OwnedFd {
    let fd = memfd_create("ims", MemfdFlags::CLOEXEC).unwrap();
    ftruncate(&fd, size).unwrap();
    fd
}
