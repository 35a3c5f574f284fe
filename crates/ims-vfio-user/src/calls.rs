// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The server's own commands: reading and writing memory that only the client has.

mod outstanding;

use std::cell::Cell;
use std::mem;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ims_vfio::dma::{ReadThen, Remote, WriteThen};
use rustix::io::Errno;
use zerocopy::{FromBytes, IntoBytes};

use crate::gather::Gather;
use crate::layout::{DmaAccess, HEADER, Header, command, flag};
use crate::limits::Limits;
use crate::outbox::{Outbox, Sent};
use crate::version::Agreed;
use crate::wake::{Event, Events};
use outstanding::{Call, Outstanding, Then};

thread_local! {
    /// Whether this thread is one that receives answers.
    static RECEIVES: Cell<bool> = const { Cell::new(false) };
}

/// Says that this thread receives answers, so that nobody waits for one on it.
pub(crate) fn this_thread_receives() {
    RECEIVES.set(true);
}

/// Commands on their way to one client.
///
/// # Concurrency
/// Any thread calls; the loop's thread brings answers.
pub(crate) struct Calls {
    outbox: Arc<Outbox>,
    /// The client executes its two sockets independently.
    twin: bool,
    data_size: usize,
    limits: Limits,
    connection: u64,
    events: Arc<Events>,
    calls: Mutex<Outstanding>,
}

/// An answer nobody waits for: the client does not keep to the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unasked;

impl Calls {
    pub(crate) fn new(
        outbox: Arc<Outbox>,
        agreed: &Agreed,
        limits: Limits,
        connection: u64,
        events: Arc<Events>,
    ) -> Self {
        Self {
            outbox,
            twin: agreed.twin_socket,
            data_size: usize::try_from(agreed.data_xfer_size).unwrap_or(usize::MAX),
            limits,
            connection,
            events,
            calls: Mutex::default(),
        }
    }

    fn calls(&self) -> MutexGuard<'_, Outstanding> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends one command that fits into one message.
    fn call(&self, command: u16, access: DmaAccess, data: &[u8], then: Then) {
        let begun = Instant::now();
        let end = access.address.saturating_add(access.count);
        let mut calls = self.calls();
        let id = match calls.free_id(self.limits.outstanding) {
            Ok(id) => id,
            Err(errno) => {
                drop(calls);
                return then.fail(errno);
            }
        };
        calls.sent.push_back((begun, id));
        calls.by_id.insert(
            id,
            Call {
                begun,
                range: access.address..end,
                then,
            },
        );
        // Not before it is known here: the answer may come at once.
        drop(calls);
        self.events.asked();
        if let Err(errno) = self.send(id, command, 0, access, data) {
            let failed = self.calls().by_id.remove(&id);
            if let Some(call) = failed {
                self.events.unanswered().answered();
                call.then.fail(errno);
            }
        }
    }

    fn send(
        &self,
        id: u16,
        command: u16,
        flags: u32,
        access: DmaAccess,
        data: &[u8],
    ) -> Result<(), Errno> {
        let size = HEADER + size_of::<DmaAccess>() + data.len();
        let header = Header {
            id,
            command,
            size: u32::try_from(size).map_err(|_| Errno::TOOBIG)?,
            flags,
            error: 0,
        };
        let mut bytes = Vec::with_capacity(size);
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(access.as_bytes());
        bytes.extend_from_slice(data);
        let sent = self.outbox.send(&bytes, &[])?;
        if sent == Sent::Kept {
            self.events.push(Event::Backlog(self.connection));
        }
        Ok(())
    }

    /// Takes an answer.
    ///
    /// # Errors
    /// [`Unasked`] if there was no such command, or the answer is not one to it.
    pub(crate) fn answer(&self, header: &Header, body: &[u8]) -> Result<(), Unasked> {
        let mut calls = self.calls();
        let call = calls.by_id.remove(&header.id).ok_or(Unasked)?;
        calls.forget_answered();
        drop(calls);
        self.events.unanswered().answered();
        let error = header.flags & flag::ERROR != 0;
        let errno = || errno(header.error);
        let length = call.range.end.saturating_sub(call.range.start);
        match call.then {
            Then::Read(then) if header.command == command::DMA_READ => {
                if error {
                    then(Err(errno()));
                    return Ok(());
                }
                match DmaAccess::read_from_prefix(body) {
                    Ok((_, data)) if u64::try_from(data.len()) == Ok(length) => then(Ok(data)),
                    _ => {
                        then(Err(Errno::PROTO));
                        return Err(Unasked);
                    }
                }
            }
            Then::Write(then) if header.command == command::DMA_WRITE => {
                then(if error { Err(errno()) } else { Ok(()) });
            }
            Then::Abandoned(command) if header.command == command => {}
            then => {
                then.fail(Errno::PROTO);
                return Err(Unasked);
            }
        }
        Ok(())
    }

