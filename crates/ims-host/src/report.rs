// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What happened, by CPU and by interrupt: the material of `/proc/interrupts`.

use std::sync::atomic::Ordering;

use ims::domain::{SpaceId, Virq};
use ims::vector::CpuId;

use crate::host::Host;
use crate::space::Space;

/// One CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuReport {
    /// Its space.
    pub space: SpaceId,
    /// Its number there.
    pub cpu: CpuId,
    /// Whether it is online.
    pub online: bool,
    /// Vectors allocated on it.
    pub vectors: u16,
    /// Interrupts it took.
    pub taken: u64,
    /// Vectors it took that belonged to no interrupt with a handler.
    pub spurious: u64,
    /// Handlers that panicked.
    pub panicked: u64,
    /// How often it fell asleep; 0 if somebody else runs it.
    pub slept: u64,
}

/// One vector of a CPU that leads to an interrupt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IrqReport {
    /// Its space.
    pub space: SpaceId,
    /// Its CPU there.
    pub cpu: CpuId,
    /// Its vector.
    pub vector: u8,
    /// The interrupt's host-wide number.
    pub virq: Virq,
    /// How often its handler was called.
    pub taken: u64,
}

impl Host {
    /// Every CPU of a space.
    pub fn cpu_reports(&self, space: Space) -> Vec<CpuReport> {
        let control = self.inner.control();
        let (Some(matrix), Some(takes)) =
            (control.hierarchy.matrix(space.id), control.takes(space.id))
        else {
            return Vec::new();
        };
        (0..space.cpus)
            .filter_map(|local| {
                let cpu = CpuId(local);
                let counts = takes.counts(cpu)?;
                Some(CpuReport {
                    space: space.id,
                    cpu,
                    online: matrix.is_online(cpu),
                    vectors: matrix.allocated(cpu),
                    taken: counts.taken.load(Ordering::Relaxed),
                    spurious: counts.spurious.load(Ordering::Relaxed),
                    panicked: counts.panicked.load(Ordering::Relaxed),
                    slept: counts.slept.load(Ordering::Relaxed),
                })
            })
            .collect()
    }

    /// Every vector of a space that leads to an interrupt.
    pub fn irq_reports(&self, space: Space) -> Vec<IrqReport> {
        let Some(dispatch) = self.inner.control().hierarchy.dispatch(space.id) else {
            return Vec::new();
        };
        let all = (0..space.cpus).flat_map(|cpu| (0..=u8::MAX).map(move |vector| (cpu, vector)));
        all.filter_map(|(cpu, vector)| {
            let cpu = CpuId(cpu);
            let virq = dispatch.virq(cpu, vector)?;
            Some(IrqReport {
                space: space.id,
                cpu,
                vector,
                virq,
                taken: self.taken(virq),
            })
        })
        .collect()
    }
}
