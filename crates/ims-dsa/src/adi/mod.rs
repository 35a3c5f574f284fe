// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Virtual devices on a physical device that the host owns.
//!
//! ```text
//!   guest A            guest B            guest C …                intercepted:
//!   VirtualDevice      VirtualDevice      VirtualDevice            config, registers,
//!     PASID 1            PASID 2            PASID 3                commands, MSI-X table
//!     │ portal: 64 bytes   │                  │
//!   queue 0            queue 1            queue 2
//!     └───────────────┬────┴──────────────────┘
//!                  engines                     Parent: as many threads
//!                     │ raise(handle, PASID)   for 1 interface as for 1000
//!                    IMS ─▶ remap unit ─▶ soft CPUs ─▶ eventfd of that guest
//! ```
//!
//! A [`Parent`] has engines, an Interrupt Message Store and the CPUs that take its
//! interrupts. [`Parent::compose`] makes an assignable device interface (ADI): a
//! PASID, and a [`VirtualDevice`] that looks to its guest like a small DSA of one
//! group and one dedicated queue which it finds configured.
//!
//! # Interrupts
//! MSI-X vector 0 is emulated: commands, errors and halts raise it by software.
//! Each other vector is an interrupt of the host, with an entry of the parent's
//! store that only this device's PASID may name. It is taken as the client gives
//! the vector a trigger and given back with it, so a device that nobody uses has
//! no entries. The guest asks for its handle by Request Interrupt Handle and puts
//! that into its descriptors; which portal they come through does not matter.
//!
//! # What neighbours notice of each other
//! Nothing: a descriptor carries the PASID of the device whose portal took it, and
//! reaches that client's memory and that PASID's entries alone. Engines serve the
//! queues by priority. No descriptor may block on a fault, for it would hold an
//! engine that is everybody's.
#![doc(alias = "VDCM")]

mod config;
mod device;
mod error;
mod function;
mod handles;
mod machine;
mod msix;
mod parent;
mod pasids;
mod report;

pub use config::{AdiConfig, ParentConfig};
pub use device::VirtualDevice;
pub use error::{ComposeError, ParentError};
pub use parent::{Parent, Usage};
pub use report::{AdiReport, AdiState, QueueReport, Target, VectorKind, VectorReport};
