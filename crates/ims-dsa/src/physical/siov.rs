// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Scalable I/O Virtualization's extended capability: where its registers are.
//!
//! Source: Intel Scalable I/O Virtualization Technical Specification (337679),
//! 3.1 "Detecting Scalable IOV capability"; Linux reads the same fields.

/// The vendor that says what the capability means.
pub(super) const VENDOR: u16 = 0x8086;
/// Which of that vendor's.
pub(super) const ID: u16 = 0x0005;
/// Its revision.
pub(super) const REVISION: u8 = 1;
/// Bytes after the two headers, 0xa to 0x18 of the capability: function dependency
/// link and flags, 8 bits each; supported page sizes, system page size and
/// capabilities, 32 bits each.
pub(super) const BODY_SIZE: usize = 14;
/// Supported page sizes, in the body: bit n stands for 4 KiB << n.
pub(super) const SUPPORTED_PAGES: usize = 2;
/// System page size, in the body.
pub(super) const SYSTEM_PAGE: usize = 6;
/// Capabilities, in the body.
pub(super) const CAPABILITIES: usize = 10;
/// Pages of 4 KiB.
pub(super) const PAGES_4K: u32 = 1 << 0;
/// There is an Interrupt Message Store.
pub(super) const IMS_SUPPORTED: u32 = 1 << 0;
