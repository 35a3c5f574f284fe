// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Registers of config space, each with its source.
//!
//! "PCIe" is the PCI Express Base Specification 6.0, "PCI" the PCI Local Bus
//! Specification 3.0, "PM" the PCI Bus Power Management Interface Specification 1.2.

/// Bytes of config space without PCI Express (PCI §6.1).
pub const CONVENTIONAL_SIZE: u16 = 0x100;
/// Bytes of config space of a PCI Express function (PCIe §7.2).
pub const EXTENDED_SIZE: u16 = 0x1000;

/// The header of type 0 (PCIe §7.5.1.1, §7.5.1.2).
pub mod header {
    /// Vendor ID, 16 bits.
    pub const VENDOR: u16 = 0x00;
    /// Device ID, 16 bits.
    pub const DEVICE: u16 = 0x02;
    /// Command, 16 bits.
    pub const COMMAND: u16 = 0x04;
    /// Status, 16 bits.
    pub const STATUS: u16 = 0x06;
    /// Revision ID, 8 bits.
    pub const REVISION: u16 = 0x08;
    /// Class code, 24 bits: programming interface, sub-class, base class.
    pub const CLASS: u16 = 0x09;
    /// Cache line size, 8 bits; writable, without effect.
    pub const CACHE_LINE: u16 = 0x0c;
    /// Latency timer, 8 bits; zero in PCI Express (PCIe §7.5.1.1.8).
    pub const LATENCY: u16 = 0x0d;
    /// The first base address register, 32 bits each.
    pub const BAR0: u16 = 0x10;
    /// How many base address registers there are.
    pub const BARS: u8 = 6;
    /// Subsystem vendor ID, 16 bits.
    pub const SUBSYSTEM_VENDOR: u16 = 0x2c;
    /// Subsystem ID, 16 bits.
    pub const SUBSYSTEM: u16 = 0x2e;
    /// Where the first capability is, 8 bits.
    pub const CAPABILITIES: u16 = 0x34;
    /// Interrupt line, 8 bits; software's own.
    pub const INTERRUPT_LINE: u16 = 0x3c;
    /// Interrupt pin, 8 bits: 0 none, 1 to 4 INTA to INTD.
    pub const INTERRUPT_PIN: u16 = 0x3d;
    /// Where capabilities may begin.
    pub const END: u16 = 0x40;
}

/// The command register (PCIe §7.5.1.1.3).
pub mod command {
    /// The function answers in I/O space.
    pub const IO: u16 = 1 << 0;
    /// The function answers in memory space.
    pub const MEMORY: u16 = 1 << 1;
    /// The function may send memory requests, and with them messages.
    pub const BUS_MASTER: u16 = 1 << 2;
    /// Parity error response.
    pub const PARITY: u16 = 1 << 6;
    /// Errors are reported.
    pub const SERR: u16 = 1 << 8;
    /// The function asserts no pin.
    pub const INTX_DISABLE: u16 = 1 << 10;
    /// What software may write.
    pub const WRITABLE: u16 = IO | MEMORY | BUS_MASTER | PARITY | SERR | INTX_DISABLE;
}

/// The status register (PCIe §7.5.1.1.4).
pub mod status {
    /// The pin is asserted inside the function.
    pub const INTERRUPT: u16 = 1 << 3;
    /// There is a list of capabilities.
    pub const CAPABILITIES: u16 = 1 << 4;
    /// What is cleared by writing one: master data parity error, signalled and
    /// received aborts, signalled system error, detected parity error.
    pub const CLEARED_BY_ONE: u16 = 0xf900;
}

/// Base address registers (PCIe §7.5.1.2.1).
pub mod bar {
    /// The register is of I/O space.
    pub const IO: u32 = 1 << 0;
    /// The register and the next one hold 64 bits of memory address.
    pub const MEMORY_64: u32 = 0b10 << 1;
    /// Reads have no side effects.
    pub const PREFETCHABLE: u32 = 1 << 3;
    /// The smallest memory range.
    pub const MEMORY_MIN: u64 = 16;
    /// The largest memory range of 32 bits.
    pub const MEMORY_32_MAX: u64 = 1 << 31;
    /// The largest memory range of 64 bits.
    pub const MEMORY_64_MAX: u64 = 1 << 63;
    /// The smallest I/O range.
    pub const IO_MIN: u64 = 4;
    /// The largest I/O range (PCI §6.2.5.1).
    pub const IO_MAX: u64 = 256;
}

/// Capability IDs (PCI Code and ID Assignment Specification, §2).
pub mod capability {
    /// Power management.
    pub const POWER: u8 = 0x01;
    /// Vendor specific: the byte after the link is its length.
    pub const VENDOR: u8 = 0x09;
    /// PCI Express.
    pub const EXPRESS: u8 = 0x10;
    /// MSI-X.
    pub const MSIX: u8 = 0x11;
    /// Bytes before a capability's body: ID and link.
    pub const LINK: u16 = 2;
}

/// Power management, from the start of the capability (PCIe §7.5.2, PM §3.2).
pub mod power {
    /// Bytes of the capability.
    pub const SIZE: u16 = 8;
    /// Power management capabilities, 16 bits.
    pub const CAPABILITIES: u16 = 2;
    /// Version 3 of the interface; no D1, no D2, no PME.
    pub const VERSION_3: u16 = 3;
    /// Control and status, 16 bits.
    pub const CONTROL: u16 = 4;
    /// The power state, D0 to D3hot.
    pub const STATE: u16 = 0b11;
    /// D3hot.
    pub const D3_HOT: u16 = 0b11;
    /// Going from D3hot to D0 is no reset.
    pub const NO_SOFT_RESET: u16 = 1 << 3;
}

