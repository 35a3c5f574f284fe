// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The matrix for people, as the kernel's debugfs shows it.

use super::Matrix;
use core::fmt;

impl fmt::Display for Matrix {
    /// A header of global counts, then a row for each CPU that is online or has
    /// given vectors away: available, managed, managed and in use, allocated, and
    /// the allocated vectors.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Online bitmaps:   {:>8}", self.online_maps)?;
        writeln!(f, "Global available: {:>8}", self.global_available)?;
        writeln!(f, "Global reserved:  {:>8}", self.global_reserved)?;
        writeln!(f, "Total allocated:  {:>8}", self.total_allocated)?;
        writeln!(f, "System: {}: {}", self.system.len(), self.system)?;
        writeln!(f, "|   CPU | online | avl | man | mac | act | vectors")?;
        for (map, number) in self.maps.iter().zip(0u32..) {
            if map.online || map.allocated > 0 || map.managed > 0 {
                writeln!(
                    f,
                    "  {number:>5}   {:>6}   {:>3}   {:>3}   {:>3}   {:>3}   {}",
                    if map.online { "yes" } else { "no" },
                    map.available,
                    map.managed,
                    map.managed_allocated,
                    map.allocated,
                    map.alloc_map
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::vector::{Affinity, CpuId, CpuSet, Matrix};
    use std::string::ToString;

    #[test]
    fn a_dump_shows_the_counts_and_each_cpu_in_use() {
        let mut matrix = Matrix::with_range(4, 0x20..0x30).unwrap();
        matrix.assign_system(0x80, None).unwrap();
        matrix.assign_system(0x20, None).unwrap();
        matrix.online(CpuId(0)).unwrap();
        matrix.online(CpuId(2)).unwrap();
        matrix.reserve_managed(&CpuSet::from(2..4)).unwrap();
        matrix.alloc_managed(&CpuSet::from(2..4)).unwrap();
        for _ in 0..3 {
            matrix.alloc(Affinity::Cpu(CpuId(0)), false).unwrap();
        }
        let _ = matrix.reserve();
        let expected = "\
Online bitmaps:          2
Global available:       26
Global reserved:         1
Total allocated:         4
System: 2: 0x20,0x80
|   CPU | online | avl | man | mac | act | vectors
      0      yes    12     0     0     3   0x21-0x23
      2      yes    14     1     1     1   0x21
      3       no     0     1     0     0   \n";
        assert_eq!(matrix.to_string(), expected);
    }
}
