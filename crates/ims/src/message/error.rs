// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why a message cannot be read or written.

use super::Addressing;

/// Why a message cannot be read or written.
///
/// A remap unit answers [`MessageError::NotInterrupt`],
/// [`MessageError::HighHalf`] and reserved bits of a remappable message with
/// fault reason 20h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Address bits 31:20 are not `FEEh`: it is a write to memory.
    #[error("{address:#x} is no interrupt address; use 0xfee00000 to 0xfeefffff")]
    NotInterrupt {
        /// The message's address.
        address: u64,
    },
    /// Address bits 63:32 are set where the format has none.
    #[error("{address:#x} has high bits this format reserves; clear bits 63:32")]
    HighHalf {
        /// The message's address.
        address: u64,
    },
    /// Reserved bits of the address are set.
    #[error("reserved address bits {bits:#x} are set; clear them")]
    ReservedAddress {
        /// The reserved bits that are set.
        bits: u64,
    },
    /// Reserved bits of the data are set.
    #[error("reserved data bits {bits:#x} are set; clear them")]
    ReservedData {
        /// The reserved bits that are set.
        bits: u32,
    },
    /// The delivery mode is reserved.
    #[error("delivery mode {mode} is reserved; use 0 (fixed), 1, 2, 4, 5 or 7")]
    ReservedDeliveryMode {
        /// Data bits 10:8.
        mode: u8,
    },
    /// The address has too few bits for the destination.
    #[error("destination {destination:#x} does not fit {addressing:?} addressing; use remapping")]
    DestinationTooWide {
        /// The APIC id or set.
        destination: u32,
        /// The addressing asked for.
        addressing: Addressing,
    },
}
