// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Intel Data Streaming Accelerator (DSA) in software.
//!
//! Descriptors go in, completion records and interrupts come out:
//!
//! ```text
//!   front (registers and portals), or a test, or a VMM
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
//! Engines know no register, and nothing but a function knows a bus: which queue,
//! which client and which interrupt table is said by whoever submits.
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
//! # Locks
//! Each is held for a moment, by any thread. Who has one takes only what stands to
//! the right of it:
//!
//! ```text
//!   transport, engines, whoever drops the last clone of a Hold
//!      │
//!      ├─▶ front: registers ──▶ portals of a queue
//!      ├─▶ physical: the engines there are
//!      ├─▶ virtual: its queue ─────────────┬──▶ group ──▶ seat ──▶ bell
//!      ├─▶ (a queue, a drain) ─────────────┘
//!      ├─▶ virtual: change of masks ─┬─▶ masks
//!      │                             └─▶ interrupts of ims-vfio ─▶ domain
//!      └─▶ physical: an entry, a vector ─▶ memory of ims-vfio, client's messages
//! ```
//!
//! Under none of them is a [`Hold`](ims_vfio::Hold) dropped, a descriptor let go, an
//! eventfd signalled, guest memory touched or a thread waited for. So a hold that an
//! engine is the last to drop may end a command, raise its interrupt, reset tables
//! and make engines; and the transport's thread waits for no engine, whatever those
//! execute. One call goes out under a lock: the message of an Interrupt Message
//! Store's entry, for the reason said at `physical::ims_table`.
//!
//! | room | holds |
//! |---|---|
//! | [`layout`] | what the bytes mean, after the specification's tables |
//! | [`AddressSpace`], [`Client`], [`Portal`] | who submits, and what is theirs |
//! | [`Interrupts`], [`ErrorLog`] | where completions and errors go |
//! | [`Device`] | control: engines start and stop, queues come |
//! | [`WorkQueue`], [`WorkQueues`] | data: submit, drain, abort; one queue, all of a configuration |
//! | [`front`] | what software sees: registers, commands, portals |
//! | [`ClientMemory`] | the memory of a VFIO client, for one submission |
//! | [`adi`] | virtual devices on a physical one of the host's |
//! | [`physical`] | all of it as a PCI function of its own, with an Interrupt Message Store its guest programs |
//!
//! Not executed, and so not in [`layout::OperationSet::ALL`]: what later versions of
//! the device added. There is no page request service: block-on-fault waits for
//! whoever maps the page, and only where the queue and the submitter's memory allow
//! it.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod adi;
mod arbiter;
mod bell;
mod check;
mod client;
mod client_memory;
mod config;
mod cost;
mod device;
mod engine;
mod errors;
mod execute;
pub mod front;
mod group;
mod interrupts;
pub mod layout;
mod limits;
mod memory;
mod number;
mod operation;
pub mod physical;
mod queue;
mod queue_config;
mod reach;
mod seat;
mod statistics;
mod store_interrupts;
mod sync;
mod transfer;
mod wait;
mod work_queue;
mod work_queues;

#[cfg(test)]
mod testing;

pub use arbiter::PRIORITIES;
pub use client::{Client, InterruptTable, Pasid, Portal};
pub use client_memory::ClientMemory;
pub use config::{ConfigError, DeviceConfig};
pub use device::{Device, QueueError};
pub use errors::{ErrorLog, SoftwareError};
pub use group::Stopped;
pub use interrupts::{Handle, Interrupts, InvalidHandle};
pub use limits::{Capabilities, Limits};
pub use memory::{Access, AddressSpace, Unmapped};
pub use queue::SubmitError;
pub use queue_config::{Mode, QueueConfig};
pub use statistics::Statistics;
pub use store_interrupts::StoreInterrupts;
pub use work_queue::WorkQueue;
pub use work_queues::WorkQueues;
