// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The device status field. Source: virtio 1.3, 2.1.

/// The driver's side noticed the device.
pub const ACKNOWLEDGE: u32 = 1;
/// It knows how to drive it.
pub const DRIVER: u32 = 2;
/// It is set up and drives it.
pub const DRIVER_OK: u32 = 4;
/// Features are agreed.
pub const FEATURES_OK: u32 = 8;
/// The device cannot go on until it is reset.
pub const NEEDS_RESET: u32 = 64;
/// The driver has given it up.
pub const FAILED: u32 = 128;
