// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A DSA as a PCI function of its own, owned by a client and its guest.
//!
//! ```text
//!   config space ── identity, MSI-X, reset, "there is an IMS"
//!   BAR 0 ──▶ Front ─▶ PhysicalMachine ─▶ Device: engines, from enable to disable
//!      │                    │                │ check, raise
//!      │ IMS entries        │ words          ▼
//!      └──────────────▶ ImsTable       EngineInterrupts
//!                       Vectors ◀────────────┤
//!                          │ eventfd         ▼ DMA write of the message
//!   BAR 2 ──▶ Front ─▶ queues              the client
//! ```
//!
//! The client's kernel programs messages and handles as on hardware. An interrupt
//! follows its completion record, which is in memory before.

mod config;
mod counts;
mod function;
mod handle;
mod identity;
mod ims_entry;
mod ims_table;
mod interrupts;
mod machine;
#[cfg(all(test, loom))]
mod models;
mod permission;
mod report;
mod siov;
mod vector;
mod vectors;

pub use config::{DEVICE_ID, PhysicalConfig, PhysicalError};
pub use counts::{Raises, Refusal};
pub use function::PhysicalFunction;
pub use report::{PhysicalReport, VectorKind, VectorReport};
