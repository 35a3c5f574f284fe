// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A space of CPUs: the host's own, or one guest's virtual ones.

use std::sync::Arc;

use ims::domain::{Cpus, DomainError, Reach, SpaceId};
use ims::message::Destination;
use ims::vector::{CpuId, Matrix};

use crate::cpu::HostCpus;
use crate::error::HostError;
use crate::foreign::ForeignCpus;
use crate::host::{Control, Host, Inner};
use crate::soft::{Runner, Running};
use crate::takes::Takes;

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
    pub(crate) cpus: Arc<HostCpus>,
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
                descriptor: HostCpus::address(number),
            },
        })
    }

    fn is_quiet(&self, cpu: CpuId, vector: u8) -> bool {
        self.number(cpu)
            .and_then(|number| self.cpus.get(number))
            .is_none_or(|cpu| cpu.is_quiet(vector))
    }
}

/// A space of the host.
pub(crate) struct KnownSpace {
    pub(crate) space: Space,
    takes: Takes,
    /// Its soft CPUs; stopped when dropped.
    _running: Vec<Running>,
}

impl Control {
    /// Where the CPUs of a space count.
    pub(crate) fn takes(&self, space: SpaceId) -> Option<&Takes> {
        let mut known = self.spaces.iter();
        let known = known.find(|known| known.space.id == space)?;
        Some(&known.takes)
    }
}

impl Inner {
    /// A space of `count` CPUs, all online, with the next numbers.
    fn place(
        &self,
        control: &mut Control,
        count: u32,
        form: Form,
        system: &[u8],
    ) -> Result<(Space, Takes), HostError> {
        let first = control.next_cpu;
        self.cpus.grow(first + count);
        let mut matrix = Matrix::new(count);
        for vector in system {
            matrix
                .assign_system(*vector, None)
                .map_err(DomainError::from)?;
        }
        for cpu in 0..count {
            matrix.online(CpuId(cpu)).map_err(DomainError::from)?;
        }
        let known = SpaceCpus {
            cpus: Arc::clone(&self.cpus),
            first,
            count,
            form,
        };
        let id = control.hierarchy.add_space(matrix, Arc::new(known))?;
        control.next_cpu += count;
        let dispatch = control.hierarchy.dispatch(id).unwrap_or_default();
        let takes = Takes::new(id, count, dispatch, Arc::clone(&self.handlers));
        let space = Space {
            id,
            cpus: count,
            first,
        };
        Ok((space, takes))
    }
}

impl Host {
    /// Adds a space of `cpus` soft CPUs and starts them.
    ///
    /// # Errors
    /// [`HostError::Thread`]; no CPU of the space runs then.
    pub fn add_space(&self, cpus: u32, form: Form) -> Result<Space, HostError> {
        let mut control = self.inner.control();
        let (space, takes) = self.inner.place(&mut control, cpus, form, &[])?;
        let running = (0..cpus)
            .map(|cpu| {
                let runner = Runner {
                    cpus: Arc::clone(&self.inner.cpus),
                    number: space.first + cpu,
                    local: CpuId(cpu),
                    takes: takes.clone(),
                };
                runner.start()
            })
            .collect::<Result<Vec<_>, _>>()?;
        control.spaces.push(KnownSpace {
            space,
            takes,
            _running: running,
        });
        Ok(space)
    }

    /// Adds a space of `count` CPUs that `cpus` runs, reached by their APICs. No
    /// interrupt is given a vector of `system`: they are for whoever runs the CPUs.
    ///
    /// What a CPU takes goes to the [`Takes`] that is returned.
    ///
    /// # Errors
    /// [`HostError::Domain`].
    pub fn add_foreign_space(
        &self,
        count: u32,
        system: &[u8],
        cpus: &Arc<dyn ForeignCpus>,
    ) -> Result<(Space, Takes), HostError> {
        let mut control = self.inner.control();
        let (space, takes) = self.inner.place(&mut control, count, Form::Apic, system)?;
        for local in 0..count {
            let number = space.first + local;
            self.inner
                .cpus
                .leave_to(number, Arc::clone(cpus), CpuId(local));
        }
        control.spaces.push(KnownSpace {
            space,
            takes: takes.clone(),
            _running: Vec::new(),
        });
        Ok((space, takes))
    }
}
