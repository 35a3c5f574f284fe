// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the bytes of a message mean (vfio-user 0.9.2, `docs/vfio-user.rst`).
//!
//! Host endian, without padding. A message is a [`Header`], a body that its
//! command says, and descriptors beside it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Commands ("Commands").
pub mod command {
    /// Agreeing on a version and on capabilities; the first message.
    pub const VERSION: u16 = 1;
    /// The client offers memory.
    pub const DMA_MAP: u16 = 2;
    /// The client takes memory back.
    pub const DMA_UNMAP: u16 = 3;
    /// What the device is.
    pub const DEVICE_GET_INFO: u16 = 4;
    /// What a region is.
    pub const DEVICE_GET_REGION_INFO: u16 = 5;
    /// Descriptors for writes to a region.
    pub const DEVICE_GET_REGION_IO_FDS: u16 = 6;
    /// What an interrupt index is.
    pub const DEVICE_GET_IRQ_INFO: u16 = 7;
    /// Setting interrupts.
    pub const DEVICE_SET_IRQS: u16 = 8;
    /// Reading a region.
    pub const REGION_READ: u16 = 9;
    /// Writing a region.
    pub const REGION_WRITE: u16 = 10;
    /// Server to client: reading memory.
    pub const DMA_READ: u16 = 11;
    /// Server to client: writing memory.
    pub const DMA_WRITE: u16 = 12;
    /// Resetting the device.
    pub const DEVICE_RESET: u16 = 13;
    /// Several small writes to regions.
    pub const REGION_WRITE_MULTI: u16 = 15;
    /// Probing, getting and setting features.
    pub const DEVICE_FEATURE: u16 = 16;
    /// Migration data from the server.
    pub const MIG_DATA_READ: u16 = 17;
    /// Migration data to the server.
    pub const MIG_DATA_WRITE: u16 = 18;
}

/// Bits of [`Header::flags`] ("Header").
pub mod flag {
    /// Kind of message: 0 command, 1 reply.
    pub const TYPE: u32 = 0xf;
    /// A reply.
    pub const REPLY: u32 = 1;
    /// The command wants no reply.
    pub const NO_REPLY: u32 = 1 << 4;
    /// The reply is an error, and nothing but a header.
    pub const ERROR: u32 = 1 << 5;
}

/// Bits of [`DmaMap::flags`] ("VFIO_USER_DMA_MAP"; the last two from
/// libvfio-user's `include/vfio-user.h`).
pub mod dma_map {
    /// The device may read.
    pub const READ: u32 = 1 << 0;
    /// The device may write.
    pub const WRITE: u32 = 1 << 1;
    /// The descriptor can be mapped.
    pub const MMAP: u32 = 1 << 2;
    /// The descriptor can be read and written.
    pub const FILE_IO: u32 = 1 << 3;
}

/// Bits of [`DmaUnmap::flags`] ("VFIO_USER_DMA_UNMAP").
pub mod dma_unmap {
    /// The reply should hold a bitmap of dirty pages.
    pub const DIRTY_BITMAP: u32 = 1 << 0;
    /// All maps; address and size are 0.
    pub const ALL: u32 = 1 << 1;
}

/// Bits of [`DeviceFeature::flags`] ("VFIO_USER_DEVICE_FEATURE").
pub mod feature {
    /// Which feature.
    pub const NUMBER: u32 = 0xffff;
    /// Get.
    pub const GET: u32 = 1 << 16;
    /// Set.
    pub const SET: u32 = 1 << 17;
    /// Only ask whether get and set would work.
    pub const PROBE: u32 = 1 << 18;
}

/// [`IoFdEntry::kind`] and [`IoFdEntry::flags`] ("VFIO_USER_DEVICE_GET_REGION_IO_FDS").
pub mod io_fd {
    /// An eventfd that is signalled.
    pub const IOEVENTFD: u32 = 0;
    /// A socket that carries accesses.
    pub const IOREGIONFD: u32 = 1;
    /// Only if the value matches (`KVM_IOEVENTFD_FLAG_DATAMATCH`).
    pub const DATAMATCH: u32 = 1 << 0;
    /// Writes are posted (`KVM_IOREGION_POSTED_WRITES`).
    pub const POSTED_WRITES: u32 = 1 << 1;
}

macro_rules! wire {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Default,
            FromBytes, IntoBytes, Immutable, KnownLayout,
        )]
        #[repr(C)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $kind,)*
        }
    };
}

wire! {
    /// Before each message.
    Header {
        /// Chosen by the sender of a command; its reply has the same.
        id: u16,
        /// Of [`command`].
        command: u16,
        /// Bytes of the message, with this header.
        size: u32,
        /// Of [`flag`].
        flags: u32,
        /// An errno, in a reply that is an error.
        error: u32,
    }
}

wire! {
    /// Before the JSON text of a version message.
    Version {
        /// Incompatible ones differ here.
        major: u16,
        /// Later ones only add.
        minor: u16,
    }
}

wire! {
    /// Memory offered.
    DmaMap {
        /// Size of this.
        argsz: u32,
        /// Of [`dma_map`].
        flags: u32,
        /// Where the range begins in the descriptor's file.
        offset: u64,
        /// Where the device sees it.
        address: u64,
        /// Bytes.
        size: u64,
    }
}

wire! {
    /// Memory taken back.
    DmaUnmap {
        /// Size of this, with what a reply adds.
        argsz: u32,
        /// Of [`dma_unmap`].
        flags: u32,
        /// Where the range begins.
        address: u64,
        /// Bytes.
        size: u64,
    }
}

