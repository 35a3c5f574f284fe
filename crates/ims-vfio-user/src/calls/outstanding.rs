// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Commands that have not been answered, by their ids.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::ops::Range;
use std::time::Instant;

use ims_vfio::dma::{ReadThen, WriteThen};
use rustix::io::Errno;

use crate::layout::command;

/// Commands the client has not answered.
#[derive(Default)]
pub(super) struct Outstanding {
    next: u16,
    pub(super) by_id: HashMap<u16, Call>,
    /// In the order they were sent, for what the client never answers.
    pub(super) sent: VecDeque<(Instant, u16)>,
    pub(super) gone: bool,
}

/// One of them.
pub(super) struct Call {
    pub(super) begun: Instant,
    pub(super) range: Range<u64>,
    pub(super) then: Then,
}

/// Who is told.
pub(super) enum Then {
    Read(ReadThen),
    Write(WriteThen),
    /// Its caller has been told that it failed; the answer may still come.
    Abandoned(u16),
}

impl Outstanding {
    /// An id for a command that will be answered.
    pub(super) fn free_id(&mut self, limit: usize) -> Result<u16, Errno> {
        if self.by_id.len() >= limit.min(usize::from(u16::MAX)) {
            return Err(Errno::AGAIN);
        }
        self.take_id()
    }

    /// The next id that no unanswered command has.
    pub(super) fn take_id(&mut self) -> Result<u16, Errno> {
        if self.gone {
            return Err(Errno::NOTCONN);
        }
        if self.by_id.len() >= usize::from(u16::MAX) {
            return Err(Errno::AGAIN);
        }
        while self.by_id.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        Ok(id)
    }

    /// Answers come in order, mostly: what is at the front and answered goes; the
    /// rest when there is more of it than of what is not.
    pub(super) fn forget_answered(&mut self) {
        let Self { by_id, sent, .. } = self;
        let waits =
            |(begun, id): &(Instant, u16)| by_id.get(id).is_some_and(|call| call.begun == *begun);
        while sent.front().is_some_and(|call| !waits(call)) {
            sent.pop_front();
        }
        if sent.len() > 64 + 2 * by_id.len() {
            sent.retain(waits);
        }
    }
}

impl Then {
    pub(super) fn fail(self, errno: Errno) {
        match self {
            Self::Read(then) => then(Err(errno)),
            Self::Write(then) => then(Err(errno)),
            Self::Abandoned(_) => {}
        }
    }

    /// Leaves only the memory that an answer may come.
    pub(super) fn abandon(&mut self) -> Self {
        let command = match self {
            Self::Read(_) => command::DMA_READ,
            Self::Write(_) => command::DMA_WRITE,
            Self::Abandoned(command) => *command,
        };
        mem::replace(self, Self::Abandoned(command))
    }
}
