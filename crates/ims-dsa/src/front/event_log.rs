// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The event log (EVLCFG, EVLSTATUS): a ring in the client's memory that the
//! device writes and software reads.
//!
//! ```text
//!   report ─▶ waiting ─▶ one writer at a time ─▶ memory[tail] ─▶ tail + 1 ─▶ interrupt
//!      └ full: SWERROR
//! ```
//!
//! Memory is written without the lock. The tail moves when the entry is whole.

use std::collections::VecDeque;

use super::configuration::merge;
use super::software_error::{Entry, batch_index};
use crate::client::InterruptTable;
use crate::errors::SoftwareError;
use crate::layout::event::{
    EVENT_ENTRY_SIZE, EVENT_LOG_ENTRIES, EventDetail, EventLogBase, EventLogSize, EventLogStatus,
    EventWord,
};
use crate::layout::{Flags, Status};

/// The bytes of an entry.
pub(super) const ENTRY_BYTES: usize = 64;
const _: () = assert!(ENTRY_BYTES as u64 == EVENT_ENTRY_SIZE);

/// An entry to be written, and the same error for SWERROR should that fail.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    pub(super) bytes: [u8; ENTRY_BYTES],
    pub(super) fallback: Entry,
}

impl Event {
    /// The entry of an error of queue `queue`, by software's number.
    pub(super) fn new(error: &SoftwareError, queue: Option<u8>) -> Self {
        let handle = error.handle;
        let word = EventWord::new()
            .with_descriptor_valid(true)
            .with_queue_valid(queue.is_some())
            .with_queue(queue.unwrap_or(0))
            .with_batch(error.batch_index.is_some())
            .with_write(error.fault.is_some_and(|(_, write)| write))
            .with_detail_valid(true)
            .with_error(error.status.code())
            .with_opcode(error.opcode)
            .with_pasid(error.pasid.map_or(0, ims::store::Pasid::get));
        let detail = EventDetail::new()
            .with_batch_index(batch_index(error))
            .with_handle(handle.map_or(0, |handle| handle.number))
            .with_interrupt_requested(handle.is_some())
            .with_ims(handle.is_some_and(|handle| handle.table == InterruptTable::Ims))
            .with_record_requested(error.flags.contains(Flags::REQUEST_RECORD));
        let detail = if error.status == Status::InvalidFlags {
            let flags = u64::from(error.invalid_flags.bits()) << 32;
            u64::from(detail.batch_index()) | flags
        } else {
            detail.into_bits()
        };
        let address = error.fault.map_or(0, |(address, _)| address);
        let mut bytes = [0; ENTRY_BYTES];
        let fields = [word.into_bits(), detail, address, 0];
        let event = fields.into_iter().flat_map(u64::to_le_bytes);
        let record = error.record.to_bytes();
        for (byte, value) in bytes.iter_mut().zip(event.chain(record)) {
            *byte = value;
        }
        Self {
            bytes,
            fallback: Entry::descriptor(error, queue),
        }
    }
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    /// The caller is to write, until [`EventLog::next`] has no more.
    Write,
    /// Somebody else writes already.
    Waiting,
    /// There is no room.
    Full,
}

/// The registers, and what is on its way to memory.
#[derive(Debug, Default)]
pub(super) struct EventLog {
    base: EventLogBase,
    size: EventLogSize,
    head: u16,
    tail: u16,
    interrupt_pending: bool,
    waiting: VecDeque<Event>,
    writing: bool,
}

const BASE_MASK: u64 = EventLogBase::new()
    .with_pasid_enable(true)
    .with_privileged(true)
    .with_page(u64::MAX >> 12)
    .into_bits();
const SIZE_MASK: u64 = EventLogSize::new()
    .with_entries(0xffff)
    .with_pasid(0xf_ffff)
    .into_bits();

impl EventLog {
    /// As after power-on.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// The device begins to work: the log is empty.
    pub(super) fn start(&mut self) {
        self.head = 0;
        self.tail = 0;
        self.interrupt_pending = false;
    }

    /// What waits is dropped, and who writes finds that it writes for nobody.
    pub(super) fn abandon(&mut self) {
        self.waiting.clear();
        self.writing = false;
    }

