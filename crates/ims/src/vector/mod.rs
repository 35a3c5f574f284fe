// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which CPU takes an interrupt, and with which of its vectors.
//!
//! ```text
//!   activate(affinity, node)     where to look, in which order
//!           │
//!        Matrix                  per CPU: vectors allocated, managed, available
//!           │
//!        Ranking                 the CPU with the most available, without a scan
//! ```
//!
//! [`Matrix`] is the per-CPU vector matrix with the semantics of Linux's
//! `kernel/irq/matrix.c`; where Linux would `BUG` or `WARN` it answers with an
//! error and changes nothing. An interrupt is *managed* when a vector is held
//! for it on every CPU of its affinity, so that it always finds one where it
//! goes; [`spread`] makes such affinities.
//!
//! All of this is control: it needs `&mut`, and the data path never sees it.

mod affinity;
mod cpu_map;
mod cpu_set;
mod dump;
mod error;
mod inconsistency;
pub mod layout;
mod managed;
mod matrix;
mod policy;
mod ranking;
pub mod spread;
mod system;
mod topology;
mod vector_map;

pub use affinity::Affinity;
pub use cpu_map::CpuMap;
pub use cpu_set::{CpuId, CpuSet};
pub use error::MatrixError;
pub use inconsistency::Inconsistency;
pub use matrix::{Matrix, Reservation};
pub use policy::{Placement, activate, activate_managed};
pub use topology::Topology;
pub use vector_map::VectorMap;

#[cfg(all(test, not(loom)))]
mod model;
#[cfg(all(test, not(loom)))]
mod model_tests;
