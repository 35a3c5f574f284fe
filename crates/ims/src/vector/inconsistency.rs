// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether the matrix's counts agree with its maps.

use super::{CpuId, CpuMap, Matrix};

/// A count that disagrees with the maps; a bug of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Inconsistency {
    /// A vector is allocated or held that is the system's or out of range.
    #[error("CPU {} has given away a vector it must not", .cpu.0)]
    Stray {
        /// The CPU.
        cpu: CpuId,
    },
    /// A CPU's count is wrong.
    #[error("CPU {} counts {counted} {what}, and its maps hold {actual}", .cpu.0)]
    Cpu {
        /// The CPU.
        cpu: CpuId,
        /// Which count.
        what: &'static str,
        /// Its value.
        counted: u16,
        /// What it should be.
        actual: u16,
    },
    /// A global count is wrong.
    #[error("{what} counts {counted}, and the CPUs make {actual}")]
    Global {
        /// Which count.
        what: &'static str,
        /// Its value.
        counted: u64,
        /// What it should be.
        actual: u64,
    },
}

fn global(what: &'static str, counted: u64, actual: u64) -> Result<(), Inconsistency> {
    (counted == actual)
        .then_some(())
        .ok_or(Inconsistency::Global {
            what,
            counted,
            actual,
        })
}

impl Matrix {
    /// Compares every count with the maps it counts. Linear in the CPUs.
    ///
    /// # Errors
    /// The first disagreement found; always a bug.
    pub fn check(&self) -> Result<(), Inconsistency> {
        let system = (self.system & self.inside).len();
        global(
            "system vectors in range",
            self.system_inside.into(),
            system.into(),
        )?;
        let (mut available, mut allocated, mut online) = (0, 0, 0);
        for (map, number) in self.maps.iter().zip(0..) {
            self.check_cpu(CpuId(number), map)?;
            allocated += u64::from(map.alloc_map.len());
            if map.online {
                available += u64::from(map.available);
                online += 1;
            }
        }
        global("global available", self.global_available, available)?;
        global("total allocated", self.total_allocated, allocated)?;
        global("online maps", self.online_maps.into(), online)?;
        global("online set", self.online.len() as u64, online)
    }

    fn check_cpu(&self, cpu: CpuId, map: &CpuMap) -> Result<(), Inconsistency> {
        let given = map.alloc_map | map.managed_map;
        if !(given & !self.usable()).is_empty() {
            return Err(Inconsistency::Stray { cpu });
        }
        let free = if map.initialized {
            (self.usable() & !given).len()
        } else {
            0
        };
        let eligible = if map.online { free } else { 0 };
        let in_use = (map.alloc_map & map.managed_map).len();
        for (what, counted, actual) in [
            ("available", map.available, free),
            ("allocated", map.allocated, map.alloc_map.len()),
            ("managed", map.managed, map.managed_map.len()),
            ("managed allocated", map.managed_allocated, in_use),
            ("ranked", self.ranking.available(cpu), eligible),
            (
                "online",
                map.online.into(),
                self.online.contains(cpu).into(),
            ),
        ] {
            if counted != actual {
                return Err(Inconsistency::Cpu {
                    cpu,
                    what,
                    counted,
                    actual,
                });
            }
        }
        Ok(())
    }
}