/// PCI Express, from the start of the capability (PCIe §7.5.3).
pub mod express {
    /// Bytes of the capability, version 2.
    pub const SIZE: u16 = 0x3c;
    /// Capabilities, 16 bits.
    pub const CAPABILITIES: u16 = 0x02;
    /// Version 2; the device type in bits 7:4 is 0, an endpoint.
    pub const VERSION_2: u16 = 2;
    /// Device capabilities, 32 bits.
    pub const DEVICE_CAPABILITIES: u16 = 0x04;
    /// Role-based error reporting, which every function has.
    pub const ROLE_BASED_ERRORS: u32 = 1 << 15;
    /// Function-level reset.
    pub const FUNCTION_LEVEL_RESET: u32 = 1 << 28;
    /// Device control, 16 bits.
    pub const DEVICE_CONTROL: u16 = 0x08;
    /// After reset: relaxed ordering and no-snoop on, reads of up to 512 bytes.
    pub const DEVICE_CONTROL_RESET: u16 = 1 << 4 | 1 << 11 | 0b010 << 12;
    /// What software may write: error reporting, relaxed ordering, no-snoop, the
    /// size of reads. Payloads are 128 bytes, and that field is zero.
    pub const DEVICE_CONTROL_WRITABLE: u16 = 0x1f | 1 << 11 | 0b111 << 12;
    /// Starts a function-level reset; reads as zero (PCIe §6.6.2).
    pub const INITIATE_RESET: u16 = 1 << 15;
    /// Device status, 16 bits.
    pub const DEVICE_STATUS: u16 = 0x0a;
    /// What is cleared by writing one: the errors detected.
    pub const DEVICE_STATUS_CLEARED_BY_ONE: u16 = 0x0f;
    /// Link capabilities, 32 bits.
    pub const LINK_CAPABILITIES: u16 = 0x0c;
    /// Link control, 16 bits.
    pub const LINK_CONTROL: u16 = 0x10;
    /// What software may write: ASPM, read completion boundary, common clock,
    /// extended synch.
    pub const LINK_CONTROL_WRITABLE: u16 = 0b11 | 1 << 3 | 1 << 6 | 1 << 7;
    /// Link status, 16 bits.
    pub const LINK_STATUS: u16 = 0x12;
    /// One lane at 2.5 GT/s, in link capabilities and link status alike.
    pub const ONE_LANE: u16 = 1 << 4 | 1;
}

/// MSI-X, from the start of the capability (PCIe §7.7.2).
pub mod msix {
    /// Bytes of the capability.
    pub const SIZE: u16 = 12;
    /// Message control, 16 bits.
    pub const CONTROL: u16 = 2;
    /// All vectors are masked.
    pub const FUNCTION_MASK: u16 = 1 << 14;
    /// The function uses MSI-X, and no pin.
    pub const ENABLE: u16 = 1 << 15;
    /// Table offset, and which BAR in bits 2:0, 32 bits.
    pub const TABLE: u16 = 4;
    /// Pending bit array: offset, and which BAR in bits 2:0, 32 bits.
    pub const PENDING: u16 = 8;
    /// The most vectors (bits 10:0 of message control hold one less).
    pub const MAX: u16 = 2048;
    /// Bytes of one vector in the table.
    pub const ENTRY: u64 = 16;
    /// Offsets are multiples of this.
    pub const ALIGN: u32 = 8;
}

/// A window, from the start of its vendor-specific capability (virtio 1.3, 4.1.4.9).
pub mod window {
    /// Which BAR, 8 bits.
    pub const BAR: u16 = 0x04;
    /// Where in it, 32 bits.
    pub const OFFSET: u16 = 0x08;
    /// How many bytes, 32 bits.
    pub const LENGTH: u16 = 0x0c;
    /// What is accessed there, up to 4 bytes.
    pub const DATA: u16 = 0x10;
    /// Bytes of the capability after its length.
    pub const BODY: usize = 17;
}

/// Extended capabilities, from the start of each (PCIe §7.6.3).
pub mod extended {
    /// Where the first one is.
    pub const START: u16 = 0x100;
    /// Where the version begins in the header.
    pub const VERSION_SHIFT: u32 = 16;
    /// Where the place of the next one begins in the header; 0 is none.
    pub const NEXT_SHIFT: u32 = 20;
    /// ID of a designated vendor-specific one.
    pub const DVSEC: u16 = 0x0023;
}

/// A designated vendor-specific extended capability, from its start (PCIe §7.9.6).
pub mod dvsec {
    /// Vendor in 15:0, revision in 19:16, length in 31:20.
    pub const HEADER: u16 = 0x04;
    /// Where the revision begins.
    pub const REVISION_SHIFT: u32 = 16;
    /// Where the length begins.
    pub const LENGTH_SHIFT: u32 = 20;
    /// Which of the vendor's, 16 bits.
    pub const ID: u16 = 0x08;
    /// The vendor's registers.
    pub const BODY: u16 = 0x0a;
}
