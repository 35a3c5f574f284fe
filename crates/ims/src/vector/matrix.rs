// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The matrix itself: CPUs, and their unmanaged vectors.

use super::layout::{DEVICE_VECTORS, VECTORS};
use super::ranking::Ranking;
use super::{Affinity, CpuId, CpuMap, CpuSet, MatrixError, VectorMap};
use alloc::vec::Vec;
use core::ops::Range;

/// A mask of at most this many CPUs is scanned without asking whether it covers
/// every online one.
const SCANNED: usize = 64;

/// The per-CPU vector matrix.
///
/// The semantics, including which CPU and which vector an allocation gets, are
/// those of Linux's `kernel/irq/matrix.c`, with two corrections:
/// - what is held for managed interrupts counts against
///   [`CpuMap::available`] also while a CPU that was online before is offline,
///   so that it is right when the CPU comes back;
/// - [`Matrix::total_allocated`] goes down for every vector freed, also on an
///   offline CPU, so that it is the sum over the CPUs.
///
/// # Cost
/// Allocating with [`Affinity::Any`], one CPU, or a set that covers all online
/// CPUs does not scan them (covering is checked 64 CPUs a step); another set costs a
/// look at each 32 CPUs it names, and at the members where those have most
/// available. A CPU takes 82 bytes.
///
/// # Errors
/// An operation that fails leaves the matrix as it was.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// Where vectors are allocated.
    pub(super) inside: VectorMap,
    pub(super) system: VectorMap,
    /// How many system vectors are inside.
    pub(super) system_inside: u16,
    pub(super) maps: Vec<CpuMap>,
    /// What is available on online CPUs.
    pub(super) ranking: Ranking,
    pub(super) online: CpuSet,
    pub(super) online_maps: u32,
    pub(super) global_available: u64,
    pub(super) global_reserved: u64,
    pub(super) total_allocated: u64,
}

/// Whether what is reserved could be allocated now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// There is a vector for every reservation.
    Backed,
    /// There are more reservations than vectors: activating some will fail
    /// unless others are freed.
    Overcommitted,
}

impl Matrix {
    /// A matrix of `cpus` CPUs, all offline, that allocates
    /// [`DEVICE_VECTORS`].
    pub fn new(cpus: u32) -> Self {
        Self::over(cpus, VectorMap::from_range(DEVICE_VECTORS))
    }

    /// A matrix that allocates the vectors of `range`.
    ///
    /// # Errors
    /// [`MatrixError::InvalidRange`].
    pub fn with_range(cpus: u32, range: Range<u16>) -> Result<Self, MatrixError> {
        if range.is_empty() || range.end > VECTORS {
            return Err(MatrixError::InvalidRange { range });
        }
        Ok(Self::over(cpus, VectorMap::from_range(range)))
    }

    fn over(cpus: u32, inside: VectorMap) -> Self {
        Self {
            inside,
            system: VectorMap::default(),
            system_inside: 0,
            maps: alloc::vec![CpuMap::default(); cpus as usize],
            ranking: Ranking::new(cpus),
            online: CpuSet::new(),
            online_maps: 0,
            global_available: 0,
            global_reserved: 0,
            total_allocated: 0,
        }
    }

    /// Adds a CPU, offline, with the next number.
    ///
    /// # Errors
    /// [`MatrixError::TooManyCpus`].
    pub fn add_cpu(&mut self) -> Result<CpuId, MatrixError> {
        let number = u32::try_from(self.maps.len()).map_err(|_| MatrixError::TooManyCpus)?;
        let cpus = number.checked_add(1).ok_or(MatrixError::TooManyCpus)?;
        if self.maps.len() == self.maps.capacity() {
            // An eighth at a time: doubling would cost more than the CPUs do.
            self.maps.reserve_exact(self.maps.len() / 8 + 4);
        }
        self.maps.push(CpuMap::default());
        self.ranking.grow(cpus);
        Ok(CpuId(number))
    }

    /// How many CPUs there are; their numbers are below that.
    pub fn cpus(&self) -> u32 {
        u32::try_from(self.maps.len()).unwrap_or(u32::MAX)
    }

    /// One CPU's vectors.
    pub fn cpu(&self, cpu: CpuId) -> Option<&CpuMap> {
        self.maps.get(cpu.0 as usize)
    }

