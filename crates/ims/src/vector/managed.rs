// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Managed interrupts: a vector held on every CPU they may go to.
//!
//! Every CPU of a mask is looked at before any is changed, so a failure changes
//! nothing.

use super::{CpuId, CpuSet, Matrix, MatrixError};

impl Matrix {
    /// Holds one vector for a managed interrupt on every CPU of `mask`, online or
    /// not, and not necessarily the same one.
    ///
    /// # Errors
    /// [`MatrixError::UnknownCpu`]; [`MatrixError::NoVector`] if a CPU has none
    /// left.
    pub fn reserve_managed(&mut self, mask: &CpuSet) -> Result<(), MatrixError> {
        let usable = self.usable();
        for cpu in mask.iter() {
            self.map(cpu)?
                .first_free(usable)
                .ok_or(MatrixError::NoVector)?;
        }
        for cpu in mask.iter() {
            let map = self.map_mut(cpu)?;
            let vector = map.first_free(usable).ok_or(MatrixError::NoVector)?;
            map.managed_map.insert(vector);
            map.managed += 1;
            self.take_available(cpu)?;
        }
        Ok(())
    }

    /// Gives back one idle managed vector on every CPU of `mask`, online or not.
    ///
    /// Which one does not matter: free the interrupt's own vector before.
    ///
    /// # Errors
    /// [`MatrixError::UnknownCpu`]; [`MatrixError::NoManagedVector`] if a CPU
    /// holds no idle one.
    pub fn remove_managed(&mut self, mask: &CpuSet) -> Result<(), MatrixError> {
        for cpu in mask.iter() {
            self.map(cpu)?
                .first_idle_managed()
                .ok_or(MatrixError::NoManagedVector { cpu })?;
        }
        for cpu in mask.iter() {
            let map = self.map_mut(cpu)?;
            let idle = map
                .first_idle_managed()
                .ok_or(MatrixError::NoManagedVector { cpu })?;
            map.managed_map.remove(idle);
            map.managed -= 1;
            self.give_available(cpu)?;
        }
        Ok(())
    }

    /// Allocates a vector that was held for a managed interrupt: on the online CPU
    /// of `mask` where the fewest managed vectors are in use, the highest-numbered
    /// of several, its lowest idle one.
    ///
    /// # Errors
    /// [`MatrixError::InvalidMask`] for an empty set; [`MatrixError::NoVector`] if
    /// no CPU of it is online or the chosen one holds no idle vector.
    pub fn alloc_managed(&mut self, mask: &CpuSet) -> Result<(CpuId, u8), MatrixError> {
        if mask.is_empty() {
            return Err(MatrixError::InvalidMask);
        }
        let cpu = self.best_managed(mask).ok_or(MatrixError::NoVector)?;
        let map = self.map_mut(cpu)?;
        let vector = map.first_idle_managed().ok_or(MatrixError::NoVector)?;
        map.alloc_map.insert(vector);
        map.allocated += 1;
        map.managed_allocated += 1;
        self.total_allocated += 1;
        Ok((cpu, vector))
    }

    fn best_managed(&self, mask: &CpuSet) -> Option<CpuId> {
        let mut best = None;
        let mut fewest = u16::MAX;
        for cpu in mask.intersection(&self.online) {
            let Some(map) = self.cpu(cpu) else { continue };
            if map.managed_allocated <= fewest {
                fewest = map.managed_allocated;
                best = Some(cpu);
            }
        }
        best
    }
}
