// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The protocol's client: one connection, one command at a time, and posted writes.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use ims_vfio_user::layout::{
    DmaMap, DmaUnmap, HEADER, Header, RegionAccess, SetIrqs, Version, command, dma_map, flag,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recv, send, sendmsg,
};
use zerocopy::{FromBytes, IntoBytes};

use crate::error::DriverError;
use crate::messages::Delivered;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is offered to the server.
const OFFER: &[u8] = b"{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":1048576}}\0";

/// The most descriptors in a message.
const DESCRIPTORS: usize = 16;

/// A body of 1 MiB and what stands before it.
const LONGEST: usize = (1 << 20) + 64;

/// A connection to a device.
#[derive(Debug)]
pub struct Link {
    socket: UnixStream,
    next: u16,
    /// What was received and not used yet.
    inbox: Vec<u8>,
    /// Interrupt messages that have arrived and were not looked at.
    messages: VecDeque<Delivered>,
}

impl Link {
    /// Connects to the device at `path` and agrees on a version.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn connect(path: &Path) -> Result<Self, DriverError> {
        let socket = UnixStream::connect(path).map_err(|source| DriverError::Connect {
            path: path.to_owned(),
            source,
        })?;
        Self::on(socket)
    }

    /// The same on a socket that is connected.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn on(socket: UnixStream) -> Result<Self, DriverError> {
        socket.set_write_timeout(Some(PATIENCE))?;
        let mut link = Self {
            socket,
            next: 0,
            inbox: Vec::new(),
            messages: VecDeque::new(),
        };
        let version = Version { major: 0, minor: 0 };
        link.call(
            "the version",
            command::VERSION,
            &[version.as_bytes(), OFFER],
            &[],
        )?;
        Ok(link)
    }

    /// Reads `data.len()` bytes at `offset` of `region`.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> Result<(), DriverError> {
        let access = access(region, offset, data.len())?;
        let body = self.call("a read", command::REGION_READ, &[access.as_bytes()], &[])?;
        let found = body
            .get(size_of::<RegionAccess>()..)
            .filter(|found| found.len() == data.len())
            .ok_or(DriverError::Protocol("a read of another length"))?;
        data.copy_from_slice(found);
        Ok(())
    }

    /// Writes `data` at `offset` of `region`, and waits until that is done.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn write(&mut self, region: u32, offset: u64, data: &[u8]) -> Result<(), DriverError> {
        let access = access(region, offset, data.len())?;
        let parts = [access.as_bytes(), data];
        self.call("a write", command::REGION_WRITE, &parts, &[])?;
        Ok(())
    }

    /// Writes `data` at `offset` of `region`, without an answer.
    ///
    /// # Errors
    /// [`DriverError::Connection`].
    pub fn post(&mut self, region: u32, offset: u64, data: &[u8]) -> Result<(), DriverError> {
        let access = access(region, offset, data.len())?;
        let parts = [access.as_bytes(), data];
        self.send(command::REGION_WRITE, flag::NO_REPLY, &parts, &[])?;
        Ok(())
    }

    /// Has interrupts `start` and following of `index` signal `triggers`; without any,
    /// `count` of 0 and no data disables the index (VFIO_DEVICE_SET_IRQS).
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn set_irqs(
        &mut self,
        header: SetIrqs,
        triggers: &[BorrowedFd<'_>],
    ) -> Result<(), DriverError> {
        let parts = [header.as_bytes()];
        self.call("the interrupts", command::DEVICE_SET_IRQS, &parts, triggers)?;
        Ok(())
    }

    /// Gives the device `size` bytes of `file`, from `offset`, at `address`.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn map(
        &mut self,
        address: u64,
        size: u64,
        file: BorrowedFd<'_>,
        offset: u64,
    ) -> Result<(), DriverError> {
        let map = DmaMap {
            argsz: length(size_of::<DmaMap>())?,
            flags: dma_map::READ | dma_map::WRITE,
            offset,
            address,
            size,
        };
        self.call("memory", command::DMA_MAP, &[map.as_bytes()], &[file])?;
        Ok(())
    }

    /// Takes it away again; the device uses it no more when this returns.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn unmap(&mut self, address: u64, size: u64) -> Result<(), DriverError> {
        let unmap = DmaUnmap {
            argsz: length(size_of::<DmaUnmap>())?,
            flags: 0,
            address,
            size,
        };
        self.call("an unmap", command::DMA_UNMAP, &[unmap.as_bytes()], &[])?;
        Ok(())
    }

    /// Resets the device.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn reset(&mut self) -> Result<(), DriverError> {
        self.call("a reset", command::DEVICE_RESET, &[], &[])?;
        Ok(())
    }

    /// The next interrupt message the device has sent, waited for at most `limit`.
    ///
    /// # Errors
    /// [`DriverError`] if the connection broke.
    pub fn message(&mut self, limit: Duration) -> Result<Option<Delivered>, DriverError> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(message) = self.messages.pop_front() {
                return Ok(Some(message));
            }
            match self.take() {
                Ok(Some((header, body))) => self.hear(header, &body)?,
                Ok(None) if self.receive(deadline)? => {}
                Ok(None) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the server has gone; what it sent before may be unread yet.
    ///
    /// # Errors
    /// [`DriverError::Connection`].
    pub fn is_hung_up(&self) -> Result<bool, DriverError> {
        let gone = PollFlags::HUP | PollFlags::RDHUP | PollFlags::ERR;
        let mut polled = [PollFd::new(&self.socket, PollFlags::RDHUP)];
        match poll(&mut polled, Some(&Timespec::default())) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(polled
            .iter()
            .any(|socket| socket.revents().intersects(gone)))
    }

    /// The socket, for who waits on several.
    pub fn socket(&self) -> &UnixStream {
        &self.socket
    }

    fn call(
        &mut self,
        what: &'static str,
        command: u16,
        parts: &[&[u8]],
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<Vec<u8>, DriverError> {
        let id = self.send(command, 0, parts, descriptors)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some((header, body)) = self.take()? {
                if header.flags & flag::TYPE != flag::REPLY {
                    self.hear(header, &body)?;
                    continue;
                }
                if (header.id, header.command) != (id, command) {
                    return Err(DriverError::Protocol("an answer nobody asked for"));
                }
                if header.flags & flag::ERROR != 0 {
                    let errno = i32::try_from(header.error).unwrap_or(0);
                    let errno = Errno::from_raw_os_error(errno);
                    return Err(DriverError::Refused { what, errno });
                }
                return Ok(body);
            }
            if !self.receive(deadline)? {
                return Err(DriverError::Late("answer"));
            }
        }
    }

    /// A command of the server's own: an interrupt message is taken, all else refused.
    fn hear(&mut self, header: Header, body: &[u8]) -> Result<(), DriverError> {
        let message = (header.command == command::DMA_WRITE)
            .then(|| delivered(body))
            .flatten();
        if let Some(message) = message {
            self.messages.push_back(message);
        }
        if header.flags & flag::NO_REPLY != 0 {
            return Ok(());
        }
        let (flags, error) = match message {
            Some(_) => (flag::REPLY, 0),
            None => (
                flag::REPLY | flag::ERROR,
                Errno::INVAL.raw_os_error().unsigned_abs(),
            ),
        };
        // Address and count come back.
        let echoed = message.and_then(|_| body.get(..16)).unwrap_or_default();
        let reply = Header {
            id: header.id,
            command: header.command,
            size: length(HEADER + echoed.len())?,
            flags,
            error,
        };
        self.send_bytes(&[reply.as_bytes(), echoed].concat(), &[])
    }

    /// The next whole message in the inbox.
    fn take(&mut self) -> Result<Option<(Header, Vec<u8>)>, DriverError> {
        let Ok((header, _)) = Header::read_from_prefix(&self.inbox) else {
            return Ok(None);
        };
        let size = usize::try_from(header.size).unwrap_or(usize::MAX);
        if !(HEADER..=LONGEST).contains(&size) {
            return Err(DriverError::Protocol("a message of impossible length"));
        }
        if self.inbox.len() < size {
            return Ok(None);
        }
        let body = self.inbox.get(HEADER..size).unwrap_or_default().to_vec();
        self.inbox.drain(..size);
        Ok(Some((header, body)))
    }

    /// Receives more; false if nothing came before `deadline`.
    fn receive(&mut self, deadline: Instant) -> Result<bool, DriverError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut readable = [PollFd::new(&self.socket, PollFlags::IN)];
        match poll(&mut readable, Some(&left)) {
            Ok(0) => return Ok(false),
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mut buffer = [0; 1 << 14];
        match recv(&self.socket, &mut buffer[..], RecvFlags::DONTWAIT) {
            Ok((_, 0)) => Err(DriverError::HungUp),
            Ok((_, read)) => {
                let bytes = buffer.get(..read).unwrap_or_default();
                self.inbox.extend_from_slice(bytes);
                Ok(true)
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(true),
            Err(errno) => Err(errno.into()),
        }
    }

    fn send(
        &mut self,
        command: u16,
        flags: u32,
        parts: &[&[u8]],
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<u16, DriverError> {
        self.next = self.next.wrapping_add(1);
        let body: usize = parts.iter().map(|part| part.len()).sum();
        let header = Header {
            id: self.next,
            command,
            size: length(HEADER + body)?,
            flags,
            error: 0,
        };
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend(parts.iter().copied().flatten());
        self.send_bytes(&bytes, descriptors)?;
        Ok(self.next)
    }

    fn send_bytes(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), DriverError> {
        let sent = if descriptors.is_empty() {
            send(&self.socket, bytes, SendFlags::NOSIGNAL)?
        } else {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
                return Err(DriverError::Protocol(
                    "more descriptors than one message takes",
                ));
            }
            let message = [IoSlice::new(bytes)];
            sendmsg(&self.socket, &message, &mut control, SendFlags::NOSIGNAL)?
        };
        // A blocking stream socket takes all, unless its time is up.
        if sent == bytes.len() {
            Ok(())
        } else {
            Err(io::Error::from(io::ErrorKind::TimedOut).into())
        }
    }
}

fn length(bytes: usize) -> Result<u32, DriverError> {
    u32::try_from(bytes).map_err(|_| DriverError::Protocol("a message too long to send"))
}

fn access(region: u32, offset: u64, bytes: usize) -> Result<RegionAccess, DriverError> {
    Ok(RegionAccess {
        offset,
        region,
        count: length(bytes)?,
    })
}

/// An interrupt message: address, count of 4 as 64 bits, data.
fn delivered(body: &[u8]) -> Option<Delivered> {
    let (address, rest) = body.split_first_chunk::<8>()?;
    let (count, data) = rest.split_first_chunk::<8>()?;
    let data: [u8; 4] = data.try_into().ok()?;
    (u64::from_ne_bytes(*count) == 4).then(|| Delivered {
        address: u64::from_ne_bytes(*address),
        data: u32::from_le_bytes(data),
    })
}
