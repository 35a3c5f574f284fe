// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The buffers of a chain, as two runs of bytes: what the driver wrote, and where it
//! wants the answer. Where one descriptor ends and the next begins means nothing.
//! Source: virtio 1.3, 2.6.4 (message framing).

use virtio_queue::DescriptorChain;
use vm_memory::{Bytes, GuestAddress, GuestMemory};

/// Some of the bytes are not in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreachable;

/// A run of bytes, in pieces.
#[derive(Debug, Default)]
pub(crate) struct Spans {
    pieces: Vec<(GuestAddress, u32)>,
    bytes: u64,
}

/// A chain. Kept and refilled: its room is a queue's longest chain.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    pub(crate) readable: Spans,
    pub(crate) writable: Spans,
    whole: bool,
}

impl Spans {
    fn clear(&mut self) {
        self.pieces.clear();
        self.bytes = 0;
    }

    fn push(&mut self, address: GuestAddress, length: u32) {
        self.pieces.push((address, length));
        self.bytes = self.bytes.saturating_add(length.into());
    }

    /// How many bytes there are: below 2^32 in a whole chain.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The pieces of the bytes from `from` on, `length` of them, none longer than
    /// `longest`.
    pub(crate) fn cut(
        &self,
        from: u64,
        length: u64,
        longest: u32,
    ) -> impl Iterator<Item = (GuestAddress, u32)> {
        let end = from.saturating_add(length);
        let mut at = 0_u64;
        let longest = longest.max(1);
        self.pieces.iter().flat_map(move |(address, size)| {
            let (first, last) = (at, at.saturating_add(u64::from(*size)));
            at = last;
            let mut here = from.max(first);
            let stop = end.min(last);
            let base = *address;
            std::iter::from_fn(move || {
                let left = stop.checked_sub(here).filter(|left| *left > 0)?;
                let run = u32::try_from(left).unwrap_or(u32::MAX).min(longest);
                // An address that wraps is in nobody's memory; nor is the last one.
                let place = base.0.checked_add(here.saturating_sub(first));
                here = here.saturating_add(run.into());
                Some((GuestAddress(place.unwrap_or(u64::MAX)), run))
            })
        })
    }

    /// Reads `into.len()` bytes from `from` on, which must be there.
    pub(crate) fn read<G: GuestMemory>(
        &self,
        memory: &G,
        from: u64,
        mut into: &mut [u8],
    ) -> Result<(), Unreachable> {
        for (address, length) in self.cut(from, into.len() as u64, u32::MAX) {
            let (now, rest) = into
                .split_at_mut_checked(length as usize)
                .ok_or(Unreachable)?;
            memory.read_slice(now, address).map_err(|_| Unreachable)?;
            into = rest;
        }
        if into.is_empty() {
            Ok(())
        } else {
            Err(Unreachable)
        }
    }

    /// Writes `data` from `from` on, which must be there.
    pub(crate) fn write<G: GuestMemory>(
        &self,
        memory: &G,
        from: u64,
        mut data: &[u8],
    ) -> Result<(), Unreachable> {
        for (address, length) in self.cut(from, data.len() as u64, u32::MAX) {
            let (now, rest) = data.split_at_checked(length as usize).ok_or(Unreachable)?;
            memory.write_slice(now, address).map_err(|_| Unreachable)?;
            data = rest;
        }
        if data.is_empty() {
            Ok(())
        } else {
            Err(Unreachable)
        }
    }
}

impl Chain {
    /// Takes the buffers of `chain`, at most `longest` descriptors.
    pub(crate) fn fill<G: GuestMemory>(&mut self, chain: DescriptorChain<&G>, longest: u16) {
        self.readable.clear();
        self.writable.clear();
        // The walk ends without a word at whatever it cannot follow: a loop, a
        // descriptor outside the table or memory, a length beyond 2^32. Then the
        // last one that it gave has a next.
        let mut ended = false;
        let mut ordered = true;
        for descriptor in chain.take(longest.into()) {
            ended = !descriptor.has_next();
            if descriptor.is_write_only() {
                self.writable.push(descriptor.addr(), descriptor.len());
            } else {
                ordered &= self.writable.pieces.is_empty();
                self.readable.push(descriptor.addr(), descriptor.len());
            }
        }
        self.whole = ended && ordered;
    }

    /// Whether it ends, and what is readable comes first. Otherwise nothing in it is
    /// where it should be. Source: virtio 1.3, 2.7.4.2.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }
}
