// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What an engine may touch: the address space of one submitter.

use std::time::Duration;

use vm_memory::{Address, GuestAddress, GuestMemoryBackend, GuestMemoryRegion, VolatileSlice};

/// What an access does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reads.
    Read,
    /// Writes.
    Write,
}

/// An address that this submitter may not access that way: a page fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("address {address:#x} is not mapped for this access; map it and resubmit the rest")]
pub struct Unmapped {
    /// The first byte that cannot be accessed.
    pub address: u64,
}

/// The memory of one submitter, by the addresses it uses.
///
/// # Concurrency
/// Engines call it from their threads, many at once. A window is lent from the
/// space, and the space is kept alive by every descriptor accepted for it: to
/// take memory away, submit with a new space from then on and drain the old
/// one, and only then unmap.
///
/// # Dirty memory
/// A space that tracks writes marks the window when it hands it out for
/// [`Access::Write`].
pub trait AddressSpace: Send + Sync {
    /// The longest contiguous piece that starts at `address`, at most `length`
    /// bytes and never empty for a `length` that is not 0.
    ///
    /// # Errors
    /// [`Unmapped`] if not even the first byte may be accessed.
    fn window(
        &self,
        address: u64,
        length: usize,
        access: Access,
    ) -> Result<VolatileSlice<'_>, Unmapped>;

    /// Waits until what could not be accessed may have become accessible, at most
    /// `limit`: for descriptors that block on a fault. False if nobody will map it,
    /// or the descriptor must end for somebody else's sake.
    ///
    /// It may come back early, and is called again.
    fn wait(&self, _fault: Unmapped, _limit: Duration) -> bool {
        false
    }

    /// Whether all that is done for this space is void, as after a reset: its
    /// descriptors are given up, and nothing of them is told, logged or raised.
    fn is_ended(&self) -> bool {
        false
    }
}

/// Guest memory as one address space, all of it readable and writable.
impl<M> AddressSpace for M
where
    M: GuestMemoryBackend + Send + Sync,
    M::R: GuestMemoryRegion<B = ()>,
{
    fn window(
        &self,
        address: u64,
        length: usize,
        _access: Access,
    ) -> Result<VolatileSlice<'_>, Unmapped> {
        let unmapped = Unmapped { address };
        let region = self.find_region(GuestAddress(address)).ok_or(unmapped)?;
        let start = region
            .to_region_addr(GuestAddress(address))
            .ok_or(unmapped)?;
        let rest = region.len().saturating_sub(start.raw_value());
        let length = usize::try_from(rest).unwrap_or(usize::MAX).min(length);
        region.get_slice(start, length).map_err(|_| unmapped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vm_memory::GuestMemoryMmap;

    fn two_regions() -> GuestMemoryMmap<()> {
        GuestMemoryMmap::from_ranges(&[
            (GuestAddress(0x1000), 0x1000),
            (GuestAddress(0x2000), 0x1000),
        ])
        .unwrap()
    }

    #[test]
    fn a_window_ends_with_its_region_or_its_length() {
        let memory = two_regions();
        assert_eq!(
            memory.window(0x1ff0, 0x100, Access::Read).unwrap().len(),
            0x10
        );
        assert_eq!(memory.window(0x1ff0, 8, Access::Write).unwrap().len(), 8);
        assert_eq!(
            memory
                .window(0x2000, usize::MAX, Access::Read)
                .unwrap()
                .len(),
            0x1000
        );
    }

    #[test]
    fn what_no_region_holds_is_unmapped() {
        let memory = two_regions();
        for address in [0, 0xfff, 0x3000, u64::MAX] {
            let fault = memory.window(address, 1, Access::Read).unwrap_err();
            assert_eq!(fault, Unmapped { address });
        }
    }
}
