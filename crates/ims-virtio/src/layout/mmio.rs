// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Registers of virtio-mmio, version 2. Source: virtio 1.3, 4.2.2. All are 32 bits
//! and little-endian, and are accessed so; from [`CONFIG`] on any natural width is.

/// R: `virt`.
pub const MAGIC: u64 = 0x000;
/// What [`MAGIC`] reads as.
pub const MAGIC_VALUE: u32 = 0x7472_6976;
/// R: 2.
pub const VERSION: u64 = 0x004;
/// What [`VERSION`] reads as.
pub const VERSION_VALUE: u32 = 2;
/// R: the kind of device, 0 for none.
pub const DEVICE_ID: u64 = 0x008;
/// R: who made it.
pub const VENDOR_ID: u64 = 0x00c;
/// R: 32 of the device's feature bits.
pub const DEVICE_FEATURES: u64 = 0x010;
/// W: which 32.
pub const DEVICE_FEATURES_SEL: u64 = 0x014;
/// W: 32 of the driver's.
pub const DRIVER_FEATURES: u64 = 0x020;
/// W: which 32.
pub const DRIVER_FEATURES_SEL: u64 = 0x024;
/// W: which queue the queue registers mean.
pub const QUEUE_SEL: u64 = 0x030;
/// R: its greatest size, 0 for no queue.
pub const QUEUE_SIZE_MAX: u64 = 0x034;
/// W: its size.
pub const QUEUE_SIZE: u64 = 0x038;
/// RW: 1 while it is in use.
pub const QUEUE_READY: u64 = 0x044;
/// W: there is something in the queue of this number. Readable with notification
/// offsets ([`super::msi::Notification`]).
pub const QUEUE_NOTIFY: u64 = 0x050;
/// R: why the single interrupt is asserted.
pub const INTERRUPT_STATUS: u64 = 0x060;
/// W: bits of it that were seen.
pub const INTERRUPT_ACK: u64 = 0x064;
/// RW: device status; writing 0 resets.
pub const STATUS: u64 = 0x070;
/// W: where the descriptors are, low half; the high half is 4 above.
pub const QUEUE_DESC: u64 = 0x080;
/// W: where the driver's ring is.
pub const QUEUE_DRIVER: u64 = 0x090;
/// W: where the device's ring is.
pub const QUEUE_DEVICE: u64 = 0x0a0;
/// W: which shared memory region.
pub const SHM_SEL: u64 = 0x0ac;
/// R: its length, low half; the high half is 4 above. All ones for none.
pub const SHM_LEN: u64 = 0x0b0;
/// R: where it is.
pub const SHM_BASE: u64 = 0x0b8;
/// RW: resets a queue, with [`super::features::RING_RESET`].
pub const QUEUE_RESET: u64 = 0x0c0;
/// R: changes whenever the device's configuration does.
pub const CONFIG_GENERATION: u64 = 0x0fc;
/// The device's configuration.
pub const CONFIG: u64 = 0x100;

/// [`INTERRUPT_STATUS`]: the device has used buffers.
pub const INTERRUPT_USED: u32 = 1;
/// [`INTERRUPT_STATUS`]: the device's configuration changed.
pub const INTERRUPT_CONFIG: u32 = 2;
