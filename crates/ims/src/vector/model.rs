// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The matrix as plainly as it can be said: flags a vector, scans for everything.

// Helpers of tests are tests, which the lints do not see.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{Affinity, CpuId, CpuSet, MatrixError, Reservation};
use core::ops::Range;
use std::vec::Vec;

#[derive(Clone)]
pub(super) struct ModelCpu {
    pub(super) alloc: [bool; 256],
    pub(super) managed: [bool; 256],
    pub(super) available: u16,
    pub(super) managed_allocated: u16,
    pub(super) initialized: bool,
    pub(super) online: bool,
}

#[derive(Clone)]
pub(super) struct Model {
    range: Range<u16>,
    pub(super) system: [bool; 256],
    pub(super) cpus: Vec<ModelCpu>,
    pub(super) global_available: i64,
    pub(super) global_reserved: i64,
    pub(super) total_allocated: i64,
    /// Freed on offline CPUs: Linux leaves these in its total.
    pub(super) freed_offline: i64,
}

type Result<T> = core::result::Result<T, MatrixError>;

impl Model {
    pub(super) fn new(cpus: u32, range: Range<u16>) -> Self {
        let mut model = Self {
            range,
            system: [false; 256],
            cpus: Vec::new(),
            global_available: 0,
            global_reserved: 0,
            total_allocated: 0,
            freed_offline: 0,
        };
        (0..cpus).for_each(|_| model.add_cpu());
        model
    }

    pub(super) fn add_cpu(&mut self) {
        self.cpus.push(ModelCpu {
            alloc: [false; 256],
            managed: [false; 256],
            available: 0,
            managed_allocated: 0,
            initialized: false,
            online: false,
        });
    }

    fn known(&self, cpu: CpuId) -> Result<usize> {
        let known = (cpu.0 as usize) < self.cpus.len();
        known
            .then_some(cpu.0 as usize)
            .ok_or(MatrixError::UnknownCpu { cpu })
    }

    fn online_maps(&self) -> u32 {
        u32::try_from(self.cpus.iter().filter(|cpu| cpu.online).count()).unwrap()
    }

    fn inside(&self) -> impl Iterator<Item = usize> + use<> {
        usize::from(self.range.start)..usize::from(self.range.end)
    }

    fn free_vector(&self, cpu: usize) -> Option<usize> {
        let map = &self.cpus[cpu];
        self.inside()
            .find(|bit| !map.alloc[*bit] && !map.managed[*bit] && !self.system[*bit])
    }

    fn idle_managed(&self, cpu: usize) -> Option<usize> {
        let map = &self.cpus[cpu];
        (0..256).find(|bit| map.managed[*bit] && !map.alloc[*bit])
    }

    /// Linux counts this only while the CPU is online, and is wrong afterwards if it
    /// was offline.
    fn managed_available(&mut self, cpu: usize, more: bool) {
        let map = &mut self.cpus[cpu];
        if map.initialized {
            map.available = if more {
                map.available + 1
            } else {
                map.available - 1
            };
            if map.online {
                self.global_available += if more { 1 } else { -1 };
            }
        }
    }

    pub(super) fn online(&mut self, cpu: CpuId) -> Result<()> {
        let at = self.known(cpu)?;
        if self.cpus[at].online {
            return Err(MatrixError::AlreadyOnline { cpu });
        }
        if !self.cpus[at].initialized {
            let managed = self.cpus[at]
                .managed
                .iter()
                .filter(|managed| **managed)
                .count();
            let system = self.inside().filter(|bit| self.system[*bit]).count();
            let size = self.inside().count();
            self.cpus[at].available = u16::try_from(size - managed - system).unwrap();
            self.cpus[at].initialized = true;
        }
        self.cpus[at].online = true;
        self.global_available += i64::from(self.cpus[at].available);
        Ok(())
    }

    pub(super) fn offline(&mut self, cpu: CpuId) -> Result<()> {
        let at = self.known(cpu)?;
        if !self.cpus[at].online {
            return Err(MatrixError::Offline { cpu });
        }
        self.cpus[at].online = false;
        self.global_available -= i64::from(self.cpus[at].available);
        Ok(())
    }

    pub(super) fn assign_system(&mut self, vector: u8, replace: Option<CpuId>) -> Result<()> {
        let online = self.online_maps();
        if online > 1 || (online == 1 && replace.is_none()) {
            return Err(MatrixError::TooLate { online });
        }
        let bit = usize::from(vector);
        if self.system[bit] {
            return Err(MatrixError::AlreadySystem { vector });
        }
        let replaced = replace.map(|cpu| self.known(cpu)).transpose()?;
        if let (Some(at), Some(cpu)) = (replaced, replace) {
            if !self.cpus[at].alloc[bit] {
                return Err(MatrixError::NotAllocated { cpu, vector });
            }
            if self.cpus[at].managed[bit] {
                return Err(MatrixError::WrongKind { cpu, vector });
            }
        }
        for (at, map) in self.cpus.iter().enumerate() {
            if Some(at) != replaced && (map.alloc[bit] || map.managed[bit]) {
                let cpu = CpuId(u32::try_from(at).unwrap());
                return Err(MatrixError::InUse { cpu, vector });
            }
        }
        if let Some(at) = replaced {
            self.cpus[at].alloc[bit] = false;
            self.total_allocated -= 1;
        }
        self.system[bit] = true;
        if self.range.contains(&u16::from(vector)) {
            for at in 0..self.cpus.len() {
                if Some(at) != replaced {
                    self.managed_available(at, false);
                }
            }
        }
        Ok(())
    }