    pub(super) fn map(&self, cpu: CpuId) -> Result<&CpuMap, MatrixError> {
        self.cpu(cpu).ok_or(MatrixError::UnknownCpu { cpu })
    }

    #[inline]
    pub(super) fn map_mut(&mut self, cpu: CpuId) -> Result<&mut CpuMap, MatrixError> {
        self.maps
            .get_mut(cpu.0 as usize)
            .ok_or(MatrixError::UnknownCpu { cpu })
    }

    /// The CPUs that are online.
    pub fn online_cpus(&self) -> &CpuSet {
        &self.online
    }

    /// Whether `cpu` is online.
    pub fn is_online(&self, cpu: CpuId) -> bool {
        self.cpu(cpu).is_some_and(CpuMap::is_online)
    }

    /// The vectors that are the system's on every CPU.
    pub fn system_map(&self) -> &VectorMap {
        &self.system
    }

    /// The vectors an interrupt could get if no CPU had given any away.
    pub(super) fn usable(&self) -> VectorMap {
        self.inside & !self.system
    }

    /// Lets `cpu` take interrupts. What it held before it went offline, it holds.
    ///
    /// # Errors
    /// [`MatrixError::UnknownCpu`], [`MatrixError::AlreadyOnline`].
    pub fn online(&mut self, cpu: CpuId) -> Result<(), MatrixError> {
        let usable = self.inside.len() - self.system_inside;
        let map = self.map_mut(cpu)?;
        if map.online {
            return Err(MatrixError::AlreadyOnline { cpu });
        }
        if !map.initialized {
            map.available = usable - map.managed;
            map.initialized = true;
        }
        map.online = true;
        let available = map.available;
        self.global_available += u64::from(available);
        self.ranking.set(cpu, available);
        self.online.insert(cpu);
        self.online_maps += 1;
        Ok(())
    }

    /// Stops giving interrupts to `cpu`. Its vectors stay allocated until freed.
    ///
    /// [`Matrix::check_offline`] says whether the others have room for them.
    ///
    /// # Errors
    /// [`MatrixError::UnknownCpu`], [`MatrixError::Offline`].
    pub fn offline(&mut self, cpu: CpuId) -> Result<(), MatrixError> {
        let map = self.map_mut(cpu)?;
        if !map.online {
            return Err(MatrixError::Offline { cpu });
        }
        map.online = false;
        let available = map.available;
        self.global_available -= u64::from(available);
        self.ranking.set(cpu, 0);
        self.online.remove(cpu);
        self.online_maps -= 1;
        Ok(())
    }

    /// How many vectors the online CPUs have available, without those of `down`,
    /// which is about to go offline.
    pub fn available(&self, down: Option<CpuId>) -> u64 {
        let leaving = down.map_or(0, |cpu| self.ranking.available(cpu));
        self.global_available - u64::from(leaving)
    }

    /// Whether the other CPUs have room for the unmanaged interrupts of `cpu`;
    /// managed ones do not move.
    ///
    /// # Errors
    /// [`MatrixError::CannotOffline`], [`MatrixError::UnknownCpu`],
    /// [`MatrixError::Offline`].
    pub fn check_offline(&self, cpu: CpuId) -> Result<(), MatrixError> {
        let map = self.map(cpu)?;
        if !map.online {
            return Err(MatrixError::Offline { cpu });
        }
        let allocated = map.allocated - map.managed_allocated;
        let available = self.available(Some(cpu));
        if u64::from(allocated) > available {
            return Err(MatrixError::CannotOffline {
                cpu,
                allocated,
                available,
            });
        }
        Ok(())
    }

    /// How many vectors are allocated on `cpu`, managed ones included.
    pub fn allocated(&self, cpu: CpuId) -> u16 {
        self.cpu(cpu).map_or(0, CpuMap::allocated)
    }

    /// How many vectors are allocated on all CPUs, online or not.
    pub fn total_allocated(&self) -> u64 {
        self.total_allocated
    }

    /// How many reservations are open.
    pub fn reserved(&self) -> u64 {
        self.global_reserved
    }

    /// Counts an interrupt that will ask for a vector later. No vector is held
    /// for it.
    pub fn reserve(&mut self) -> Reservation {
        self.global_reserved = self.global_reserved.saturating_add(1);
        if self.global_reserved > self.global_available {
            Reservation::Overcommitted
        } else {
            Reservation::Backed
        }
    }

