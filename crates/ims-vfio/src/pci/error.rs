// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What config space cannot be.

/// Why config space cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The vendor ID is the one that says there is no function.
    #[error("vendor 0xffff means that there is no function; take one of your own")]
    Vendor,
    /// The class code is longer than 24 bits.
    #[error("class {0:#x} has more than 24 bits")]
    Class(u32),
    /// The window is not as long as its registers are, or is a second one.
    #[error("a window has 17 bytes after its length, and a function has one window at most")]
    Window,
    /// The pin is none of INTA to INTD.
    #[error("there is no interrupt pin {0}; use 1 (INTA) to 4 (INTD), or none")]
    Pin(u8),
    /// There is no such register, or it is taken.
    #[error(
        "BAR {0} does not exist or is taken; a function has six, and one of 64 bits takes the next, too"
    )]
    Bar(u8),
    /// The size or kind cannot be.
    #[error(
        "BAR {index} cannot have {size} bytes: a power of two, at least 16 (memory) or 4 to 256 (I/O, not prefetchable)"
    )]
    BarSize {
        /// Which one.
        index: u8,
        /// What was asked for.
        size: u64,
    },
    /// MSI-X has 1 to 2048 vectors.
    #[error("MSI-X has 1 to 2048 vectors, not {0}; use a store of your own for more")]
    Vectors(u16),
    /// An MSI-X structure is not where one can be.
    #[error(
        "an MSI-X structure at {offset:#x} of BAR {bar} must be 8-aligned and inside a memory BAR"
    )]
    MsixPlace {
        /// The BAR named.
        bar: u8,
        /// The offset named.
        offset: u32,
    },
    /// Table and pending bits overlap.
    #[error("MSI-X table and pending bits overlap; move one of them")]
    MsixOverlap,
    /// A capability was asked for twice.
    #[error("capability {0:#x} is there twice")]
    Twice(u8),
    /// An extended capability without PCI Express.
    #[error("extended capabilities need the space of PCI Express; make the function one")]
    NotExpress,
    /// The extended capabilities do not fit.
    #[error("the extended capabilities do not fit below 0x1000; leave one out")]
    ExtendedFull,
    /// A vendor capability whose mask is not as long as its bytes.
    #[error("a vendor capability's mask must be as long as its bytes")]
    Mask,
    /// The capabilities do not fit.
    #[error("the capabilities do not fit below 0x100; leave one out")]
    Full,
}
