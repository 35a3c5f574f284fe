// SPDX-License-Identifier: Apache-2.0 OR MIT
//! virtio over PCI. Source: virtio 1.3, 4.1.

/// Vendor of all virtio functions.
pub const VENDOR: u16 = 0x1af4;
/// Device id of kind 0; a kind's is this plus its number.
pub const DEVICE_BASE: u16 = 0x1040;

/// Id of the vendor-specific capability that says where a structure is.
pub const CAPABILITY_ID: u8 = 0x09;
/// Its length; that of [`CAP_NOTIFY`] has 4 bytes of multiplier more.
pub const CAPABILITY_BYTES: u8 = 16;

/// `cfg_type`: common configuration.
pub const CAP_COMMON: u8 = 1;
/// `cfg_type`: notifications.
pub const CAP_NOTIFY: u8 = 2;
/// `cfg_type`: interrupt status.
pub const CAP_ISR: u8 = 3;
/// `cfg_type`: the device's configuration.
pub const CAP_DEVICE: u8 = 4;
/// `cfg_type`: access by config space.
pub const CAP_PCI: u8 = 5;

/// Common configuration, 4.1.4.3: offsets of its fields.
pub mod common {
    /// 32 bits, RW.
    pub const DEVICE_FEATURE_SELECT: u64 = 0x00;
    /// 32 bits, R.
    pub const DEVICE_FEATURE: u64 = 0x04;
    /// 32 bits, RW.
    pub const DRIVER_FEATURE_SELECT: u64 = 0x08;
    /// 32 bits, RW.
    pub const DRIVER_FEATURE: u64 = 0x0c;
    /// 16 bits, RW: vector of changes of configuration.
    pub const CONFIG_MSIX_VECTOR: u64 = 0x10;
    /// 16 bits, R.
    pub const NUM_QUEUES: u64 = 0x12;
    /// 8 bits, RW.
    pub const DEVICE_STATUS: u64 = 0x14;
    /// 8 bits, R.
    pub const CONFIG_GENERATION: u64 = 0x15;
    /// 16 bits, RW.
    pub const QUEUE_SELECT: u64 = 0x16;
    /// 16 bits, RW.
    pub const QUEUE_SIZE: u64 = 0x18;
    /// 16 bits, RW: the selected queue's vector.
    pub const QUEUE_MSIX_VECTOR: u64 = 0x1a;
    /// 16 bits, RW.
    pub const QUEUE_ENABLE: u64 = 0x1c;
    /// 16 bits, R.
    pub const QUEUE_NOTIFY_OFF: u64 = 0x1e;
    /// 64 bits, RW, as two halves.
    pub const QUEUE_DESC: u64 = 0x20;
    /// 64 bits, RW, as two halves.
    pub const QUEUE_DRIVER: u64 = 0x28;
    /// 64 bits, RW, as two halves.
    pub const QUEUE_DEVICE: u64 = 0x30;
    /// 16 bits, R.
    pub const QUEUE_NOTIF_CONFIG_DATA: u64 = 0x38;
    /// 16 bits, RW.
    pub const QUEUE_RESET: u64 = 0x3a;
    /// Bytes of the structure.
    pub const BYTES: u64 = 0x3c;
}

/// Interrupt status, 4.1.4.5: one byte; reading it clears it.
pub mod isr {
    /// Buffers of some queue are used.
    pub const QUEUE: u8 = 1 << 0;
    /// The device's configuration changed.
    pub const CONFIG: u8 = 1 << 1;
    /// Bytes of the structure.
    pub const BYTES: u64 = 1;
}

/// The 16-bit vector fields: no vector.
pub const NO_VECTOR: u16 = 0xffff;

/// Where our function has its structures, all in BAR 0.
pub mod bar {
    /// The BAR.
    pub const NUMBER: u8 = 0;
    /// Its bytes.
    pub const BYTES: u64 = 0x8000;
    /// Common configuration.
    pub const COMMON: u64 = 0x0000;
    /// Interrupt status.
    pub const ISR: u64 = 0x1000;
    /// The device's configuration.
    pub const DEVICE: u64 = 0x2000;
    /// Bytes of it.
    pub const DEVICE_BYTES: u64 = 0x1000;
    /// Notifications, [`NOTIFY_MULTIPLIER`] bytes a queue.
    pub const NOTIFY: u64 = 0x4000;
    /// Bytes of them.
    pub const NOTIFY_BYTES: u64 = 0x4000;
    /// Bytes between two queues' notifications.
    pub const NOTIFY_MULTIPLIER: u32 = 4;
}