    /// Whether its size is one.
    pub(super) fn is_configured(&self) -> bool {
        EVENT_LOG_ENTRIES.contains(&self.size.entries())
    }

    /// Whether it lies in the space of a PASID.
    pub(super) fn has_pasid(&self) -> bool {
        self.base.pasid_enable()
    }

    /// EVLCFG, its two quadwords.
    pub(super) fn config(&self, index: u64) -> u64 {
        match index {
            0 => self.base.into_bits(),
            _ => self.size.into_bits(),
        }
    }

    /// A write to word `index` of EVLCFG.
    pub(super) fn set_config(&mut self, index: u64, value: u32, mask: u32) {
        let base = set_half(self.base.into_bits(), BASE_MASK, index, value, mask);
        self.base = EventLogBase::from_bits(base);
        let index = index.wrapping_sub(2);
        let size = set_half(self.size.into_bits(), SIZE_MASK, index, value, mask);
        self.size = EventLogSize::from_bits(size);
    }

    /// EVLSTATUS.
    pub(super) fn status(&self) -> u64 {
        EventLogStatus::new()
            .with_head(self.head)
            .with_tail(self.tail)
            .with_interrupt_pending(self.interrupt_pending)
            .into_bits()
    }

    /// A write to word `index` of EVLSTATUS: the head is software's, the pending bit
    /// is cleared by a one.
    pub(super) fn set_status(&mut self, index: u64, value: u32, mask: u32) {
        let status = set_half(self.status(), u64::MAX, index, value, mask);
        let status = EventLogStatus::from_bits(status);
        if index == 0 {
            self.head = status.head();
        } else {
            let one = (u64::from(value & mask)) << 32;
            if EventLogStatus::from_bits(one).interrupt_pending() {
                self.interrupt_pending = false;
            }
        }
    }

    /// An event happened. One place is always left free: equal head and tail mean
    /// that there is nothing.
    pub(super) fn add(&mut self, event: Event) -> Added {
        let entries = usize::from(self.size.entries()).max(1);
        let head = usize::from(self.head) % entries;
        let used = (usize::from(self.tail) + entries - head) % entries;
        if used + self.waiting.len() + 1 >= entries {
            return Added::Full;
        }
        self.waiting.push_back(event);
        if std::mem::replace(&mut self.writing, true) {
            Added::Waiting
        } else {
            Added::Write
        }
    }

    /// The next entry to write, and where; `None` when the writer has done.
    pub(super) fn next(&mut self) -> Option<(u64, Event)> {
        let Some(event) = self.waiting.front() else {
            self.writing = false;
            return None;
        };
        let base = self.base.page() << 12;
        let place = u64::from(self.tail) * EVENT_ENTRY_SIZE;
        // The last pages of all: such a place is in nobody's memory.
        let address = base.saturating_add(place);
        Some((address, *event))
    }

    /// The entry that [`EventLog::next`] gave is in memory, or is not to be.
    /// `interrupt` is whether interrupts are enabled; returns whether to raise one:
    /// software has taken note of the last.
    #[must_use]
    pub(super) fn wrote(&mut self, in_memory: bool, interrupt: bool) -> bool {
        self.waiting.pop_front();
        if !in_memory {
            return false;
        }
        let next = self.tail.wrapping_add(1);
        self.tail = if next >= self.size.entries() { 0 } else { next };
        interrupt && !std::mem::replace(&mut self.interrupt_pending, true)
    }
}

/// `old` with the bits of one of its halves written, `index` 0 the lower; other
/// indexes change nothing.
fn set_half(old: u64, writable: u64, index: u64, value: u32, mask: u32) -> u64 {
    let [a, b, c, d, e, f, g, h] = old.to_le_bytes();
    let [low, high] = [[a, b, c, d], [e, f, g, h]].map(u32::from_le_bytes);
    let [i, j, k, l, m, n, o, p] = writable.to_le_bytes();
    let [low_mask, high_mask] = [[i, j, k, l], [m, n, o, p]].map(u32::from_le_bytes);
    let (low, high) = match index {
        0 => (merge(low, value, mask & low_mask), high),
        1 => (low, merge(high, value, mask & high_mask)),
        _ => (low, high),
    };
    u64::from(low) | u64::from(high) << 32
}