wire! {
    /// What the device is (`struct vfio_device_info`).
    DeviceInfo {
        /// Size of this.
        argsz: u32,
        /// Of [`ims_vfio::layout::device_info`].
        flags: u32,
        /// Regions.
        regions: u32,
        /// Interrupt indexes.
        irqs: u32,
    }
}

wire! {
    /// What a region is (`struct vfio_region_info`).
    RegionInfo {
        /// Size of this, with its capabilities.
        argsz: u32,
        /// Of [`ims_vfio::layout::region_info`].
        flags: u32,
        /// Which.
        index: u32,
        /// Where the first capability begins in this structure.
        cap_offset: u32,
        /// Bytes.
        size: u64,
        /// Where it begins in the descriptor's file.
        offset: u64,
    }
}

wire! {
    /// The capability that lists mappable parts (`struct vfio_region_info_cap_sparse_mmap`).
    SparseMmap {
        /// [`ims_vfio::layout::region_info::CAP_SPARSE_MMAP`].
        id: u16,
        /// 1.
        version: u16,
        /// Where the next capability begins; 0 for none.
        next: u32,
        /// How many areas follow.
        areas: u32,
        /// 0.
        reserved: u32,
    }
}

wire! {
    /// One mappable part.
    SparseArea {
        /// Where it begins in the region.
        offset: u64,
        /// Bytes.
        size: u64,
    }
}

wire! {
    /// Question and answer about a region's descriptors.
    IoFds {
        /// Largest reply wanted; in the reply, its size.
        argsz: u32,
        /// 0.
        flags: u32,
        /// Region.
        index: u32,
        /// Entries in the reply.
        count: u32,
    }
}

wire! {
    /// One descriptor of a region.
    IoFdEntry {
        /// Where in the region.
        offset: u64,
        /// Bytes; 0 for any.
        size: u64,
        /// Which of the message's descriptors.
        fd_index: u32,
        /// Of [`io_fd`].
        kind: u32,
        /// Of [`io_fd`].
        flags: u32,
        /// 0.
        reserved: u32,
        /// What must match, or what comes back.
        data: u64,
    }
}

wire! {
    /// What an interrupt index is (`struct vfio_irq_info`).
    IrqInfo {
        /// Size of this.
        argsz: u32,
        /// Of [`ims_vfio::layout::irq_info`].
        flags: u32,
        /// Which.
        index: u32,
        /// How many.
        count: u32,
    }
}

wire! {
    /// Setting interrupts (`struct vfio_irq_set`); bytes may follow, descriptors
    /// come beside.
    SetIrqs {
        /// Size of this and the bytes.
        argsz: u32,
        /// Of [`ims_vfio::layout::irq_set`].
        flags: u32,
        /// Which.
        index: u32,
        /// The first.
        start: u32,
        /// How many.
        count: u32,
    }
}

wire! {
    /// Before the data of a region access.
    RegionAccess {
        /// Where in the region.
        offset: u64,
        /// Region.
        region: u32,
        /// Bytes.
        count: u32,
    }
}

wire! {
    /// Before the data of a memory access by the server.
    DmaAccess {
        /// Where.
        address: u64,
        /// Bytes. (A reply to a write has 64 bits of it, too: the specification's
        /// table says 32, its text and its clients 64.)
        count: u64,
    }
}

wire! {
    /// One of several small writes.
    SmallWrite {
        /// Where in the region.
        offset: u64,
        /// Region.
        region: u32,
        /// Bytes, at most 8.
        count: u32,
        /// The bytes, the first ones of these.
        data: [u8; 8],
    }
}

wire! {
    /// Before the data of a feature.
    DeviceFeature {
        /// Largest reply wanted.
        argsz: u32,
        /// Of [`feature`].
        flags: u32,
    }
}

/// Bytes of a [`Header`].
pub const HEADER: usize = size_of::<Header>();

impl Header {
    /// Whether it is a reply.
    pub fn is_reply(&self) -> bool {
        self.flags & flag::TYPE == flag::REPLY
    }

    /// Whether its sender wants no reply.
    pub fn wants_no_reply(&self) -> bool {
        self.flags & flag::NO_REPLY != 0
    }

    /// The header of the reply to this, `body` bytes long.
    pub fn reply(&self, body: usize) -> Self {
        Self {
            id: self.id,
            command: self.command,
            size: u32::try_from(HEADER.saturating_add(body)).unwrap_or(u32::MAX),
            flags: flag::REPLY,
            error: 0,
        }
    }

    /// The error reply to this.
    pub fn refusal(&self, errno: i32) -> Self {
        Self {
            flags: flag::REPLY | flag::ERROR,
            error: errno.unsigned_abs(),
            ..self.reply(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_specifications_sizes() {
        assert_eq!(size_of::<Header>(), 16);
        assert_eq!(size_of::<Version>(), 4);
        assert_eq!(size_of::<DmaMap>(), 32);
        assert_eq!(size_of::<DmaUnmap>(), 24);
        assert_eq!(size_of::<DeviceInfo>(), 16);
        assert_eq!(size_of::<RegionInfo>(), 32);
        assert_eq!(size_of::<SparseMmap>(), 16);
        assert_eq!(size_of::<IoFds>(), 16);
        assert_eq!(size_of::<IoFdEntry>(), 40);
        assert_eq!(size_of::<IrqInfo>(), 16);
        assert_eq!(size_of::<SetIrqs>(), 20);
        assert_eq!(size_of::<RegionAccess>(), 16);
        assert_eq!(size_of::<DmaAccess>(), 16);
        assert_eq!(size_of::<SmallWrite>(), 24);
        assert_eq!(size_of::<DeviceFeature>(), 8);
    }
}
