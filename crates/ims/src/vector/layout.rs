// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which vectors mean what on x86.
//!
//! The architecture fixes the first 32 (SDM Vol. 3, 7.2); the rest is Linux's
//! map (`arch/x86/include/asm/irq_vectors.h`), which guests and hosts share.

use core::ops::Range;

/// Vectors a CPU has.
pub const VECTORS: u16 = 256;
/// The first vector that is not an exception (SDM Vol. 3, 7.2).
pub const FIRST_EXTERNAL_VECTOR: u8 = 0x20;
/// The 32-bit system call gate.
pub const IA32_SYSCALL_VECTOR: u8 = 0x80;
/// Parks a managed interrupt that is shut down.
pub const MANAGED_IRQ_SHUTDOWN_VECTOR: u8 = 0xef;
/// Notifies a CPU of posted MSIs; the lowest vector the system keeps.
pub const POSTED_MSI_NOTIFICATION_VECTOR: u8 = 0xeb;
/// The first vector the system keeps for itself.
pub const FIRST_SYSTEM_VECTOR: u8 = POSTED_MSI_NOTIFICATION_VECTOR;
/// The vector of ISA interrupt 0; the other fifteen follow.
pub const ISA_IRQ_VECTOR_BASE: u8 = 0x30;

/// Where a matrix allocates unless told otherwise: from
/// [`FIRST_EXTERNAL_VECTOR`] up to, without, [`FIRST_SYSTEM_VECTOR`].
pub const DEVICE_VECTORS: Range<u16> = FIRST_EXTERNAL_VECTOR as u16..FIRST_SYSTEM_VECTOR as u16;
