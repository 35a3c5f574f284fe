// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Moving bytes between a submitter's memory and an engine.

use vm_memory::VolatileSlice;

use crate::layout::WRITE_FAULT;
use crate::memory::{Access, AddressSpace};

/// Bytes an engine holds at a time where it must look at them: a page, so that
/// two of them stay in the first-level cache.
pub(crate) const CHUNK: usize = 4096;

/// An access that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The first byte that could not be accessed.
    pub(crate) address: u64,
    /// What was tried.
    pub(crate) access: Access,
}

impl Fault {
    /// Bit 7 of the status byte.
    pub(crate) fn direction(self) -> u8 {
        match self.access {
            Access::Read => 0,
            Access::Write => WRITE_FAULT,
        }
    }
}

/// The address `offset` bytes after `base`.
///
/// Addresses do not wrap: behind the last one there is nothing.
pub(crate) fn at(base: u64, offset: usize, access: Access) -> Result<u64, Fault> {
    base.checked_add(offset as u64)
        .ok_or(Fault { address: 0, access })
}

/// The piece of memory `offset` bytes after `base`, at most `length` long.
pub(crate) fn window<'a>(
    space: &'a dyn AddressSpace,
    base: u64,
    offset: usize,
    length: usize,
    access: Access,
) -> Result<VolatileSlice<'a>, Fault> {
    let address = at(base, offset, access)?;
    let piece = space
        .window(address, length, access)
        .map_err(|unmapped| Fault {
            address: unmapped.address,
            access,
        })?;
    // A space that lends nothing would hold the engine for ever.
    if piece.is_empty() {
        Err(Fault { address, access })
    } else {
        Ok(cut(piece, length))
    }
}

/// The first `length` bytes of a piece, or all of it.
pub(crate) fn cut(piece: VolatileSlice<'_>, length: usize) -> VolatileSlice<'_> {
    if piece.len() <= length {
        return piece;
    }
    piece.split_at(length).map_or(piece, |(first, _)| first)
}

/// Fills `buffer` from memory at `base`, each byte read once.
pub(crate) fn read(space: &dyn AddressSpace, base: u64, buffer: &mut [u8]) -> Result<(), Fault> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let piece = window(space, base, done, rest.len(), Access::Read)?;
        done += piece.copy_to(rest);
    }
    Ok(())
}

/// Fills `buffer` from memory `offset` bytes after `base` up to a fault, in
/// whole units of `unit` bytes, and says how many bytes those are: at least a
/// unit, or it is the fault. Each byte is read once.
pub(crate) fn read_units(
    space: &dyn AddressSpace,
    base: u64,
    offset: usize,
    buffer: &mut [u8],
    unit: usize,
) -> Result<usize, Fault> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match window(space, base, offset + done, rest.len(), Access::Read) {
            Ok(piece) => done += piece.copy_to(rest),
            Err(fault) if done < unit => return Err(fault),
            Err(_) => break,
        }
    }
    Ok(done - done % unit)
}

/// Writes `buffer` to memory at `base`: all of it, or nothing.
pub(crate) fn write(space: &dyn AddressSpace, base: u64, buffer: &[u8]) -> Result<(), Fault> {
    let mut reachable = 0;
    while reachable < buffer.len() {
        let rest = buffer.len() - reachable;
        reachable += window(space, base, reachable, rest, Access::Write)?.len();
    }
    let mut done = 0;
    while let Some(rest) = buffer.get(done..).filter(|rest| !rest.is_empty()) {
        let piece = window(space, base, done, rest.len(), Access::Write)?;
        piece.copy_from(rest);
        done += piece.len();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{PAGE, Paged};

    #[test]
    fn whole_units_are_read_up_to_a_fault() {
        let space = Paged::new(1);
        space.put(PAGE - 25, &[7; 25]);
        let mut buffer = [0; 40];
        let mut units = |offset| read_units(&space, PAGE - 25, offset, &mut buffer, 10);
        assert_eq!(units(0), Ok(20));
        assert_eq!(units(15), Ok(10));
        let fault = Fault {
            address: PAGE,
            access: Access::Read,
        };
        assert_eq!(units(20), Err(fault));
        assert_eq!(buffer[..20], [7; 20]);
    }

    #[test]
    fn addresses_do_not_wrap() {
        assert_eq!(at(u64::MAX, 0, Access::Read), Ok(u64::MAX));
        let fault = Fault {
            address: 0,
            access: Access::Write,
        };
        assert_eq!(at(u64::MAX, 1, Access::Write), Err(fault));
    }
}
