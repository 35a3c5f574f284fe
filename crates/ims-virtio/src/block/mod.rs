// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A block device on a file. Source: virtio 1.3, 5.2.
//!
//! ```text
//!   Block ── Queues: workers, host-side interrupts
//!     │
//!   Requests ── header, range, status
//!     │
//!   Disk ── one file; each worker a description of its own, read and written
//!           straight into the driver's memory
//! ```

mod config;
mod device;
mod disk;
mod options;
mod request;

#[cfg(all(test, not(loom)))]
mod tests;

pub use device::Block;
pub use disk::Disk;
pub use options::{BlockError, BlockOptions};
