// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A block device's numbers. Source: virtio 1.3, 5.2.

/// The device's id. Source: 5.
pub const ID: u32 = 2;

/// Bytes of a sector, whatever the block size is: the unit of capacity and place.
pub const SECTOR: u32 = 512;

/// Feature bits. Source: 5.2.3.
pub mod feature {
    /// The greatest number of segments is in the configuration. Bit 2.
    pub const SEG_MAX: u64 = 1 << 2;
    /// The disk cannot be written. Bit 5.
    pub const RO: u64 = 1 << 5;
    /// The block size is in the configuration. Bit 6.
    pub const BLK_SIZE: u64 = 1 << 6;
    /// There is a cache, and a request that empties it. Bit 9.
    pub const FLUSH: u64 = 1 << 9;
    /// There may be several queues. Bit 12.
    pub const MQ: u64 = 1 << 12;
}

/// Offsets in the configuration, little-endian. Source: 5.2.4.
pub mod config {
    /// Sectors, 64 bits.
    pub const CAPACITY: usize = 0;
    /// Data segments of a request, 32 bits.
    pub const SEG_MAX: usize = 12;
    /// Bytes of a block, 32 bits.
    pub const BLK_SIZE: usize = 20;
    /// Request queues, 16 bits.
    pub const NUM_QUEUES: usize = 34;
    /// Bytes of all of it.
    pub const BYTES: usize = 72;
}

/// The header of a request: kind, 32 bits; reserved, 32 bits; sector, 64 bits.
/// Source: 5.2.6.
pub mod request {
    /// Where the kind is.
    pub const KIND: usize = 0;
    /// Where the sector is.
    pub const SECTOR: usize = 8;
    /// Bytes of all of it.
    pub const BYTES: usize = 16;

    /// Kind: read.
    pub const IN: u32 = 0;
    /// Kind: write.
    pub const OUT: u32 = 1;
    /// Kind: empty the cache.
    pub const FLUSH: u32 = 4;
    /// Kind: say the device's id string.
    pub const GET_ID: u32 = 8;

    /// Bytes of the id string.
    pub const ID_BYTES: usize = 20;
}

/// The last byte of a request. Source: 5.2.6.
pub mod status {
    /// Done.
    pub const OK: u8 = 0;
    /// Failed, or malformed.
    pub const IOERR: u8 = 1;
    /// No such request.
    pub const UNSUPP: u8 = 2;
}
