// SPDX-License-Identifier: Apache-2.0 OR MIT
//! CPUs as remap units reach them: soft ones by a posted descriptor, foreign ones
//! through whoever runs them.

use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use ims::message::{DeliveryMode, Destination};
use ims::posted::{Descriptor, Descriptors, InService, Notification};
use ims::segments::Segments;
use ims::sink::{Acceptance, Answer, CpuSink, Refusal};
use ims::vector::CpuId;

use crate::foreign::ForeignCpus;

/// The vector that tells a soft CPU to look at its descriptor: the one Linux
/// uses for it, a system vector that no interrupt is given.
const NOTIFICATION: u8 = 0xf2;

/// Bytes between descriptors, as far as their addresses go.
const STRIDE: u64 = 64;

/// One CPU, as everyone sees it. Its APIC id is its host-wide number.
#[derive(Default)]
pub(crate) struct HostCpu {
    pub(crate) descriptor: Descriptor,
    pub(crate) in_service: InService,
    /// The thread of a soft CPU.
    pub(crate) thread: OnceLock<Thread>,
    /// Who runs it, if the host does not; set before anything can be sent to it.
    foreign: OnceLock<Foreign>,
}

/// A CPU that somebody else runs.
struct Foreign {
    cpus: Arc<dyn ForeignCpus>,
    /// Its number in its space.
    local: CpuId,
}

/// All CPUs of a host, by host-wide number: where its remap units deliver.
#[derive(Default)]
pub struct HostCpus {
    cpus: Segments<HostCpu>,
}

impl HostCpus {
    /// Makes room for CPUs below `count`.
    pub(crate) fn grow(&self, count: u32) {
        self.cpus.grow(count, |number| HostCpu {
            descriptor: Descriptor::new(Notification {
                destination: number,
                vector: NOTIFICATION,
            }),
            ..HostCpu::default()
        });
    }

    pub(crate) fn get(&self, number: u32) -> Option<&HostCpu> {
        self.cpus.get(number)
    }

    /// Leaves CPU `number`, which is nobody's yet, to `cpus`, who call it `local`.
    pub(crate) fn leave_to(&self, number: u32, cpus: Arc<dyn ForeignCpus>, local: CpuId) {
        if let Some(cpu) = self.cpus.get(number) {
            // The host gives each number out once.
            let _ = cpu.foreign.set(Foreign { cpus, local });
        }
    }

    /// What a remap entry names the descriptor of a CPU by.
    pub(crate) fn address(number: u32) -> u64 {
        u64::from(number) * STRIDE
    }
}

impl HostCpu {
    /// Whether nothing sent to `vector` is pending or being handled.
    pub(crate) fn is_quiet(&self, vector: u8) -> bool {
        match self.foreign.get() {
            Some(Foreign { cpus, local }) => cpus.is_quiet(*local, vector),
            None => self.in_service.is_quiet(&self.descriptor, vector),
        }
    }

    /// Wakes a soft CPU, or keeps it from falling asleep.
    pub(crate) fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

impl Descriptors for HostCpus {
    #[inline]
    fn descriptor(&self, address: u64) -> Option<&Descriptor> {
        let number = u32::try_from(address / STRIDE).ok()?;
        self.cpus.get(number).map(|cpu| &cpu.descriptor)
    }
}

impl CpuSink for HostCpus {
    fn deliver(&self, destination: Destination, vector: u8, mode: DeliveryMode) -> Answer {
        let fixed = matches!(mode, DeliveryMode::Fixed | DeliveryMode::LowestPriority);
        if destination.logical || !fixed {
            return Answer::Refused(Refusal::Mode);
        }
        let Some(cpu) = self.cpus.get(destination.id) else {
            return Answer::Refused(Refusal::NoSuchCpu);
        };
        if let Some(Foreign { cpus, local }) = cpu.foreign.get() {
            return cpus.deliver(*local, vector, mode);
        }
        if vector == NOTIFICATION {
            cpu.wake();
            return Answer::Accepted(Acceptance::Fresh);
        }
        let posted = cpu.descriptor.post(vector, false);
        if posted.notify.is_some() {
            cpu.wake();
        }
        Answer::Accepted(if posted.coalesced {
            Acceptance::Coalesced
        } else {
            Acceptance::Fresh
        })
    }
}