    /// Takes back one [`Matrix::reserve`].
    ///
    /// # Errors
    /// [`MatrixError::NothingReserved`].
    pub fn remove_reserved(&mut self) -> Result<(), MatrixError> {
        self.global_reserved = self
            .global_reserved
            .checked_sub(1)
            .ok_or(MatrixError::NothingReserved)?;
        Ok(())
    }

    /// Allocates an unmanaged vector: on the CPU that has most available, the
    /// lowest-numbered of several, its lowest free vector. With `reserved`, uses
    /// up one reservation.
    ///
    /// # Errors
    /// [`MatrixError::InvalidMask`] for an empty set,
    /// [`MatrixError::NothingReserved`], [`MatrixError::NoVector`].
    #[inline]
    pub fn alloc(
        &mut self,
        affinity: Affinity<'_>,
        reserved: bool,
    ) -> Result<(CpuId, u8), MatrixError> {
        if matches!(affinity, Affinity::Set(set) if set.is_empty()) {
            return Err(MatrixError::InvalidMask);
        }
        let left = match self.global_reserved.checked_sub(u64::from(reserved)) {
            Some(left) => left,
            None => return Err(MatrixError::NothingReserved),
        };
        let cpu = self.best(affinity).ok_or(MatrixError::NoVector)?;
        let usable = self.usable();
        let map = self.map_mut(cpu)?;
        let vector = map.first_free(usable).ok_or(MatrixError::NoVector)?;
        map.alloc_map.insert(vector);
        map.allocated += 1;
        map.available -= 1;
        let available = map.available;
        self.ranking.set(cpu, available);
        self.total_allocated += 1;
        self.global_available -= 1;
        self.global_reserved = left;
        Ok((cpu, vector))
    }

    /// The online CPU to allocate on.
    #[inline]
    fn best(&self, affinity: Affinity<'_>) -> Option<CpuId> {
        match affinity {
            Affinity::Any => self.ranking.best(),
            Affinity::Cpu(cpu) => (self.ranking.available(cpu) > 0).then_some(cpu),
            Affinity::Set(set) if !set.holds_at_most(SCANNED) && set.covers(&self.online) => {
                self.ranking.best()
            }
            Affinity::Set(set) => self.ranking.best_of(set),
        }
    }

    /// Frees a vector. A managed one stays held for managed interrupts.
    ///
    /// # Errors
    /// [`MatrixError::UnknownCpu`], [`MatrixError::OutOfRange`],
    /// [`MatrixError::NotAllocated`], [`MatrixError::WrongKind`].
    #[inline]
    pub fn free(&mut self, cpu: CpuId, vector: u8, managed: bool) -> Result<(), MatrixError> {
        let inside = self.inside.contains(vector);
        let map = self.map_mut(cpu)?;
        if !inside {
            return Err(MatrixError::OutOfRange { vector });
        }
        if !map.alloc_map.contains(vector) {
            return Err(MatrixError::NotAllocated { cpu, vector });
        }
        if map.managed_map.contains(vector) != managed {
            return Err(MatrixError::WrongKind { cpu, vector });
        }
        map.alloc_map.remove(vector);
        map.allocated -= 1;
        if managed {
            map.managed_allocated -= 1;
        }
        self.total_allocated -= 1;
        if !managed {
            self.give_available(cpu)?;
        }
        Ok(())
    }

    /// One vector more is available on `cpu`.
    pub(super) fn give_available(&mut self, cpu: CpuId) -> Result<(), MatrixError> {
        let map = self.map_mut(cpu)?;
        // Before the CPU was first online, nothing is: that is counted then.
        if map.initialized {
            map.available += 1;
            let (online, available) = (map.online, map.available);
            if online {
                self.global_available += 1;
                self.ranking.set(cpu, available);
            }
        }
        Ok(())
    }

    /// One vector less is available on `cpu`.
    pub(super) fn take_available(&mut self, cpu: CpuId) -> Result<(), MatrixError> {
        let map = self.map_mut(cpu)?;
        if map.initialized {
            map.available -= 1;
            let (online, available) = (map.online, map.available);
            if online {
                self.global_available -= 1;
                self.ranking.set(cpu, available);
            }
        }
        Ok(())
    }
}
