// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Intel Data Streaming Accelerator (DSA) in software: the work.
//!
//! Descriptors go in, completion records and interrupts come out:
//!
//! ```text
//!   a front (registers and portals, a test, a VMM)
//!      │ submit(queue, client, portal, descriptor)        64 bytes, assembled
//!      ▼
//!   work queues      dedicated: one submitter · shared: many, each by its PASID
//!      │ by priority, in order within a queue
//!      ▼
//!   engines          threads of the queue's group
//!      │ check ─▶ interrupt handle? ─▶ execute ─▶ completion record ─▶ interrupt
//!      ▼                                 │                              │
//!   client.memory ◀──────────────────────┘      Interrupts::raise ◀─────┘
//!   (the submitter's address space, all a descriptor can reach)
//! ```
//!
//! Nothing here knows a register or a bus: which queue, which client and which
//! interrupt table is said by whoever submits.
//!
//! What a submitter gives (descriptor, addresses, sizes, lists) is taken to be
//! hostile: it is copied once, checked once, and reaches memory through windows
//! of that submitter's [`AddressSpace`] alone. A descriptor may fail, and says
//! how; it cannot stop an engine, touch another PASID's memory or raise another
//! PASID's interrupt.
//!
//! A completion record's status is written last and with release; the interrupt
//! is raised after it. Who sees either sees all the descriptor wrote.
//!
//! | room | holds |
//! |---|---|
//! | [`layout`] | what the bytes mean, after the specification's tables |
//! | [`AddressSpace`], [`Client`], [`Portal`] | who submits, and what is theirs |
//! | [`Interrupts`], [`ErrorLog`] | where completions and errors go |
//! | [`Device`], [`WorkQueues`] | control: engines and queues; data: submit, drain, abort |
//!
//! Not executed, and so not in [`layout::OperationSet::ALL`]: delta records,
//! DIF, cache flush, and what later versions of the device added. There is no
//! page request service: block-on-fault is a reserved flag.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod arbiter;
mod check;
mod client;
mod config;
mod device;
mod engine;
mod errors;
mod execute;
mod group;
mod interrupts;
pub mod layout;
mod limits;
mod memory;
mod operation;
mod queue;
mod statistics;
mod store_interrupts;
mod transfer;
mod work_queues;

#[cfg(test)]
mod testing;

pub use arbiter::PRIORITIES;
pub use client::{Client, InterruptTable, Pasid, Portal};
pub use config::{ConfigError, DeviceConfig};
pub use device::{Device, QueueError};
pub use errors::{ErrorLog, SoftwareError};
pub use group::Stopped;
pub use interrupts::{Handle, Interrupts, InvalidHandle};
pub use limits::{Capabilities, Limits};
pub use memory::{Access, AddressSpace, Unmapped};
pub use queue::{Mode, QueueConfig, SubmitError};
pub use statistics::Statistics;
pub use store_interrupts::StoreInterrupts;
pub use work_queues::WorkQueues;
