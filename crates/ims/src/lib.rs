// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interrupt Message Store (IMS) and everything an interrupt meets between a
//! device and the CPU that takes it.
//!
//! Programming goes down, an interrupt comes up, and both pass the same rooms:
//!
//! ```text
//!    ask: alloc(cookie, affinity)                 take: a handler, or a guest's vCPU
//!         │                                              ▲
//!    domain   MSI-X and IMS, side by side         CPU sink
//!         │  index                                       ▲  (destination, vector)
//!    vector   which CPU, which of its vectors     posted   pending bits, notification
//!         │  (cpu, vector)                               ▲
//!    remap    an entry that owns the target       message sink   the remap unit, and others
//!         │  handle → Message                            ▲
//!    store    the slot, laid out as the device    store   load(slot), mask and pending
//!             wants it                                   ▲
//!                                                 device: raise(slot)
//! ```
//!
//! Control is `&mut`, data is `&`: each room has a control half that allocates,
//! frees and moves, and a data half that raises, masks and delivers without a
//! lock, an allocation or a wait. The crate is `no_std` with `alloc`, holds no
//! mutex and no unsafe code.
#![cfg_attr(not(any(test, loom, feature = "std")), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

pub mod bitmap;
pub mod domain;
pub mod grace;
pub mod guest;
pub mod message;
pub mod msix;
pub mod posted;
pub mod remap;
pub mod segments;
pub mod sink;
pub mod store;
pub mod sync;
pub mod vector;

#[cfg(all(test, loom))]
mod loom_tests;
