// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A process as host of interrupts: a device server, a VMM, a test.
//!
//! ```text
//!    Host ── add_unit · add_space · add_device        (control: one lock)
//!      │
//!    Domain ── alloc ──▶ Irq (frees itself)
//!      │                  │ mask · unmask · set_affinity · counts
//!    Port ── raise ──▶ remap unit ──▶ descriptor ──▶ soft CPU ──▶ Handler
//!              (data: no lock, from any thread)        thread that sleeps on it
//! ```
//!
//! A soft CPU is a thread that sleeps until something is posted to it, takes it
//! and calls the handlers. There may be any number of them on any number of
//! cores. A space may also have CPUs that somebody else runs ([`ForeignCpus`]): a
//! hypervisor's. Everything else is the core's; this crate adds threads, a lock around
//! the control half, handlers by host-wide number, and handles that free what
//! they stand for.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod cpu;
mod device;
mod error;
mod foreign;
mod handler;
mod host;
mod irq;
mod raise;
mod report;
mod sink;
mod soft;
mod space;
mod takes;

pub use cpu::HostCpus;
pub use device::{Device, Domain};
pub use error::HostError;
pub use foreign::ForeignCpus;
pub use handler::{Handler, Taken};
pub use host::{Host, HostSink, HostUnit, Unit};
pub use irq::{Irq, IrqCounts};
pub use report::{CpuReport, IrqReport};
pub use sink::UnitSink;
pub use space::{Form, Space};
pub use takes::Takes;

#[cfg(test)]
mod tests;

/// Runs the README's example as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
