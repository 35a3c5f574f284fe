// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Replies of one turn, sent together.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;
use zerocopy::IntoBytes;

use crate::layout::Header;
use crate::outbox::Outbox;

/// Bytes from which on replies are sent before more are made.
const LARGE: usize = 64 << 10;

/// Replies that have not been sent yet: what a client asked in one go is answered
/// in one go.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    bytes: Vec<u8>,
}

impl Replies {
    /// Answers `header` with `parts`, unless it wants no reply.
    #[inline]
    pub(crate) fn put(&mut self, header: &Header, parts: &[&[u8]]) {
        if header.wants_no_reply() {
            return;
        }
        let body = parts.iter().map(|part| part.len()).sum();
        self.bytes.extend_from_slice(header.reply(body).as_bytes());
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
    }

    /// Answers `header` with an error, unless it wants no reply.
    pub(crate) fn refuse(&mut self, header: &Header, errno: Errno) {
        if !header.wants_no_reply() {
            let refusal = header.refusal(errno.raw_os_error());
            self.bytes.extend_from_slice(refusal.as_bytes());
        }
    }

    /// Answers `header` with `before` and `length` bytes that `fill` writes; if it
    /// fails, with its error.
    #[inline]
    pub(crate) fn fill(
        &mut self,
        header: &Header,
        before: &[u8],
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), Errno>,
    ) {
        let begin = self.bytes.len();
        let size = header.reply(before.len().saturating_add(length));
        self.bytes.extend_from_slice(size.as_bytes());
        self.bytes.extend_from_slice(before);
        let data = self.bytes.len();
        self.bytes.resize(data.saturating_add(length), 0);
        let filled = fill(self.bytes.get_mut(data..).unwrap_or_default());
        if filled.is_err() || header.wants_no_reply() {
            self.bytes.truncate(begin);
        }
        if let Err(errno) = filled {
            self.refuse(header, errno);
        }
    }

    /// Whether there are none.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether there is so much that it should be sent first.
    #[inline]
    pub(crate) fn is_large(&self) -> bool {
        self.bytes.len() >= LARGE
    }

    /// Sends what there is.
    ///
    /// # Errors
    /// The outbox's.
    #[inline]
    pub(crate) fn send(&mut self, outbox: &Outbox) -> Result<(), Errno> {
        self.send_beside(outbox, &[])
    }

    /// Sends what there is, then the reply to `header` with descriptors.
    ///
    /// # Errors
    /// The outbox's.
    pub(crate) fn send_with(
        &mut self,
        outbox: &Outbox,
        header: &Header,
        parts: &[&[u8]],
        fds: &[Arc<OwnedFd>],
    ) -> Result<(), Errno> {
        self.send(outbox)?;
        self.put(header, parts);
        self.send_beside(outbox, fds)
    }

    #[inline]
    fn send_beside(&mut self, outbox: &Outbox, fds: &[Arc<OwnedFd>]) -> Result<(), Errno> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        let sent = outbox.send(&self.bytes, fds);
        self.bytes.clear();
        sent.map(drop)
    }

    /// Forgets what has not been sent.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }
}
