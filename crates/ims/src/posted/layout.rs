// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The posted interrupt descriptor's layout (VT-d 9.11): 64 bytes, 64-aligned.
//!
//! | bits | field |
//! |---|---|
//! | 255:0 | PIR, a bit a vector |
//! | 256 | ON, a notification is outstanding |
//! | 257 | SN, notifications are suppressed |
//! | 279:272 | NV, the notification's vector |
//! | 319:288 | NDST, the notification's destination |

/// Words of 64 bits in the PIR.
pub const PIR_WORDS: usize = 4;
/// ON, in the control word that follows the PIR.
pub const ON: u64 = 1 << 0;
/// SN, in the control word.
pub const SN: u64 = 1 << 1;
/// Lowest bit of NV in the control word.
pub const NV_SHIFT: u32 = 16;
/// Lowest bit of NDST in the control word.
pub const NDST_SHIFT: u32 = 32;
