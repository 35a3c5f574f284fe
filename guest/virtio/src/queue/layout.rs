// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where the parts of a split virtqueue are. Source: virtio 1.3, 2.7.
//!
//! ```text
//!   0           16·size                     next multiple of 4     next of 16
//!   descriptors │ flags idx ring[size] used_event │ flags idx ring[size] avail_event │ tables
//! ```

/// Bytes of a descriptor: address 64, length 32, flags 16, next 16.
pub(super) const DESCRIPTOR: usize = 16;
/// Descriptor flag: there is a next one.
pub(super) const NEXT: u16 = 1;
/// Descriptor flag: the device writes.
pub(super) const WRITE: u16 = 2;
/// Descriptor flag: it is a table of descriptors.
pub(super) const INDIRECT: u16 = 4;

/// The driver's ring, flags: no interrupt is wanted.
pub(super) const NO_INTERRUPT: u16 = 1;
/// The device's ring, flags: no notification is wanted.
pub(super) const NO_NOTIFY: u16 = 1;

/// Both rings: flags of 16 bits.
pub(super) const FLAGS: usize = 0;
/// Both rings: the index of 16 bits.
pub(super) const INDEX: usize = 2;
/// Both rings: their elements.
pub(super) const RING: usize = 4;

/// Bytes of an element of the device's ring: id and length, 32 bits each.
pub(super) const USED: usize = 8;

/// Where everything of a queue of a size is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) size: u16,
    /// Descriptors in the table of each head; 0 for no tables.
    pub(super) table: u16,
}

impl Layout {
    const fn size(self) -> usize {
        self.size as usize
    }

    pub(super) const fn driver(self) -> usize {
        DESCRIPTOR * self.size()
    }

    pub(super) const fn used_event(self) -> usize {
        self.driver() + RING + 2 * self.size()
    }

    pub(super) const fn device(self) -> usize {
        (self.used_event() + 2).next_multiple_of(4)
    }

    pub(super) const fn avail_event(self) -> usize {
        self.device() + RING + USED * self.size()
    }

    pub(super) const fn tables(self) -> usize {
        (self.avail_event() + 2).next_multiple_of(DESCRIPTOR)
    }

    /// Where the table of a head is.
    pub(super) const fn table(self, head: u16) -> usize {
        self.tables() + head as usize * self.table as usize * DESCRIPTOR
    }

    /// Bytes of all.
    pub(super) const fn bytes(self) -> usize {
        self.table(self.size)
    }
}
