// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The area as the driver has laid it out: its header, read once and checked.

use core::ops::Range;

use ims::sync::Ordering;
use vm_memory::{Bytes, GuestAddress, GuestMemory, Permissions};

use crate::layout::vis::{ALIGN, Error, MAP_BYTES, NO_VECTOR, SHIFTS, header, message};

/// Why a command was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// The vector or queue that it is about, or zero.
    pub(crate) index: u32,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, index: 0 }
    }
}

/// The most that a device has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) vectors: u32,
    pub(crate) queues: u16,
}

/// What the driver wrote into the header; plain numbers, as they are saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Header {
    /// How many vectors.
    pub vectors: u32,
    /// How many queues the map has.
    pub queues: u32,
    /// Gates are `1 << shift` bytes apart.
    pub gate_shift: u32,
    /// Where messages begin in the area.
    pub messages: u32,
    /// Where the map begins.
    pub map: u32,
    /// Where gates begin.
    pub gates: u32,
    /// Bytes of all.
    pub length: u32,
}

/// An area that fits its device. Addresses of its parts do not overflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) address: u64,
    pub(crate) header: Header,
}

/// Reads one field, whole.
pub(crate) fn field<S: GuestMemory>(session: &S, at: u64) -> Result<u32, Error> {
    session
        // weaken: memory is not modelled
        .load::<u32>(GuestAddress(at), Ordering::Acquire)
        .map(u32::from_le)
        .map_err(|_| Error::Area)
}

/// Writes one.
pub(crate) fn set_field<S: GuestMemory>(session: &S, at: u64, value: u32) -> Result<(), Error> {
    session
        // weaken: memory is not modelled
        .store(value.to_le(), GuestAddress(at), Ordering::Release)
        .map_err(|_| Error::Area)
}

/// Whether a device may read and write all of it.
pub(crate) fn reachable<S: GuestMemory>(session: &S, at: u64, length: u64) -> bool {
    let Ok(bytes) = usize::try_from(length) else {
        return false;
    };
    at.checked_add(length).is_some()
        && session.check_range(GuestAddress(at), bytes, Permissions::ReadWrite)
}

/// Whether a header may begin there.
pub(crate) fn aligned(address: u64) -> bool {
    address.is_multiple_of(ALIGN)
}

impl Area {
    /// Reads the header at `address` and checks it, and that its area is in memory.
    pub(crate) fn read<S: GuestMemory>(
        session: &S,
        address: u64,
        limits: Limits,
    ) -> Result<Self, Failure> {
        if !aligned(address) {
            return Err(Error::Alignment.into());
        }
        if !reachable(session, address, header::BYTES) {
            return Err(Error::Area.into());
        }
        // No sum overflows: the header's bytes are in memory.
        let read = |offset: u64| field(session, address.saturating_add(offset));
        let header = Header {
            vectors: read(header::VECTORS)?,
            queues: read(header::QUEUES)?,
            gate_shift: read(header::GATE_SHIFT)?,
            messages: read(header::MESSAGES)?,
            map: read(header::MAP)?,
            gates: read(header::GATES)?,
            length: read(header::LENGTH)?,
        };
        let area = Self::check(address, header, limits)?;
        if !reachable(session, address, header.length.into()) {
            return Err(Error::Area.into());
        }
        Ok(area)
    }

    /// Checks what a header says, wherever it comes from.
    pub(crate) fn check(address: u64, header: Header, limits: Limits) -> Result<Self, Failure> {
        let Header {
            vectors, queues, ..
        } = header;
        if vectors == 0 || vectors > limits.vectors {
            return Err(Error::Vectors.into());
        }
        if queues > limits.queues.into() {
            return Err(Error::Queues.into());
        }
        if !SHIFTS.contains(&header.gate_shift)
            || !aligned(address)
            || !u64::from(header.messages).is_multiple_of(message::BYTES)
            || !u64::from(header.map).is_multiple_of(MAP_BYTES)
            || !u64::from(header.gates).is_multiple_of(1 << header.gate_shift)
        {
            return Err(Error::Alignment.into());
        }
        let part = |at: u32, count: u32, each: u64| -> Range<u64> {
            let at = u64::from(at);
            // 2^32 entries of 64 bytes, 2^32 bytes from the beginning: no overflow.
            at..at.saturating_add(u64::from(count).saturating_mul(each))
        };
        let parts = [
            0..header::BYTES,
            part(header.messages, vectors, message::BYTES),
            part(header.map, queues, MAP_BYTES),
            part(header.gates, vectors, 1 << header.gate_shift),
        ];
        let outside = |part: &Range<u64>| part.end > header.length.into();
        let mut rest = parts.iter();
        while let Some(part) = rest.next() {
            let meets = |other: &Range<u64>| part.start.max(other.start) < part.end.min(other.end);
            if outside(part) || rest.clone().any(meets) {
                return Err(Error::Bounds.into());
            }
        }
        if address.checked_add(header.length.into()).is_none() {
            return Err(Error::Area.into());
        }
        Ok(Self { address, header })
    }

    /// Where a field of the header is.
    pub(crate) fn at(&self, offset: u64) -> u64 {
        // Within the area, whose end does not overflow.
        self.address.saturating_add(offset)
    }

    /// Where a vector's message is; the vector is one of the area's.
    pub(crate) fn message(&self, vector: u32) -> u64 {
        let offset = u64::from(vector).saturating_mul(message::BYTES);
        self.at(offset.saturating_add(self.header.messages.into()))
    }

    /// Where a queue's entry of the map is; the queue is one of the area's.
    pub(crate) fn map(&self, queue: u32) -> u64 {
        let offset = u64::from(queue).saturating_mul(MAP_BYTES);
        self.at(offset.saturating_add(self.header.map.into()))
    }

    /// Where gates begin.
    pub(crate) fn gates(&self) -> u64 {
        self.at(self.header.gates.into())
    }

    /// Whether an event may have this vector.
    pub(crate) fn has(&self, vector: u32) -> bool {
        vector < self.header.vectors || vector == NO_VECTOR
    }
}
