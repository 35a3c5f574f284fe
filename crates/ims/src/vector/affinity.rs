// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where an interrupt may go.

use super::{CpuId, CpuSet};

/// The CPUs an interrupt may be given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affinity<'a> {
    /// Every CPU.
    Any,
    /// One CPU.
    Cpu(CpuId),
    /// The CPUs of a set.
    Set(&'a CpuSet),
}

impl Affinity<'_> {
    /// Whether the interrupt may go to `cpu`.
    pub fn contains(self, cpu: CpuId) -> bool {
        match self {
            Self::Any => true,
            Self::Cpu(only) => only == cpu,
            Self::Set(set) => set.contains(cpu),
        }
    }
}

impl<'a> From<&'a CpuSet> for Affinity<'a> {
    fn from(set: &'a CpuSet) -> Self {
        Self::Set(set)
    }
}

impl From<CpuId> for Affinity<'_> {
    fn from(cpu: CpuId) -> Self {
        Self::Cpu(cpu)
    }
}
