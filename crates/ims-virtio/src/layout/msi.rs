// SPDX-License-Identifier: Apache-2.0 OR MIT
//! MSI for virtio-mmio, as it was proposed in 2020 and never adopted.
//!
//! | register | proposed | clear | |
//! |---|---|---|---|
//! | `MsiVecNum` | 0x0c0 | 0x0c4 | R: how many vectors |
//! | `MsiState` | 0x0c4 | 0x0c8 | R: enabled, sharing |
//! | `MsiCmd` | 0x0c8 | 0x0cc | W: a [`Command`] |
//! | `MsiVecSel` | 0x0d0 | 0x0d0 | W: the vector commands mean |
//! | `MsiAddrLow` | 0x0d4 | 0x0d4 | W |
//! | `MsiAddrHigh` | 0x0d8 | 0x0d8 | W |
//! | `MsiData` | 0x0dc | 0x0dc | W |
//!
//! Three layouts, because virtio has since given 0x0c0 to QueueReset, feature bit 39
//! to NOTIF_CONFIG_DATA and 40 to RING_RESET, and because kernel patch and
//! specification text of 2020 disagree on the bits of `MsiState`. Source: virtio-comment,
//! "virtio-mmio: add MSI interrupt feature support", v2, January 2020; linux-kernel,
//! "virtio-mmio: add features for virtio-mmio specification version 3", v2, February
//! 2020; virtio 1.3, 4.2.2 and 6.

use super::features;

/// Where everything is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The feature bit of MSI, as a mask.
    pub feature: u64,
    /// The feature bit of notification offsets, as a mask.
    pub notification_feature: u64,
    /// Offset of `MsiVecNum`.
    pub vectors: u64,
    /// Offset of `MsiState`.
    pub state: u64,
    /// Offset of `MsiCmd`.
    pub command: u64,
    /// `MsiState`: MSI is enabled.
    pub enabled: u32,
    /// `MsiState`: events share vectors as the driver maps them.
    pub sharing: u32,
}

/// Offset of `MsiVecSel`.
pub const VECTOR_SEL: u64 = 0x0d0;
/// Offset of `MsiAddrLow`.
pub const ADDRESS_LOW: u64 = 0x0d4;
/// Offset of `MsiAddrHigh`.
pub const ADDRESS_HIGH: u64 = 0x0d8;
/// Offset of `MsiData`.
pub const DATA: u64 = 0x0dc;

impl Layout {
    /// As the kernel's patch has it. Not beside [`features::NOTIF_CONFIG_DATA`],
    /// [`features::RING_RESET`] or QueueReset.
    pub const KERNEL: Self = Self {
        feature: 1 << 40,
        notification_feature: 1 << 39,
        vectors: 0x0c0,
        state: 0x0c4,
        command: 0x0c8,
        enabled: 1 << 31,
        sharing: 1 << 30,
    };

    /// As the specification's text has it. The same limits.
    pub const TEXT: Self = Self {
        enabled: 1 << 0,
        sharing: 1 << 1,
        ..Self::KERNEL
    };

    /// What meets nothing of today's virtio: bits and offsets that it has not given
    /// out.
    pub const CLEAR: Self = Self {
        feature: 1 << 47,
        notification_feature: 1 << 46,
        vectors: 0x0c4,
        state: 0x0c8,
        command: 0x0cc,
        ..Self::TEXT
    };

    /// What of `offered` (feature bits) today's virtio means by bits of this layout.
    pub const fn collides(&self, offered: u64) -> u64 {
        let todays = features::NOTIF_CONFIG_DATA | features::RING_RESET;
        offered & todays & (self.feature | self.notification_feature)
    }
}

/// What `MsiCmd` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Command {
    /// Interrupts are messages from now on.
    Enable = 1,
    /// They are not.
    Disable = 2,
    /// Address and data become the selected vector's message.
    Configure = 3,
    /// The selected vector keeps its interrupts.
    Mask = 4,
    /// It sends them, and what it kept.
    Unmask = 5,
    /// Changes of configuration go to the selected vector.
    MapConfig = 6,
    /// The selected queue's go there.
    MapQueue = 7,
}

impl Command {
    /// The command of a number.
    pub const fn from_value(value: u32) -> Option<Self> {
        Some(match value {
            1 => Self::Enable,
            2 => Self::Disable,
            3 => Self::Configure,
            4 => Self::Mask,
            5 => Self::Unmask,
            6 => Self::MapConfig,
            7 => Self::MapQueue,
            _ => return None,
        })
    }
}

/// What `QueueNotify` reads as with notification offsets: queue `q` is notified at
/// `base + q * multiplier`; with multiplier 0 all share the register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Notification {
    /// Bits 15:0.
    pub base: u16,
    /// Bits 31:16.
    pub multiplier: u16,
}

impl Notification {
    /// As the register reads.
    pub const fn to_value(self) -> u32 {
        self.base as u32 | (self.multiplier as u32) << 16
    }

    /// Of what it reads as.
    #[allow(clippy::cast_possible_truncation, reason = "the halves are wanted")]
    pub const fn from_value(value: u32) -> Self {
        Self {
            base: value as u16,
            multiplier: (value >> 16) as u16,
        }
    }

    /// Where `queue` is notified.
    pub const fn offset(self, queue: u16) -> u64 {
        self.base as u64 + queue as u64 * self.multiplier as u64
    }
}

const _: () = {
    // What is clear is clear.
    assert!(Layout::CLEAR.collides(u64::MAX) == 0);
    assert!(Layout::KERNEL.collides(features::RING_RESET) != 0);
    assert!(Layout::CLEAR.vectors != super::mmio::QUEUE_RESET);
};
