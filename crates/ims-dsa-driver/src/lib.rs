// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A driver in user space for a DSA served over vfio-user.
//!
//! Software that uses a Data Streaming Accelerator gets one without hardware and
//! without a VM: `ims serve` on one side, this on the other. It does what a kernel's
//! driver does, in the same order, and so is what tests and benchmarks drive devices
//! with.
//!
//! ```text
//!   Driver: reset, capabilities, configure, enable, handles
//!      │ Link: the protocol's client, one connection          registers, portals
//!      │ Arena: memory the device is given                    sources, records
//!      └ Vectors: an eventfd each                             completions
//! ```
//!
//! One thread drives a device; several devices may be driven by several threads.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use ims_dsa::layout::{Descriptor, Flags, Opcode};
//! use ims_dsa_driver::Driver;
//!
//! // `ims serve --socket /tmp/dsa.sock`: a virtual DSA, found configured.
//! let mut dsa = Driver::open(Path::new("/tmp/dsa.sock"), 1 << 20, 2)?;
//! dsa.enable()?;
//! dsa.enable_queue(0)?;
//! let source = dsa.arena.take(4096, 64)?;
//! let target = dsa.arena.take(4096, 64)?;
//! let record = dsa.arena.take(32, 32)?;
//! dsa.arena.write(source.address, b"moved by the device")?;
//!
//! let flags = Flags::RECORD_VALID | Flags::REQUEST_RECORD;
//! let mut copy = Descriptor::new(Opcode::MemoryMove, flags);
//! copy.completion = record.address.into();
//! copy.source = source.address.into();
//! copy.destination = target.address.into();
//! copy.size = 4096.into();
//! dsa.run(0, &copy)?;
//! # Ok::<(), ims_dsa_driver::DriverError>(())
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod arena;
mod command;
mod driver;
mod error;
mod link;
mod messages;
mod queue;
mod restart;
mod store;
mod vectors;

pub use arena::{Arena, Buffer};
pub use driver::{Driver, Facts};
pub use error::DriverError;
pub use link::Link;
pub use messages::Delivered;
pub use queue::{Group, Queue};
pub use vectors::Vectors;