    pub(super) fn assign(&mut self, cpu: CpuId, vector: u8) -> Result<()> {
        if !self.range.contains(&u16::from(vector)) {
            return Err(MatrixError::OutOfRange { vector });
        }
        let (at, bit) = (self.known(cpu)?, usize::from(vector));
        if !self.cpus[at].online {
            return Err(MatrixError::Offline { cpu });
        }
        if self.system[bit] || self.cpus[at].alloc[bit] || self.cpus[at].managed[bit] {
            return Err(MatrixError::InUse { cpu, vector });
        }
        self.cpus[at].alloc[bit] = true;
        self.cpus[at].available -= 1;
        self.total_allocated += 1;
        self.global_available -= 1;
        Ok(())
    }

    pub(super) fn reserve_managed(&mut self, mask: &CpuSet) -> Result<()> {
        // Linux undoes what it did; here nothing is done before all is known to work.
        for cpu in mask.iter() {
            let at = self.known(cpu)?;
            self.free_vector(at).ok_or(MatrixError::NoVector)?;
        }
        for cpu in mask.iter() {
            let at = self.known(cpu)?;
            let bit = self.free_vector(at).unwrap();
            self.cpus[at].managed[bit] = true;
            self.managed_available(at, false);
        }
        Ok(())
    }

    pub(super) fn remove_managed(&mut self, mask: &CpuSet) -> Result<()> {
        for cpu in mask.iter() {
            let at = self.known(cpu)?;
            self.idle_managed(at)
                .ok_or(MatrixError::NoManagedVector { cpu })?;
        }
        for cpu in mask.iter() {
            let at = self.known(cpu)?;
            let bit = self.idle_managed(at).unwrap();
            self.cpus[at].managed[bit] = false;
            self.managed_available(at, true);
        }
        Ok(())
    }

    pub(super) fn alloc_managed(&mut self, mask: &CpuSet) -> Result<(CpuId, u8)> {
        if mask.is_empty() {
            return Err(MatrixError::InvalidMask);
        }
        let mut best = None;
        let mut allocated = u16::MAX;
        for cpu in mask.iter() {
            let Some(map) = self.cpus.get(cpu.0 as usize) else {
                continue;
            };
            if !map.online || map.managed_allocated > allocated {
                continue;
            }
            best = Some(cpu);
            allocated = map.managed_allocated;
        }
        let cpu = best.ok_or(MatrixError::NoVector)?;
        let at = cpu.0 as usize;
        let bit = self.idle_managed(at).ok_or(MatrixError::NoVector)?;
        self.cpus[at].alloc[bit] = true;
        self.cpus[at].managed_allocated += 1;
        self.total_allocated += 1;
        Ok((cpu, u8::try_from(bit).unwrap()))
    }

    pub(super) fn reserve(&mut self) -> Reservation {
        self.global_reserved += 1;
        match self.global_reserved > self.global_available {
            true => Reservation::Overcommitted,
            false => Reservation::Backed,
        }
    }

    pub(super) fn remove_reserved(&mut self) -> Result<()> {
        if self.global_reserved == 0 {
            return Err(MatrixError::NothingReserved);
        }
        self.global_reserved -= 1;
        Ok(())
    }

    pub(super) fn alloc(&mut self, affinity: Affinity<'_>, reserved: bool) -> Result<(CpuId, u8)> {
        if affinity == Affinity::Set(&CpuSet::new()) {
            return Err(MatrixError::InvalidMask);
        }
        if reserved && self.global_reserved == 0 {
            return Err(MatrixError::NothingReserved);
        }
        let mut best = None;
        let mut most = 0;
        for (number, map) in (0..).zip(&self.cpus) {
            if affinity.contains(CpuId(number)) && map.online && map.available > most {
                best = Some(CpuId(number));
                most = map.available;
            }
        }
        let cpu = best.ok_or(MatrixError::NoVector)?;
        let at = cpu.0 as usize;
        let bit = self.free_vector(at).ok_or(MatrixError::NoVector)?;
        self.cpus[at].alloc[bit] = true;
        self.cpus[at].available -= 1;
        self.total_allocated += 1;
        self.global_available -= 1;
        if reserved {
            self.global_reserved -= 1;
        }
        Ok((cpu, u8::try_from(bit).unwrap()))
    }

    pub(super) fn free(&mut self, cpu: CpuId, vector: u8, managed: bool) -> Result<()> {
        let (at, bit) = (self.known(cpu)?, usize::from(vector));
        if !self.range.contains(&u16::from(vector)) {
            return Err(MatrixError::OutOfRange { vector });
        }
        let map = &mut self.cpus[at];
        if !map.alloc[bit] {
            return Err(MatrixError::NotAllocated { cpu, vector });
        }
        if map.managed[bit] != managed {
            return Err(MatrixError::WrongKind { cpu, vector });
        }
        map.alloc[bit] = false;
        if map.online {
            self.total_allocated -= 1;
        } else {
            self.freed_offline += 1;
        }
        if managed {
            map.managed_allocated -= 1;
        } else {
            map.available += 1;
            if map.online {
                self.global_available += 1;
            }
        }
        Ok(())
    }

    pub(super) fn available(&self, down: Option<CpuId>) -> i64 {
        let others = self
            .cpus
            .iter()
            .zip(0..)
            .filter(|(map, number)| map.online && Some(CpuId(*number)) != down);
        others.map(|(map, _)| i64::from(map.available)).sum()
    }
}
