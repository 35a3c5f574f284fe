// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A space of soft CPUs: the host's own, or one guest's virtual ones.

use std::sync::Arc;

use ims::domain::{Cpus, Reach, SpaceId};
use ims::message::Destination;
use ims::vector::CpuId;

use crate::cpu::SoftCpus;

/// How interrupts reach the CPUs of a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// By APIC id: remapped entries; vectors are the host's.
    Apic,
    /// By posted descriptor: posted entries; vectors are the guest's.
    Posted,
}

/// Names a space of a host and its CPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// The space, as the core names it.
    pub id: SpaceId,
    /// How many CPUs it has.
    pub cpus: u32,
    /// The host-wide number of its first CPU.
    pub(crate) first: u32,
}

/// What the core must know of a space's CPUs.
pub(crate) struct SpaceCpus {
    pub(crate) cpus: Arc<SoftCpus>,
    pub(crate) first: u32,
    pub(crate) count: u32,
    pub(crate) form: Form,
}

impl SpaceCpus {
    fn number(&self, cpu: CpuId) -> Option<u32> {
        (cpu.0 < self.count).then(|| self.first + cpu.0)
    }
}

impl Cpus for SpaceCpus {
    fn reach(&self, cpu: CpuId) -> Option<Reach> {
        let number = self.number(cpu)?;
        Some(match self.form {
            Form::Apic => Reach::Apic(Destination {
                id: number,
                logical: false,
                redirection_hint: false,
            }),
            Form::Posted => Reach::Posted {
                descriptor: SoftCpus::address(number),
            },
        })
    }

    fn is_quiet(&self, cpu: CpuId, vector: u8) -> bool {
        self.number(cpu)
            .and_then(|number| self.cpus.get(number))
            .is_none_or(|cpu| cpu.is_quiet(vector))
    }
}
