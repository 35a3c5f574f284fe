// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A client that does little beside sending and receiving.

use super::super::Outcome;
use ims_vfio::layout::{irq, irq_set, region};
use ims_vfio_user::layout::{
    DmaMap, DmaUnmap, HEADER, Header, RegionAccess, SetIrqs, Version, command, dma_map, flag,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, send, sendmsg};
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use zerocopy::{FromBytes, IntoBytes};

/// What QEMU offers.
const OFFER: &[u8] = b"{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":1048576}}\0";

/// Longer than any reply takes: a server that says nothing ends the benchmark.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same for a client that polls; its read waits, and fails, after that.
const POLLED: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

/// The register that is read and written.
const REGISTER: RegionAccess = RegionAccess {
    offset: 0x10,
    region: 0,
    count: 4,
};

/// The command register of config space, and what turns memory and bus mastering
/// on (PCI Local Bus 3.0, 6.2.2).
const COMMAND: u64 = 0x04;
const MASTER: u16 = 0b110;

/// A client that has agreed on a version.
#[derive(Debug)]
pub(super) struct Client {
    socket: UnixStream,
    /// Waits by poll, as QEMU does, instead of a read that blocks. Such a read is
    /// woken, for nothing, by each message the server takes off the socket.
    pub(super) polls: bool,
    next: u16,
    reply: Vec<u8>,
    read: Message,
    write: Message,
    posted: Message,
}

/// A message that is made once and sent often, each time by another id.
#[derive(Debug)]
struct Message {
    bytes: Vec<u8>,
    command: u16,
}

impl Message {
    fn new(command: u16, flags: u32, parts: &[&[u8]]) -> Outcome<Self> {
        let body: usize = parts.iter().map(|part| part.len()).sum();
        let header = Header {
            id: 0,
            command,
            size: u32::try_from(HEADER + body)?,
            flags,
            error: 0,
        };
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend(parts.iter().copied().flatten());
        Ok(Self { bytes, command })
    }

    /// Its bytes, with `id`.
    #[inline]
    fn with(&mut self, id: u16) -> &[u8] {
        for (to, from) in self.bytes.iter_mut().zip(id.to_ne_bytes()) {
            *to = from;
        }
        &self.bytes
    }
}

impl Client {
    /// # Errors
    /// If the server does not agree.
    pub(super) fn agreed(socket: UnixStream) -> Outcome<Self> {
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let data = [REGISTER.as_bytes(), &[0x5a; 4]];
        let mut client = Self {
            socket,
            polls: false,
            next: 0,
            reply: vec![0; 1 << 10],
            read: Message::new(command::REGION_READ, 0, &[REGISTER.as_bytes()])?,
            write: Message::new(command::REGION_WRITE, 0, &data)?,
            posted: Message::new(command::REGION_WRITE, flag::NO_REPLY, &data)?,
        };
        let version = Version::default();
        client.call(command::VERSION, &[version.as_bytes(), OFFER], &[])?;
        Ok(client)
    }

    /// Reads the register.
    pub(super) fn read(&mut self) -> Outcome<()> {
        self.next = self.next.wrapping_add(1);
        send_whole(&self.socket, self.read.with(self.next))?;
        self.take_reply(self.read.command)
    }

    /// Writes the register, and waits until that is done.
    pub(super) fn write(&mut self) -> Outcome<()> {
        self.next = self.next.wrapping_add(1);
        send_whole(&self.socket, self.write.with(self.next))?;
        self.take_reply(self.write.command)
    }

    /// Writes the register.
    pub(super) fn post(&mut self) -> Outcome<()> {
        self.next = self.next.wrapping_add(1);
        send_whole(&self.socket, self.posted.with(self.next))
    }