    /// Fails what the client has not answered in time.
    pub(crate) fn expire(&self, now: Instant) {
        let mut late = Vec::new();
        {
            let mut calls = self.calls();
            while let Some((begun, id)) = calls.sent.front().copied() {
                if now.saturating_duration_since(begun) < self.limits.answer {
                    break;
                }
                calls.sent.pop_front();
                if let Some(call) = calls.by_id.get_mut(&id).filter(|call| call.begun == begun) {
                    late.push(call.then.abandon());
                }
            }
        }
        for then in late {
            then.fail(Errno::TIMEDOUT);
        }
    }

    /// The outbox commands go to.
    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// The client is gone: fails everything, now and later.
    pub(crate) fn close(&self) {
        let all = {
            let mut calls = self.calls();
            calls.gone = true;
            calls.sent.clear();
            mem::take(&mut calls.by_id)
        };
        for call in all.into_values() {
            self.events.unanswered().answered();
            call.then.fail(Errno::NOTCONN);
        }
    }
}

impl Remote for Calls {
    fn read(&self, address: u64, length: usize, then: ReadThen) {
        if length <= self.data_size {
            let access = access(address, length);
            return self.call(command::DMA_READ, access, &[], Then::Read(then));
        }
        let gather = Gather::reads(length, self.data_size, then);
        for (offset, length, then) in gather {
            let Some(address) = address.checked_add(offset) else {
                then(Err(Errno::OVERFLOW));
                continue;
            };
            let access = access(address, length);
            self.call(command::DMA_READ, access, &[], Then::Read(then));
        }
    }

    fn write(&self, address: u64, data: &[u8], then: WriteThen) {
        if data.len() <= self.data_size {
            let access = access(address, data.len());
            return self.call(command::DMA_WRITE, access, data, Then::Write(then));
        }
        let pieces = data.chunks(self.data_size);
        let thens = Gather::writes(pieces.len(), then);
        let mut at = Some(address);
        for (piece, then) in pieces.zip(thens) {
            let Some(address) = at else {
                then(Err(Errno::OVERFLOW));
                continue;
            };
            let access = access(address, piece.len());
            self.call(command::DMA_WRITE, access, piece, Then::Write(then));
            at = address.checked_add(access.count);
        }
    }

    fn post(&self, address: u64, data: &[u8]) -> Result<(), Errno> {
        let mut at = address;
        for piece in data.chunks(self.data_size.max(1)) {
            let access = access(at, piece.len());
            let id = self.calls().take_id()?;
            self.send(id, command::DMA_WRITE, flag::NO_REPLY, access, piece)?;
            at = at.checked_add(access.count).ok_or(Errno::OVERFLOW)?;
        }
        Ok(())
    }

    /// A write that is on its way is let go only if the client cannot take it after
    /// the answer that is about to be given, which by one socket it cannot.
    fn abandon(&self, range: Option<Range<u64>>) {
        let meets = |call: &Call| match &range {
            None => true,
            Some(range) => call.range.start < range.end && range.start < call.range.end,
        };
        let mut abandoned = Vec::new();
        for call in self.calls().by_id.values_mut() {
            let kept = self.twin && matches!(call.then, Then::Write(_));
            if !kept && meets(call) {
                abandoned.push(call.then.abandon());
            }
        }
        for then in abandoned {
            then.fail(Errno::CANCELED);
        }
    }

    fn may_wait(&self) -> bool {
        !RECEIVES.get()
    }
}

fn access(address: u64, length: usize) -> DmaAccess {
    DmaAccess {
        address,
        count: u64::try_from(length).unwrap_or(u64::MAX),
    }
}

/// What a client calls an errno, kept within what one can be.
fn errno(raw: u32) -> Errno {
    match i32::try_from(raw) {
        Ok(raw @ 1..=4095) => Errno::from_raw_os_error(raw),
        _ => Errno::IO,
    }
}

#[cfg(test)]
mod tests;
