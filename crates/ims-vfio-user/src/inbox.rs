// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Messages out of a stream that is read in large pieces.
//!
//! Linux ends a stream read after a send that carried descriptors. So what a read
//! brings belongs to the message its last byte is in, complete or not: descriptors
//! are kept by the place of that byte in the stream, and a message has those whose
//! place lies within it.

use std::collections::VecDeque;
use std::io::IoSliceMut;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};
use zerocopy::FromBytes;

use crate::layout::{HEADER, Header};

/// Descriptors the kernel passes in one send at most (`SCM_MAX_FD`).
pub(crate) const KERNEL_FDS: usize = 253;

/// What a connection keeps of its stream between reads.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// Read and not yet taken: `bytes[begin..end]`. Empty while there is nothing.
    bytes: Vec<u8>,
    begin: usize,
    end: usize,
    /// Place of `begin` in the stream.
    place: u64,
    /// Descriptors by the place of the byte they came with.
    fds: VecDeque<(u64, OwnedFd)>,
}

/// Buffers that connections use while they have something in them, and memory for
/// the descriptors of a read.
#[derive(Debug)]
pub(crate) struct Buffers {
    spare: Vec<Vec<u8>>,
    control: Vec<std::mem::MaybeUninit<u8>>,
    size: usize,
}

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// All there was.
    Some,
    /// Something, and there may be more.
    More,
    /// Nothing yet.
    Nothing,
    /// The other side has closed.
    Closed,
}

/// Why a stream can be read no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StreamError {
    #[error("a message of {0} bytes is shorter than its header")]
    Short(u32),
    #[error("a message of {size} bytes is longer than {limit}")]
    Long { size: u32, limit: usize },
    #[error("more descriptors in one message than the {0} that were agreed on")]
    Descriptors(u32),
    #[error("descriptors were lost: more than fit, or more than this process may have open")]
    Truncated,
    #[error("the socket failed: {0}")]
    Socket(Errno),
}

/// The next message of a stream: its header, its body, its descriptors.
pub(crate) struct Message<'a> {
    pub(crate) header: Header,
    pub(crate) body: &'a [u8],
    pub(crate) fds: Vec<OwnedFd>,
}

impl Buffers {
    /// Buffers of `size` bytes.
    pub(crate) fn new(size: usize) -> Self {
        let control = rustix::cmsg_space!(ScmRights(KERNEL_FDS));
        Self {
            spare: Vec::new(),
            control: vec![std::mem::MaybeUninit::uninit(); control],
            size,
        }
    }
}

impl Inbox {
    /// Reads once. Whole messages have been taken before.
    ///
    /// # Errors
    /// [`StreamError::Truncated`], [`StreamError::Socket`].
    pub(crate) fn fill(
        &mut self,
        socket: BorrowedFd<'_>,
        buffers: &mut Buffers,
        fds: u32,
    ) -> Result<Read, StreamError> {
        self.make_room(buffers);
        let mut control = RecvAncillaryBuffer::new(&mut buffers.control);
        let room = self.bytes.get_mut(self.end..).unwrap_or_default();
        let wanted = room.len();
        let received = recvmsg(
            socket,
            &mut [IoSliceMut::new(room)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT,
        );
        let received = match received {
            Ok(received) => received,
            Err(Errno::AGAIN) => return Ok(Read::Nothing),
            Err(Errno::INTR) => return Ok(Read::More),
            Err(Errno::CONNRESET | Errno::PIPE) => return Ok(Read::Closed),
            Err(errno) => return Err(StreamError::Socket(errno)),
        };
        self.end += received.bytes;
        let last = self
            .place
            .wrapping_add((self.end - self.begin) as u64)
            .wrapping_sub(1);
        // A read that is short has emptied the socket, unless descriptors ended it.
        let mut read = if received.bytes < wanted {
            Read::Some
        } else {
            Read::More
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                self.fds.extend(fds.map(|fd| (last, fd)));
                read = Read::More;
            }
        }
        if received.flags.contains(ReturnFlags::CTRUNC) {
            return Err(StreamError::Truncated);
        }
        if received.bytes == 0 {
            return Ok(Read::Closed);
        }
        // What is whole has been taken: all of them are of one message at most.
        if u32::try_from(self.fds.len()).is_ok_and(|count| count <= fds) {
            Ok(read)
        } else {
            Err(StreamError::Descriptors(fds))
        }
    }

    /// The next message, if it is whole.
    ///
    /// # Errors
    /// [`StreamError`] if what comes next cannot be a message, of at most
    /// `limit` bytes.
    pub(crate) fn next(&mut self, limit: usize) -> Result<Option<Message<'_>>, StreamError> {
        let unread = self.bytes.get(self.begin..self.end).unwrap_or_default();
        let Ok((header, rest)) = Header::read_from_prefix(unread) else {
            return Ok(None);
        };
        let size = usize::try_from(header.size).unwrap_or(usize::MAX);
        let Some(length) = size.checked_sub(HEADER) else {
            return Err(StreamError::Short(header.size));
        };
        if size > limit {
            return Err(StreamError::Long {
                size: header.size,
                limit,
            });
        }
        if rest.len() < length {
            return Ok(None);
        }
        let next = self.place.wrapping_add(u64::from(header.size));
        let taken = take_fds(&mut self.fds, next);
        self.place = next;
        let body = self.begin + HEADER;
        self.begin += size;
        Ok(Some(Message {
            header,
            body: self.bytes.get(body..self.begin).unwrap_or_default(),
            fds: taken,
        }))
    }

    /// Gives the buffer back while nothing is in it: an idle connection has none.
    pub(crate) fn rest(&mut self, buffers: &mut Buffers) {
        if self.begin == self.end {
            self.begin = 0;
            self.end = 0;
            if self.bytes.len() == buffers.size {
                buffers.spare.push(std::mem::take(&mut self.bytes));
            } else {
                self.bytes = Vec::new();
            }
        }
    }

    /// Drops what has been read.
    pub(crate) fn discard(&mut self, buffers: &mut Buffers) {
        self.begin = self.end;
        self.fds.clear();
        self.rest(buffers);
    }

    /// Makes room behind what is there: for the rest of a long message, or for a
    /// good deal of short ones.
    fn make_room(&mut self, buffers: &mut Buffers) {
        if self.bytes.is_empty() {
            self.bytes = buffers.spare.pop().unwrap_or_else(|| vec![0; buffers.size]);
        }
        let unread = self.end - self.begin;
        if self.begin > 0 && (unread <= HEADER || self.end == self.bytes.len()) {
            self.bytes.copy_within(self.begin..self.end, 0);
            self.begin = 0;
            self.end = unread;
        }
        if self.end == self.bytes.len() {
            // Its header has been checked against the limit by now.
            self.bytes.resize(self.bytes.len().saturating_mul(2), 0);
        }
    }
}

/// Takes the descriptors whose place is before `next`.
#[inline]
fn take_fds(fds: &mut VecDeque<(u64, OwnedFd)>, next: u64) -> Vec<OwnedFd> {
    let mut taken = Vec::new();
    while fds.front().is_some_and(|(place, _)| *place < next) {
        taken.extend(fds.pop_front().map(|(_, fd)| fd));
    }
    taken
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation)]
mod tests;
