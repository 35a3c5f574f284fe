// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A vfio-user server: virtual devices of this process in the machines of real VMMs.
//!
//! ```text
//!   client (QEMU, Cloud Hypervisor)          a device's own threads
//!        │ socket                                 │ memory by message
//!   inbox ─▶ request ─▶ client ─▶ Endpoint     calls ─▶ outbox ─▶ socket
//!     bytes    form      order     (ims-vfio)     ▲        ▲
//!                          │ replies ─────────────┼────────┘
//!                          └ answers ─────────────┘
//!   memory: the client's files, each mapped once
//! ```
//!
//! One thread waits for all sockets of a [`Server`] and executes commands, which a
//! [`Device`](ims_vfio::Device) must do without waiting; the device's work, and
//! waiting for memory, are for threads of its own.
//!
//! Everything a client sends is taken to be hostile: it can break its own
//! connection, and nothing else.
#![deny(missing_docs)]

mod calls;
mod client;
mod connection;
mod control;
mod gather;
mod inbox;
pub mod layout;
mod limits;
pub mod memory;
mod outbox;
mod replies;
pub mod request;
mod server;
mod unanswered;
pub mod version;
mod wake;

pub use limits::Limits;
pub use server::{DeviceId, ListenError, Server, ServerError, bind};
