// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Memory move (8.3.4): a copy that behaves as if it went through a buffer.

use super::{Outcome, count, length};
use crate::layout::Descriptor;
use crate::memory::{Access, AddressSpace};
use crate::transfer::{CHUNK, Fault, cut, read, window, write};

pub(super) fn execute(descriptor: &Descriptor, space: &dyn AddressSpace) -> Outcome {
    let (source, destination) = (descriptor.source.get(), descriptor.destination.get());
    let length = length(descriptor);
    // Only a copy that would overwrite what it has yet to read goes backwards.
    let backwards = destination > source && destination - source < length as u64;
    let moved = if backwards && !is_contiguous(space, source, destination, length) {
        from_the_end(space, source, destination, length).map_err(|(fault, done)| Outcome {
            result: 1,
            ..Outcome::faulted(fault, count(done))
        })
    } else {
        from_the_start(space, source, destination, length)
            .map_err(|(fault, done)| Outcome::faulted(fault, count(done)))
    };
    moved.map_or_else(|outcome| outcome, |()| Outcome::done(descriptor.size.get()))
}

/// Whether one window each holds source and destination: the copy of a window
/// takes care of overlap by itself.
fn is_contiguous(space: &dyn AddressSpace, source: u64, destination: u64, length: usize) -> bool {
    let whole = |base, access| {
        window(space, base, 0, length, access).is_ok_and(|piece| piece.len() == length)
    };
    whole(source, Access::Read) && whole(destination, Access::Write)
}

/// Copies upwards, window by window; says how far it got at a fault.
fn from_the_start(
    space: &dyn AddressSpace,
    source: u64,
    destination: u64,
    length: usize,
) -> Result<(), (Fault, usize)> {
    let mut done = 0;
    while done < length {
        let at_fault = |fault| (fault, done);
        let from = window(space, source, done, length - done, Access::Read).map_err(at_fault)?;
        let to = window(space, destination, done, from.len(), Access::Write).map_err(at_fault)?;
        let piece = to.len();
        cut(from, piece).copy_to_volatile_slice(to);
        done += piece;
    }
    Ok(())
}

/// Copies downwards, in pieces that lie in one page at either end, so that a
/// fault shows at the page it belongs to; each piece is written whole or not.
fn from_the_end(
    space: &dyn AddressSpace,
    source: u64,
    destination: u64,
    length: usize,
) -> Result<(), (Fault, usize)> {
    let mut buffer = [0; CHUNK];
    let mut left = length;
    while left > 0 {
        let at_fault = |fault| (fault, length - left);
        let piece = left.min(below(source, left)).min(below(destination, left));
        let start = left - piece;
        let bytes = buffer.get_mut(..piece).unwrap_or_default();
        let overflow = |access| at_fault(Fault { address: 0, access });
        let from = source
            .checked_add(start as u64)
            .ok_or(overflow(Access::Read))?;
        let to = destination
            .checked_add(start as u64)
            .ok_or(overflow(Access::Write))?;
        read(space, from, bytes).map_err(at_fault)?;
        write(space, to, bytes).map_err(at_fault)?;
        left = start;
    }
    Ok(())
}

/// How many bytes before `base + offset` lie in the page of the last of them.
fn below(base: u64, offset: usize) -> usize {
    let page = CHUNK as u64;
    let within = base.wrapping_add(offset as u64) % page;
    usize::try_from(if within == 0 { page } else { within }).unwrap_or(CHUNK)
}
