// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Vectors that are settled before interrupts are allocated: the system's, and
//! those a machine starts with.

use super::{CpuId, Matrix, MatrixError};

impl Matrix {
    /// Keeps `vector` for the system on every CPU.
    ///
    /// With `replace`, that CPU's unmanaged allocation of the same vector becomes
    /// the system's.
    ///
    /// # Errors
    /// [`MatrixError::TooLate`] once a CPU is online (with `replace`: a second
    /// one), [`MatrixError::AlreadySystem`], [`MatrixError::InUse`] if a CPU has
    /// it; with `replace` also [`MatrixError::UnknownCpu`],
    /// [`MatrixError::NotAllocated`] and [`MatrixError::WrongKind`].
    pub fn assign_system(&mut self, vector: u8, replace: Option<CpuId>) -> Result<(), MatrixError> {
        if self.online_maps > u32::from(replace.is_some()) {
            return Err(MatrixError::TooLate {
                online: self.online_maps,
            });
        }
        if self.system.contains(vector) {
            return Err(MatrixError::AlreadySystem { vector });
        }
        if let Some(cpu) = replace {
            let map = self.map(cpu)?;
            if !map.alloc_map.contains(vector) {
                return Err(MatrixError::NotAllocated { cpu, vector });
            }
            if map.managed_map.contains(vector) {
                return Err(MatrixError::WrongKind { cpu, vector });
            }
        }
        let others = || {
            (0..self.cpus())
                .map(CpuId)
                .filter(|cpu| Some(*cpu) != replace)
        };
        if let Some(cpu) = others().find(|cpu| self.cpu(*cpu).is_some_and(|map| map.has(vector))) {
            return Err(MatrixError::InUse { cpu, vector });
        }

        if let Some(cpu) = replace {
            // It stays unavailable there: it was allocated, now it is the system's.
            let map = self.map_mut(cpu)?;
            map.alloc_map.remove(vector);
            map.allocated -= 1;
            self.total_allocated -= 1;
        }
        self.system.insert(vector);
        if self.inside.contains(vector) {
            self.system_inside += 1;
            for cpu in (0..self.cpus())
                .map(CpuId)
                .filter(|cpu| Some(*cpu) != replace)
            {
                self.take_available(cpu)?;
            }
        }
        Ok(())
    }

    /// Marks a vector that `cpu` used before the matrix knew of it as allocated,
    /// unmanaged: a legacy interrupt's.
    ///
    /// # Errors
    /// [`MatrixError::OutOfRange`], [`MatrixError::UnknownCpu`],
    /// [`MatrixError::Offline`], [`MatrixError::InUse`].
    pub fn assign(&mut self, cpu: CpuId, vector: u8) -> Result<(), MatrixError> {
        if !self.inside.contains(vector) {
            return Err(MatrixError::OutOfRange { vector });
        }
        let system = self.system.contains(vector);
        let map = self.map_mut(cpu)?;
        if !map.online {
            return Err(MatrixError::Offline { cpu });
        }
        if system || map.has(vector) {
            return Err(MatrixError::InUse { cpu, vector });
        }
        map.alloc_map.insert(vector);
        map.allocated += 1;
        self.total_allocated += 1;
        self.take_available(cpu)
    }
}
