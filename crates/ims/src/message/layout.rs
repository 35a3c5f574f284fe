// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where the bits of a message are.
//!
//! Compatibility format: SDM Vol. 3, 12.11 (KVM's use of the high half:
//! `KVM_CAP_X2APIC_API`; address 11:5: `KVM_FEATURE_MSI_EXT_DEST_ID`).
//! Remappable format: VT-d 5.1.2.2.
//!
//! | address | compatibility | remappable |
//! |---|---|---|
//! | 63:40 | destination 31:8, or 0 | 0 |
//! | 39:32 | 0 | 0 |
//! | 31:20 | `FEEh` | `FEEh` |
//! | 19:12 | destination 7:0 | handle 14:7 |
//! | 11:5 | destination 14:8, or 0 | handle 6:0 |
//! | 4 | 0 | 1 |
//! | 3 | redirection hint | SHV |
//! | 2 | logical | handle 15 |
//! | 1:0 | ignored | ignored |
//!
//! | data | compatibility | remappable, SHV = 1 |
//! |---|---|---|
//! | 31:16 | 0 | 0 |
//! | 15 | level-triggered | subhandle 15 |
//! | 14 | level asserted (ignored if edge) | subhandle 14 |
//! | 13:11 | 0 | subhandle 13:11 |
//! | 10:8 | delivery mode | subhandle 10:8 |
//! | 7:0 | vector | subhandle 7:0 |
//!
//! With SHV = 0 a remappable message's data is ignored.

use bitfield_struct::bitfield;

/// Address bits 31:20 of every interrupt message.
pub const PREFIX: u16 = 0xfee;

/// The address of a message in compatibility format.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct CompatibilityAddress {
    /// Ignored.
    #[bits(2)]
    pub ignored: u8,
    /// The destination is logical.
    pub logical: bool,
    /// Redirection hint.
    pub redirection_hint: bool,
    /// The format bit: 0 here.
    pub remappable: bool,
    /// Destination 14:8 with extended addressing, else reserved.
    #[bits(7)]
    pub destination_14_8: u8,
    /// Destination 7:0.
    pub destination_7_0: u8,
    /// [`PREFIX`].
    #[bits(12)]
    pub prefix: u16,
    /// Reserved.
    pub reserved: u8,
    /// Destination 31:8 with x2APIC addressing, else reserved.
    #[bits(24)]
    pub destination_31_8: u32,
}

/// The data of a message in compatibility format.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct CompatibilityData {
    /// The vector.
    pub vector: u8,
    /// [`DeliveryMode`](super::DeliveryMode).
    #[bits(3)]
    pub delivery: u8,
    /// Reserved.
    #[bits(3)]
    pub reserved_13_11: u8,
    /// The level is asserted; ignored when edge-triggered.
    pub assert: bool,
    /// Level-triggered rather than edge-triggered.
    pub level: bool,
    /// Reserved.
    pub reserved_31_16: u16,
}

/// The address of a message in remappable format.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct RemappableAddress {
    /// Ignored.
    #[bits(2)]
    pub ignored: u8,
    /// Handle 15.
    pub handle_15: bool,
    /// Subhandle valid (SHV).
    pub subhandle_valid: bool,
    /// The format bit: 1 here.
    pub remappable: bool,
    /// Handle 14:0.
    #[bits(15)]
    pub handle_14_0: u16,
    /// [`PREFIX`].
    #[bits(12)]
    pub prefix: u16,
    /// Reserved.
    pub reserved: u32,
}

/// The data of a message in remappable format with SHV = 1.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct RemappableData {
    /// Added to the handle.
    pub subhandle: u16,
    /// Reserved.
    pub reserved: u16,
}