    /// Has one MSI-X vector signal `trigger`.
    pub(super) fn set_trigger(&mut self, vector: u32, trigger: BorrowedFd<'_>) -> Outcome<()> {
        let set = SetIrqs {
            argsz: irq_set::HEADER,
            flags: irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER,
            index: irq::MSIX,
            start: vector,
            count: 1,
        };
        self.call(command::DEVICE_SET_IRQS, &[set.as_bytes()], &[trigger])
    }

    /// Maps `size` bytes of `file`, which lie there where they lie in memory.
    pub(super) fn map(&mut self, address: u64, size: u64, file: BorrowedFd<'_>) -> Outcome<()> {
        let map = DmaMap {
            argsz: u32::try_from(size_of::<DmaMap>())?,
            flags: dma_map::READ | dma_map::WRITE,
            offset: address,
            address,
            size,
        };
        self.call(command::DMA_MAP, &[map.as_bytes()], &[file])
    }

    /// Unmaps them.
    pub(super) fn unmap(&mut self, address: u64, size: u64) -> Outcome<()> {
        let unmap = DmaUnmap {
            argsz: u32::try_from(size_of::<DmaUnmap>())?,
            flags: 0,
            address,
            size,
        };
        self.call(command::DMA_UNMAP, &[unmap.as_bytes()], &[])
    }

    /// Lets the device master the bus.
    pub(super) fn let_in(&mut self) -> Outcome<()> {
        let access = RegionAccess {
            offset: COMMAND,
            region: region::CONFIG,
            count: 2,
        };
        let parts = [access.as_bytes(), &MASTER.to_le_bytes()];
        self.call(command::REGION_WRITE, &parts, &[])
    }

    /// The socket, for who goes on by other means.
    pub(super) fn into_socket(self) -> UnixStream {
        self.socket
    }

    fn call(&mut self, command: u16, parts: &[&[u8]], fds: &[BorrowedFd<'_>]) -> Outcome<()> {
        self.next = self.next.wrapping_add(1);
        let mut message = Message::new(command, 0, parts)?;
        let bytes = message.with(self.next);
        if fds.is_empty() {
            send_whole(&self.socket, bytes)?;
        } else {
            send_with(&self.socket, bytes, fds)?;
        }
        self.take_reply(command)
    }

    /// Takes the reply to the last command; it may come in pieces.
    fn take_reply(&mut self, command: u16) -> Outcome<()> {
        let mut length = 0;
        loop {
            if self.polls {
                let mut readable = [PollFd::new(&self.socket, PollFlags::IN)];
                poll(&mut readable, Some(&POLLED))?;
            }
            let room = self.reply.get_mut(length..).unwrap_or_default();
            let read = rustix::io::read(&self.socket, room)?;
            if read == 0 {
                return Err("the server hung up".into());
            }
            length += read;
            let bytes = self.reply.get(..length).unwrap_or_default();
            let Ok((header, body)) = Header::read_from_prefix(bytes) else {
                continue;
            };
            if (header.id, header.command) != (self.next, command) {
                return Err(format!("the server answers {header:?}, which nobody asked").into());
            }
            if header.flags & flag::ERROR != 0 {
                return Err(
                    format!("the server refuses command {command}: {}", header.error).into(),
                );
            }
            if HEADER + body.len() >= usize::try_from(header.size)? {
                return Ok(());
            }
        }
    }
}

fn send_whole(socket: &UnixStream, bytes: &[u8]) -> Outcome<()> {
    whole(bytes, send(socket, bytes, SendFlags::NOSIGNAL)?)
}

fn send_with(socket: &UnixStream, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Outcome<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err("more descriptors than one message takes".into());
    }
    let message = [IoSlice::new(bytes)];
    let sent = sendmsg(socket, &message, &mut control, SendFlags::NOSIGNAL)?;
    whole(bytes, sent)
}

fn whole(bytes: &[u8], sent: usize) -> Outcome<()> {
    if sent == bytes.len() {
        Ok(())
    } else {
        Err("a message was cut short".into())
    }
}
